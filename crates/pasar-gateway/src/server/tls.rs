//! The certificate that the server shows, read from PEM files and read again on SIGHUP.

use std::{fmt, io, path::Path, sync::Arc};

use parking_lot::RwLock;
use pasar_chassis::{problem::Chain, service::BootError};
use pasar_feed::tasks::Tasks;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;

/// Hands out the newest certificate.
struct Certificate {
    files: Tls,
    current: RwLock<Arc<CertifiedKey>>,
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("cannot be read as PEM")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("do not make a certificate and its key")]
    Tls(#[from] rustls::Error),
}

/// An acceptor for HTTP/2 and HTTP/1.1 whose certificate is renewed on SIGHUP.
pub(crate) fn acceptor(files: &Tls, tasks: &Tasks) -> Result<TlsAcceptor, BootError> {
    let unusable = |error: Unusable| BootError::Io {
        what: format!("load {} and {}", show(&files.certificate), show(&files.key)),
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    };
    let certificate = Arc::new(Certificate {
        files: files.clone(),
        current: RwLock::new(Arc::new(load(files).map_err(unusable)?)),
    });
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.into()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::<Certificate>::clone(&certificate));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let hangups = signal(SignalKind::hangup()).map_err(|source| BootError::Io {
        what: "listen for SIGHUP".to_owned(),
        source,
    })?;
    let draining = tasks.clone();
    tasks.spawn("gateway certificate", async move {
        tokio::select! {
            () = renew(certificate, hangups) => {}
            () = draining.draining() => {}
        }
    });
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn renew(certificate: Arc<Certificate>, mut hangups: tokio::signal::unix::Signal) {
    while hangups.recv().await.is_some() {
        match load(&certificate.files) {
            Ok(renewed) => {
                *certificate.current.write() = Arc::new(renewed);
                tracing::info!("the certificate was read again");
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the certificate cannot be read again; the old one stays");
            }
        }
    }
}

fn load(files: &Tls) -> Result<CertifiedKey, Unusable> {
    let chain =
        CertificateDer::pem_file_iter(&files.certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&files.key)?;
    Ok(CertifiedKey::from_der(
        chain,
        key,
        &ring::default_provider(),
    )?)
}

fn show(path: &Path) -> impl fmt::Display {
    path.display()
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

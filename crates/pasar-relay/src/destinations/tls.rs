//! TLS towards destinations: which certificates are believed, and which one we show. One place for all kinds.

use std::sync::{Arc, LazyLock};

use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    WantsVerifier,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

/// Bytes of PEM text that one setting may hold.
pub const MAX_PEM_BYTES: usize = 64 * 1024;

/// What we show to a server that asks who we are. PEM texts.
#[derive(Clone, Copy)]
pub struct ClientCertificate<'a> {
    /// The certificate first, then what leads to its root.
    pub chain: &'a str,
    pub key: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPem {
    #[error("expected certificates as PEM, {MAX_PEM_BYTES} bytes at most")]
    Ca,
    #[error("expected a certificate and the key that belongs to it, as PEM")]
    ClientCertificate,
}

/// Sessions that one destination remembers, so that connecting again is cheap.
const REMEMBERED_SESSIONS: usize = 8;

static PUBLIC_ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    Arc::new(RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    })
});

/// Believes the public certificate authorities (Mozilla's list) and, if given, those in `ca` (PEM).
pub fn client_config(ca: Option<&str>) -> Result<Arc<ClientConfig>, InvalidPem> {
    client_config_with(ca, None)
}

/// The same, with a certificate of our own.
pub fn client_config_with(
    ca: Option<&str>,
    own: Option<ClientCertificate<'_>>,
) -> Result<Arc<ClientConfig>, InvalidPem> {
    let builder = builder().with_root_certificates(roots(ca)?);
    let mut config = match own {
        Some(own) => {
            let (chain, key) = read(own).ok_or(InvalidPem::ClientCertificate)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|_| InvalidPem::ClientCertificate)?
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(REMEMBERED_SESSIONS);
    Ok(Arc::new(config))
}

/// For a library that connects to an address that we looked up: whatever it calls the server, the certificate
/// must be this name's. (The name is then not sent to the server.)
pub fn client_config_for(
    ca: Option<&str>,
    name: ServerName<'static>,
) -> Result<ClientConfig, InvalidPem> {
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(ca)?, provider)
        .build()
        .map_err(|_| InvalidPem::Ca)?;
    Ok(builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NameVerifier { verifier, name }))
        .with_no_client_auth())
}

/// What rustls does by default, for a name of our own.
#[derive(Debug)]
struct NameVerifier {
    verifier: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for NameVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _called: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier
            .verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the versions that rustls has by default")
}

fn roots(ca: Option<&str>) -> Result<Arc<RootCertStore>, InvalidPem> {
    match ca {
        Some(pem) => roots_and(pem).map(Arc::new),
        None => Ok(Arc::clone(&PUBLIC_ROOTS)),
    }
}

fn roots_and(pem: &str) -> Result<RootCertStore, InvalidPem> {
    if pem.len() > MAX_PEM_BYTES {
        return Err(InvalidPem::Ca);
    }
    let mut roots = RootCertStore::clone(&PUBLIC_ROOTS);
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| InvalidPem::Ca)?;
        roots.add(certificate).map_err(|_| InvalidPem::Ca)?;
    }
    if roots.len() == before {
        return Err(InvalidPem::Ca);
    }
    Ok(roots)
}

fn read(
    own: ClientCertificate<'_>,
) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    if own.chain.len() > MAX_PEM_BYTES || own.key.len() > MAX_PEM_BYTES {
        return None;
    }
    let chain = CertificateDer::pem_slice_iter(own.chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).ok()?;
    (!chain.is_empty()).then_some((chain, key))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let huge = "-".repeat(MAX_PEM_BYTES + 1);
        for pem in ["", "not PEM", key.as_str(), huge.as_str()] {
            assert_eq!(client_config(Some(pem)).err(), Some(InvalidPem::Ca));
        }
    }

    #[test]
    fn a_certificate_of_our_own_needs_its_key() {
        let made = rcgen::generate_simple_self_signed(["pasar.test".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.key_pair.serialize_pem());
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let with = |key: &str| {
            let own = ClientCertificate { chain: &chain, key };
            client_config_with(Some(&chain), Some(own)).map(|_| ())
        };
        assert_eq!(with(&key), Ok(()));
        assert_eq!(with(&other), Err(InvalidPem::ClientCertificate));
        assert_eq!(with(""), Err(InvalidPem::ClientCertificate));
    }

    #[test]
    fn a_certificate_must_be_the_names_whatever_the_server_is_called() {
        let made = rcgen::generate_simple_self_signed(["pasar.test".to_owned()]).unwrap();
        let provider = Arc::new(ring::default_provider());
        let roots = roots(Some(&made.cert.pem())).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .unwrap();
        let called = ServerName::try_from("192.0.2.1").unwrap();
        let verified = |name: &'static str| {
            let verifier = NameVerifier {
                verifier: Arc::clone(&verifier),
                name: ServerName::try_from(name).unwrap(),
            };
            let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_600_000));
            verifier
                .verify_server_cert(made.cert.der(), &[], &called, &[], now)
                .is_ok()
        };
        assert!(verified("pasar.test"));
        assert!(!verified("other.test"));
    }
}

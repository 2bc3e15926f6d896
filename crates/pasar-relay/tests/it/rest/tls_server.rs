//! A server behind TLS with an authority of its own, that speaks HTTP/2 or HTTP/1.1.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinHandle},
};
use tokio_rustls::TlsAcceptor;

pub(crate) struct TlsServer {
    pub(crate) address: SocketAddr,
    /// PEM of the authority.
    pub(crate) ca: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    versions: Mutex<Vec<Version>>,
    serving: Mutex<Vec<AbortHandle>>,
}

impl TlsServer {
    /// For a name, and the protocols that it offers (ALPN).
    pub(crate) async fn start(name: &str, protocols: &[&str]) -> Self {
        let (config, ca) = config(name, protocols);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let task = tokio::spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self {
            address,
            ca,
            shared,
            task,
        }
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/hook", self.address.port())
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Of each request.
    pub(crate) fn versions(&self) -> Vec<Version> {
        self.shared.versions.lock().clone()
    }

    /// Breaks all connections.
    pub(crate) fn hang_up(&self) {
        for serving in self.shared.serving.lock().drain(..) {
            serving.abort();
        }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
        self.hang_up();
    }
}

fn config(name: &str, protocols: &[&str]) -> (ServerConfig, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&key, &authority, &authority_key)
        .unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().into())
        .collect();
    (config, authority.pem())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let serving = serve(stream, acceptor.clone(), Arc::clone(&shared));
        let serving = tokio::spawn(serving).abort_handle();
        shared.serving.lock().push(serving);
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    shared.connections.fetch_add(1, Ordering::SeqCst);
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(|request| take(request, &shared));
    let io = TokioIo::new(stream);
    let _ = if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // Few, so that the client has to queue.
        builder.max_concurrent_streams(10);
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { take(request, &shared).await }
        });
        builder.serve_connection(io, service).await
    } else {
        http1::Builder::new().serve_connection(io, service).await
    };
}

async fn take(
    request: Request<Incoming>,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    shared.versions.lock().push(request.version());
    let authority = request.uri().authority().map(ToString::to_string);
    let host = authority.or_else(|| {
        let host = request.headers().get("host")?.to_str().ok()?;
        Some(host.to_owned())
    });
    request.into_body().collect().await?;
    Ok(Response::new(Full::from(host.unwrap_or_default())))
}

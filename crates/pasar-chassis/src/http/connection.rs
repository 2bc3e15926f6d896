//! One connection: HTTP/1.1 or HTTP/2, whichever the client speaks, until it ends or the host drains.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use pasar_feed::tasks::Tasks;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{
    Limits,
    refusals::Refusals,
    request::{PeerAddress, Requests},
};
use crate::{host::Host, passport::Passports};

/// What all connections of a listener share.
pub(super) struct Connections {
    builder: Arc<Builder<TokioExecutor>>,
    requests: Requests,
    tasks: Tasks,
    first_request_within: Duration,
}

/// HTTP/2 peers that do not answer a ping for so long are gone.
const PING: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 100;
/// The smallest buffer that hyper allows.
const MIN_BUFFER: usize = 8 * 1024;

impl Connections {
    pub(super) fn new(
        host: &Host,
        router: Router,
        limits: &Limits,
        passports: Option<Passports>,
    ) -> Self {
        let header_timeout = Duration::from_millis(limits.header_timeout_ms);
        let header_bytes = usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX);
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(header_bytes.max(MIN_BUFFER));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(limits.max_header_bytes)
            .max_concurrent_streams(limits.max_concurrent_streams)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        Self {
            builder: Arc::new(builder),
            requests: Requests::new(host, router, passports),
            tasks: host.tasks.clone(),
            first_request_within: header_timeout,
        }
    }

    /// Serves one accepted socket. Errors of a connection are its client's and end only it.
    pub(super) fn run<A, F, I>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        accept: A,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        A: Fn(TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<I>> + Send + 'static,
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let builder = Arc::clone(&self.builder);
        let requests = self.requests.clone();
        let tasks = self.tasks.clone();
        let patience = self.first_request_within;
        async move {
            // Until a request is read whole, hyper's own header timeout does not run: not in a
            // handshake, and not while the version of HTTP is still open.
            let deadline = tokio::time::sleep(patience);
            tokio::pin!(deadline);
            let io = tokio::select! {
                accepted = accept(stream) => match accepted {
                    Ok(io) => io,
                    Err(error) => return tracing::debug!(%peer, %error, "a handshake failed"),
                },
                () = &mut deadline => return,
                () = tasks.draining() => return,
            };
            let begun = Arc::new(AtomicBool::new(false));
            let mark = Arc::clone(&begun);
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                mark.store(true, Ordering::Relaxed);
                requests.call(request, PeerAddress(peer))
            });
            let io = TokioIo::new(Refusals::new(io));
            let connection = builder.serve_connection_with_upgrades(io, service);
            tokio::pin!(connection);
            let mut watched = true;
            let mut draining = false;
            loop {
                tokio::select! {
                    ended = connection.as_mut() => {
                        if let Err(error) = ended {
                            tracing::debug!(%peer, %error, "a connection ended");
                        }
                        return;
                    }
                    () = &mut deadline, if watched => {
                        if !begun.load(Ordering::Relaxed) {
                            return;
                        }
                        watched = false;
                    }
                    () = tasks.draining(), if !draining => {
                        connection.as_mut().graceful_shutdown();
                        draining = true;
                    }
                }
            }
        }
    }
}

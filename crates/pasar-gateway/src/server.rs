//! The listening socket and its connections: accept, hand over to hyper, drain.

pub(crate) mod connection;
mod guarded_io;
pub(crate) mod tls;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use pasar_feed::tasks::Tasks;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    config::{Config, millis},
    gateway::Gateway,
    server::{
        connection::Connection,
        guarded_io::{GuardedIo, Patience, Socket},
    },
};

/// What one HTTP/1 connection may buffer in each direction.
const BUFFER_BYTES: usize = 64 * 1024;
/// The heads that HTTP/2 decodes; those beyond the configured limit are refused as problems.
const HEADER_LIST_BYTES: u32 = 64 * 1024;
/// What an HTTP/2 stream may send before the service has read it.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// A peer that answers no ping within this is gone.
const PING: Duration = Duration::from_secs(20);
/// After a failed accept (out of file descriptors) others get the time to close theirs.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Server {
    gateway: Arc<Gateway>,
    http: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    tasks: Tasks,
    patience: Patience,
    handshake: Duration,
    connections: usize,
}

impl Server {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        config: &Config,
        tls: Option<TlsAcceptor>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let timeouts = &config.timeouts;
        Arc::new(Self {
            gateway,
            http: http(config),
            tls,
            tasks,
            patience: Patience {
                head: millis(timeouts.head_ms),
                idle: millis(timeouts.idle_ms),
                write: millis(timeouts.write_ms),
            },
            handshake: millis(timeouts.head_ms),
            connections: config.limits.connections,
        })
    }

    /// Serves until the drain begins, then until the last request is answered.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let full = connections.len() >= self.connections;
            tokio::select! {
                biased;
                () = self.tasks.draining() => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => note(ended),
                accepted = listener.accept(), if !full => match accepted {
                    Ok((stream, peer)) => {
                        metrics::gauge!("pasar_gateway_connections").increment(1.0);
                        connections.spawn(Arc::clone(&self).serve(stream, peer));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "failed to accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        while let Some(ended) = connections.join_next().await {
            note(ended);
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let Ok(socket) = self.secure(stream).await else {
            return;
        };
        let connection = Arc::new(Connection::new(peer));
        let io = GuardedIo::new(socket, Arc::clone(&connection), self.patience);
        let service = service_fn(|request: Request<Incoming>| {
            let answer = Arc::clone(&self.gateway).answer(Arc::clone(&connection), request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut serving = std::pin::pin!(self.http.serve_connection(TokioIo::new(io), service));
        let ended = tokio::select! {
            biased;
            ended = serving.as_mut() => ended,
            () = self.tasks.draining() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, error, "a connection ended early");
        }
    }

    /// The TLS handshake, if there is one, within the time for a head.
    async fn secure(&self, stream: TcpStream) -> io::Result<Socket> {
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Socket::Plain(stream));
        };
        let stream = tokio::time::timeout(self.handshake, tls.accept(stream)).await??;
        Ok(Socket::Tls(Box::new(stream)))
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    metrics::gauge!("pasar_gateway_connections").decrement(1.0);
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

/// Heads are timed in `GuardedIo`; hyper's own header timeout counts idle time as well. Its pipeline
/// flush stays off: with it, a body is buffered without a bound while the client takes nothing.
fn http(config: &Config) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(BUFFER_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .max_concurrent_streams(config.limits.streams_per_connection)
        .max_header_list_size(HEADER_LIST_BYTES);
    http
}

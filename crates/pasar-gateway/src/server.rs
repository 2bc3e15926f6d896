//! The listening socket and its connections: accept, hand over to hyper, drain.

pub(crate) mod connection;
pub(crate) mod guarded_io;
pub(crate) mod timer;
pub(crate) mod tls;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use pasar_chassis::http::Refusals;
use pasar_feed::tasks::Tasks;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    config::{Config, millis},
    gateway::Gateway,
    handover::{Handover, Rest},
    plain::{Left, Plain},
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
                Some(ended) = connections.join_next(), if !connections.is_empty() => {
                    if let Some(rest) = note(ended) {
                        connections.spawn(go_on(rest));
                    }
                }
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
            if let Some(rest) = note(ended) {
                connections.spawn(go_on(rest));
            }
        }
    }

    /// Serves a connection until it ends, or is handed over: then the rest is a task of its own, as small
    /// as it needs to be.
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) -> Option<Rest> {
        let socket = self.secure(stream).await.ok()?;
        let connection = Arc::new(Connection::new(peer));
        let io = GuardedIo::new(socket, Arc::clone(&connection), self.patience);
        let plain = Plain::new(&self.gateway, &connection, &self.tasks, io);
        let io = match plain.serve().await {
            Ok(Left::Unread(io, bytes)) => io.with_unread(bytes),
            Ok(Left::HandedOver) => return self.rest(&connection),
            Ok(Left::Nothing) => return None,
            Err(error) => {
                tracing::debug!(%peer, %error, "a connection ended early");
                return None;
            }
        };
        self.serve_any(io, connection).await
    }

    /// Serves whatever comes.
    async fn serve_any(
        self: Arc<Self>,
        io: GuardedIo,
        connection: Arc<Connection>,
    ) -> Option<Rest> {
        let gateway = Arc::clone(&self.gateway);
        let shared = Arc::clone(&connection);
        let service = service_fn(move |request: Request<Incoming>| {
            let connection = Arc::clone(&shared);
            let answer = Arc::clone(&gateway).answer(Arc::clone(&connection), request);
            async move {
                match Handover::of(answer.await) {
                    Ok(handover) => connection.hand_over(handover),
                    Err(response) => return Ok::<_, Infallible>(response),
                }
                // Not answered by HTTP any more: this is dropped with it.
                std::future::pending().await
            }
        });
        let io = TokioIo::new(Refusals::new(io));
        let mut serving = Box::pin(self.http.serve_connection(io, service));
        let mut drains = false;
        let ended = loop {
            tokio::select! {
                biased;
                ended = serving.as_mut() => break ended,
                () = connection.asked_for() => {
                    drop(serving);
                    return self.rest(&connection);
                }
                () = self.tasks.draining(), if !drains => {
                    serving.as_mut().graceful_shutdown();
                    drains = true;
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %connection.peer, error, "a connection ended early");
        }
        None
    }

    fn rest(&self, connection: &Arc<Connection>) -> Option<Rest> {
        let (handover, socket) = connection.handed()?;
        let io = GuardedIo::new(socket, Arc::clone(connection), self.patience);
        Some(Box::pin(handover.run(Box::new(io))))
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

async fn go_on(rest: Rest) -> Option<Rest> {
    rest.await;
    None
}

/// Takes note of an end, if it is one.
fn note(ended: Result<Option<Rest>, tokio::task::JoinError>) -> Option<Rest> {
    if let Ok(Some(rest)) = ended {
        return Some(rest);
    }
    metrics::gauge!("pasar_gateway_connections").decrement(1.0);
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
    None
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

//! The HTTP server: accepts connections, bounds what they may cost, gives each request its flow, and
//! drains. What is served is a router; TLS is the caller's, as a function over the accepted socket.

mod connection;
mod refusals;
mod request;
mod unread;
mod upgrade;

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

use self::connection::Connections;
use crate::{host::Host, passport::Passports};

pub use self::{refusals::Refusals, request::PeerAddress, unread::Unread};

/// What connections and requests may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections that are open at the same time; more wait in the listener's backlog.
    pub max_connections: usize,
    /// From the connection to the end of the first request's header, and then for each header.
    pub header_timeout_ms: u64,
    /// Bytes of a request's header in all.
    pub max_header_bytes: u32,
    /// Requests in flight on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
}

/// After an error of the listener itself, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout_ms: 30_000,
            max_header_bytes: 32 * 1024,
            max_concurrent_streams: 200,
        }
    }
}

/// Serves anybody until the host drains; the drain waits for the requests in flight.
pub fn serve(host: &Host, listener: TcpListener, router: Router, limits: &Limits) {
    serve_with(host, listener, router, limits, async |stream| Ok(stream));
}

/// The same for the other processes of the system alone: whoever has no passport is answered 401.
pub fn serve_processes(host: &Host, listener: TcpListener, router: Router, limits: &Limits) {
    let connections = Connections::new(host, router, limits, Some(Passports::of(host)));
    accept_all(host, listener, limits, connections, async |stream| {
        Ok(stream)
    });
}

/// The same, with a step between accepting a socket and speaking HTTP: a TLS handshake. It counts
/// towards the header timeout.
pub fn serve_with<A, F, I>(
    host: &Host,
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    accept: A,
) where
    A: Fn(TcpStream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = io::Result<I>> + Send + 'static,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connections = Connections::new(host, router, limits, None);
    accept_all(host, listener, limits, connections, accept);
}

fn accept_all<A, F, I>(
    host: &Host,
    listener: TcpListener,
    limits: &Limits,
    connections: Connections,
    accept: A,
) where
    A: Fn(TcpStream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = io::Result<I>> + Send + 'static,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let tasks = host.tasks.clone();
    host.tasks.spawn("http", async move {
        let mut open = JoinSet::new();
        let draining = tasks.draining();
        tokio::pin!(draining);
        loop {
            let accepted = tokio::select! {
                () = &mut draining => break,
                Some(_) = open.join_next() => continue,
                accepted = next(&listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let connection = connections.run(stream, peer, accept.clone());
                    open.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        while open.join_next().await.is_some() {}
    });
}

type Accepted = (
    TcpStream,
    std::net::SocketAddr,
    tokio::sync::OwnedSemaphorePermit,
);

async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

//! A connection that outlives its request: once the head of the answer is sent, the handler gets the
//! client's socket. For streams that stay open for hours, which an HTTP server's buffers would make dear.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::FromRequestParts, response::Response};
use futures_util::future::BoxFuture;
use http::request::Parts;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

/// A client's socket, with TLS if there is any. It gives up on clients that take nothing for too long.
pub type Socket = Box<dyn Duplex>;

pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Resolves when the credentials that the request came with end.
pub type Ended = BoxFuture<'static, ()>;

/// Whether the server would hand the socket over; it says so by a request extension, and does for HTTP/1
/// only. As an extractor it never fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandsOver(pub bool);

/// What runs on the socket, until it closes it. It has to end when the process drains.
type Run = Box<dyn FnOnce(Socket, Ended) -> BoxFuture<'static, ()> + Send>;

/// Asks for the socket: a response extension. The response's body is not sent.
#[derive(Clone)]
pub struct TakesOver(Arc<Mutex<Option<Run>>>);

impl TakesOver {
    pub fn new<F>(run: impl FnOnce(Socket, Ended) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let run: Run = Box::new(move |socket, ended| Box::pin(run(socket, ended)));
        Self(Arc::new(Mutex::new(Some(run))))
    }

    /// Takes the wish out of a response, if there is one.
    pub fn of(response: &mut Response<impl Sized>) -> Option<Self> {
        response.extensions_mut().remove()
    }

    /// Runs it. Does nothing the second time.
    pub async fn run(self, socket: Socket, ended: Ended) {
        let run = self.0.lock().take();
        if let Some(run) = run {
            run(socket, ended).await;
        }
    }
}

impl<S: Sync> FromRequestParts<S> for HandsOver {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_default())
    }
}

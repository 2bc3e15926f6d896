//! Requests that leave HTTP for a protocol of their own, such as a WebSocket: the handler gets the connection.

use axum::response::Response;
use http::{Method, Request, Version, header::UPGRADE};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use pasar_feed::tasks::Tasks;

use crate::handover::{HandsOver, TakesOver};

/// A request that asks to leave HTTP.
pub(super) struct Upgrade(OnUpgrade);

impl Upgrade {
    /// Says to the handler that it may have the connection.
    pub(super) fn of(request: &mut Request<Incoming>) -> Option<Self> {
        let asks = request.headers().contains_key(UPGRADE)
            && request.method() == Method::GET
            && request.version() == Version::HTTP_11;
        if !asks {
            return None;
        }
        request.extensions_mut().insert(HandsOver(true));
        Some(Self(hyper::upgrade::on(request)))
    }

    /// Gives the handler the connection once the head of its answer is sent, if it asked for it.
    pub(super) fn follow(self, response: &mut Response, tasks: &Tasks) {
        let Some(takes_over) = TakesOver::of(response) else {
            return;
        };
        tasks.spawn("upgraded connection", async move {
            match self.0.await {
                Ok(upgraded) => {
                    // The gateway in front ends it with the credentials.
                    let ended = Box::pin(std::future::pending());
                    takes_over
                        .run(Box::new(TokioIo::new(upgraded)), ended)
                        .await;
                }
                Err(error) => tracing::debug!(%error, "a connection was not upgraded"),
            }
        });
    }
}

//! Where the requests of one service go: its router in this process, or its instances elsewhere.

use std::panic::AssertUnwindSafe;

use axum::{Router, body::Body, response::Response};
use futures_util::FutureExt;
use http::Request;
use pasar_chassis::problem::Problem;
use tower::Service as _;

use crate::pool::Pool;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) enum Upstream {
    Local(Router),
    Pool(Pool),
}

/// Why there is no answer of the service.
pub(crate) enum Unanswered {
    Panicked,
    Problem(Problem),
}

impl Upstream {
    /// The request carries the typed `Identity`, `ClientAddress` and `Arrival` as extensions.
    pub(crate) async fn call(&self, request: Request<Body>) -> Result<Response, Unanswered> {
        match self {
            Self::Local(router) => {
                let mut router = router.clone();
                let called = AssertUnwindSafe(router.call(request)).catch_unwind();
                match called.await {
                    Ok(Ok(response)) => Ok(response),
                    Err(_) => Err(Unanswered::Panicked),
                }
            }
            Self::Pool(pool) => pool.call(request).await.map_err(Unanswered::Problem),
        }
    }
}

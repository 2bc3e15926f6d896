//! Reading a body whole, within a size and a time.

use std::{error::Error, time::Duration};

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pasar_contracts::problem::ProblemType;

use crate::problem::Problem;

/// The most bytes a body may have. A route with other needs inserts its own, in a layer:
/// `.layer(Extension(BodyLimit(..)))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimit(pub usize);

pub const DEFAULT_BODY_LIMIT: BodyLimit = BodyLimit(1024 * 1024);
/// A body that takes longer to arrive is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The whole body of a request, no larger than its [`BodyLimit`] and no slower than 30 seconds.
pub async fn read(request: Request) -> Result<Bytes, Problem> {
    let limit = request
        .extensions()
        .get::<BodyLimit>()
        .unwrap_or(&DEFAULT_BODY_LIMIT)
        .0;
    if announced(request.headers()).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let whole = collect(request.into_body(), limit);
    tokio::time::timeout(BODY_TIMEOUT, whole)
        .await
        .unwrap_or_else(|_| {
            Err(Problem::new(ProblemType::InvalidRequest)
                .detail("the body did not arrive within 30 seconds"))
        })
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if is_too_large(&*error) => Err(too_large(limit)),
        Err(_) => {
            Err(Problem::new(ProblemType::InvalidRequest).detail("the body did not arrive whole"))
        }
    }
}

/// The limit may be this one, or one that lies further out.
fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<LengthLimitError>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Problem {
    Problem::new(ProblemType::PayloadTooLarge)
        .detail(format!("the body may have at most {limit} bytes"))
        .with("limit_bytes", limit)
}

//! A request's body on its way to a service: no larger and no slower than allowed. One that a service reads
//! as it comes, in lines, has no size; it must only go on.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use pasar_chassis::http::Unread;
use pasar_contracts::problem::ProblemType;
use pasar_feed::tasks::Tasks;
use tokio::time::Sleep;

/// What was wrong with a body, told to whoever answers the request: what a service makes of a body
/// that breaks off is not what the client should read.
#[derive(Clone, Default)]
pub(crate) struct BodyVerdict(Option<Arc<AtomicU8>>);

/// How bodies are treated.
pub(crate) struct BodyRules {
    pub(crate) most: u64,
    pub(crate) patience: Duration,
    pub(crate) tasks: Tasks,
}

/// How large and slow a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// Read whole: it has a size and a time.
    Whole,
    /// Read as it comes: each part of it has the time.
    Lines,
}

struct RequestBody {
    incoming: Unread,
    kind: BodyKind,
    left: u64,
    began: Instant,
    patience: Duration,
    /// Set once the body lets somebody wait.
    timer: Option<Pin<Box<Sleep>>>,
    verdict: Arc<AtomicU8>,
}

const FINE: u8 = 0;
const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;
const BROKEN: u8 = 3;

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the body is too large")]
    TooLarge,
    #[error("the body arrived too slowly")]
    TooSlow,
}

type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl BodyRules {
    /// Guards a body. One that is empty costs nothing.
    pub(crate) fn guard(
        &self,
        body: Incoming,
        kind: BodyKind,
        headers: &HeaderMap,
    ) -> (Body, BodyVerdict) {
        if body.is_end_stream() {
            return (Body::empty(), BodyVerdict(None));
        }
        let verdict = Arc::new(AtomicU8::new(FINE));
        let guarded = RequestBody {
            incoming: self.unread(body, headers),
            kind,
            left: match kind {
                BodyKind::Whole => self.most,
                BodyKind::Lines => u64::MAX,
            },
            began: Instant::now(),
            patience: self.patience,
            timer: None,
            verdict: Arc::clone(&verdict),
        };
        (Body::new(guarded), BodyVerdict(Some(verdict)))
    }

    /// Lets go of the body of a request that is refused by its head.
    pub(crate) fn dismiss(&self, body: Incoming, headers: &HeaderMap) {
        drop(self.unread(body, headers));
    }

    fn unread(&self, body: Incoming, headers: &HeaderMap) -> Unread {
        Unread::new(body, headers, &self.tasks)
    }
}

impl BodyVerdict {
    pub(crate) fn problem(&self) -> Option<ProblemType> {
        match self.0.as_ref()?.load(Relaxed) {
            TOO_LARGE => Some(ProblemType::PayloadTooLarge),
            TOO_SLOW => Some(ProblemType::RequestTimeout),
            BROKEN => Some(ProblemType::InvalidRequest),
            _ => None,
        }
    }
}

impl RequestBody {
    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let since = match self.kind {
            BodyKind::Whole => self.began,
            BodyKind::Lines => Instant::now(),
        };
        let deadline = tokio::time::Instant::from_std(since + self.patience);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(cx).is_ready()
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if polled.is_pending() && self.is_too_slow(cx) {
            self.verdict.store(TOO_SLOW, Relaxed);
            return Poll::Ready(Some(Err(Refused::TooSlow.into())));
        }
        let Some(frame) = ready!(polled) else {
            return Poll::Ready(None);
        };
        let frame = frame.inspect_err(|_| self.verdict.store(BROKEN, Relaxed))?;
        if self.kind == BodyKind::Lines {
            self.timer = None;
        }
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => {
                self.verdict.store(TOO_LARGE, Relaxed);
                return Poll::Ready(Some(Err(Refused::TooLarge.into())));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

//! Bodies of requests that are answered before they are read to their end.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, header::EXPECT};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use pasar_feed::tasks::Tasks;

/// A body that may be dropped before its end. The client is then still sending, and closing on it would
/// take away the answer before it is read: the rest is read and thrown away, if it is not too much.
pub struct Unread {
    /// Absent only while it is dropped.
    body: Option<Incoming>,
    /// Not where the client waits to be told to send.
    lingers: Option<Tasks>,
}

/// What is read of a body that nobody wants, and for how long.
const LINGER_BYTES: u64 = 4 * 1024 * 1024;
const LINGER: Duration = Duration::from_secs(2);

impl Unread {
    #[must_use]
    pub fn new(body: Incoming, headers: &HeaderMap, tasks: &Tasks) -> Self {
        let lingers = !headers.contains_key(EXPECT) && !body.is_end_stream();
        Self {
            body: Some(body),
            lingers: lingers.then(|| tasks.clone()),
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let (Some(body), Some(tasks)) = (self.body.take(), self.lingers.take()) else {
            return;
        };
        if body.is_end_stream() {
            return;
        }
        tasks.spawn("unread body", async move {
            let _ = tokio::time::timeout(LINGER, discard(body)).await;
        });
    }
}

async fn discard(mut body: Incoming) {
    let mut left = LINGER_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

impl Body for Unread {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            // There is no rest.
            self.lingers = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

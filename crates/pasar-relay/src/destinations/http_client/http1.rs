//! One HTTP/1.1 connection: one request at a time. Whoever waits for the answer also moves the bytes, so a
//! delivery costs no task and no hand-over between tasks.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Body as _, Frame, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;

use super::{MAX_ANSWER_BYTES, stream::Stream};

pub(super) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Gone once the connection has ended.
    driver: Option<Driver>,
    heard: Arc<AtomicBool>,
}

type Driver = Pin<Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>>;

impl Http1 {
    pub(super) async fn open(stream: Stream) -> Result<Self, hyper::Error> {
        let heard = stream.heard();
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(MAX_ANSWER_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        Ok(Self {
            sender,
            driver: Some(Box::pin(driver)),
            heard,
        })
    }

    /// Whether it can be asked: it is open, as far as is known here, and done with what was before.
    pub(super) async fn ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            if self.driver.is_none() {
                return Poll::Ready(false);
            }
            self.sender.poll_ready(cx).map(|ready| ready.is_ok())
        })
        .await
    }

    pub(super) async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.heard.store(false, Ordering::Relaxed);
        let mut answer = pin!(self.sender.send_request(request));
        poll_fn(|cx| {
            drive(&mut self.driver, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// The next piece of an answer's body.
    pub(super) async fn frame(
        &mut self,
        incoming: &mut Incoming,
    ) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        poll_fn(|cx| {
            self.drive(cx);
            Pin::new(&mut *incoming).poll_frame(cx)
        })
        .await
    }

    /// Lets it finish; whether it stays open for another request.
    pub(super) async fn settle(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            Poll::Ready(self.driver.is_some())
        })
        .await
    }

    /// Whether bytes came since it was last asked.
    pub(super) fn heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, cx);
    }
}

fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    // What went wrong is told to who waits for the answer.
    if driver
        .as_mut()
        .is_some_and(|driver| driver.as_mut().poll(cx).is_ready())
    {
        *driver = None;
    }
}

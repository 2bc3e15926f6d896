//! HTTP/1.1 connections to an instance. A request drives its connection itself: there is no task between the
//! client's connection and the service's, and so no wake-up across threads.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, header::HOST};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;

use super::{
    Tried,
    idle::Keep,
    instance::{InFlight, Instance},
    instance_io::InstanceIo,
};

type Driver = http1::Connection<TokioIo<InstanceIo>, Body>;

/// A connection, and what drives it; that is gone once the connection has ended.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    driver: Option<Pin<Box<Driver>>>,
}

/// The body of an answer, with the connection that it comes by.
struct Answer {
    body: Incoming,
    connection: Option<Connection>,
    ended: bool,
    in_flight: InFlight,
}

impl Keep for Connection {
    fn is_alive(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.is_idle()
    }
}

impl Connection {
    async fn open(instance: &Instance, within: Duration) -> std::io::Result<Self> {
        let stream = instance.connect(within).await?;
        let shaken = http1::handshake(TokioIo::new(InstanceIo::new(stream))).await;
        let (sender, driver) = shaken.map_err(std::io::Error::other)?;
        let mut connection = Self {
            sender,
            driver: Some(Box::pin(driver)),
        };
        std::future::poll_fn(|cx| {
            connection.drive(cx);
            connection.sender.poll_ready(cx)
        })
        .await
        .map_err(std::io::Error::other)?;
        Ok(connection)
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(cx).is_ready()
        {
            self.driver = None;
        }
    }

    fn is_idle(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    async fn send(&mut self, request: Request<Body>) -> Result<http::Response<Incoming>, Tried> {
        let sent = self.sender.try_send_request(request);
        tokio::pin!(sent);
        let answered = std::future::poll_fn(|cx| {
            // First what is to be said, then what is heard; then again, as each wakes the other.
            self.drive(cx);
            if let Poll::Ready(answered) = sent.as_mut().poll(cx) {
                return Poll::Ready(answered);
            }
            self.drive(cx);
            sent.as_mut().poll(cx)
        })
        .await;
        answered.map_err(|mut error| match error.take_message() {
            Some(whole) => Tried::NotBegun(whole),
            None if error.error().is_user() => Tried::Unsendable,
            None => Tried::Broken,
        })
    }
}

/// One try at an instance.
pub(super) async fn call(
    connect_timeout: Duration,
    instance: &Instance,
    in_flight: InFlight,
    mut request: Request<Body>,
) -> Tried {
    request.headers_mut().insert(HOST, instance.host.clone());
    loop {
        let (mut connection, is_new) = match instance.idle.take() {
            Some(connection) => (connection, false),
            None => match Connection::open(instance, connect_timeout).await {
                Ok(connection) => (connection, true),
                Err(error) => {
                    tracing::debug!(instance = instance.url(), %error, "an instance cannot be reached");
                    return Tried::NotBegun(request);
                }
            },
        };
        match connection.send(request).await {
            Ok(response) => {
                return Tried::Answered(response.map(|body| {
                    Body::new(Answer {
                        body,
                        connection: Some(connection),
                        ended: false,
                        in_flight,
                    })
                }));
            }
            // Nothing of it was written: it goes by another connection.
            Err(Tried::NotBegun(whole)) if !is_new => request = whole,
            Err(tried) => return tried,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let mut frame = Pin::new(&mut this.body).poll_frame(cx);
        if frame.is_pending() {
            if let Some(connection) = &mut this.connection {
                connection.drive(cx);
            }
            frame = Pin::new(&mut this.body).poll_frame(cx);
        }
        this.ended = matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose answer was read to its end is used again; any other is closed, by which the instance
/// knows that nobody wants the rest.
impl Drop for Answer {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if !self.ended && !self.body.is_end_stream() {
            return;
        }
        if connection.is_alive() {
            self.in_flight.instance().idle.put(connection);
        }
    }
}

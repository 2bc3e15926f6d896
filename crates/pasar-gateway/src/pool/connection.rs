//! HTTP/1.1 connections to an instance. A request drives its connection itself: there is no task between the
//! client's connection and the service's, and so no wake-up across threads.
//!
//! Idle ones lie in as many drawers as there are threads, each thread using its own.

use std::{
    future::Future as _,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
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
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::{
    Tried,
    instance::{InFlight, Instance},
};

type Driver = http1::Connection<TokioIo<TcpStream>, Body>;

/// A connection, and what drives it; that is gone once the connection has ended.
struct Connection {
    sender: SendRequest<Body>,
    driver: Option<Pin<Box<Driver>>>,
}

/// Connections that nothing is asked on.
pub(super) struct Idle {
    drawers: Box<[Drawer]>,
    keep: Duration,
    most: usize,
}

/// Since when each lies there; the one that was used last is at the end.
type Drawer = Mutex<Vec<(Instant, Connection)>>;

/// The body of an answer, with the connection that it comes by.
struct Answer {
    body: Incoming,
    connection: Option<Connection>,
    ended: bool,
    in_flight: InFlight,
}

const DRAWERS: usize = 16;

thread_local! {
    static DRAWER: usize = next_drawer();
}

fn next_drawer() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Relaxed) % DRAWERS
}

impl Idle {
    /// Keeps a connection for so long, and at most so many for each thread.
    pub(super) fn new(keep: Duration, most: usize) -> Self {
        Self {
            drawers: (0..DRAWERS).map(|_| Mutex::default()).collect(),
            keep,
            most,
        }
    }

    pub(super) fn clear(&self) {
        for drawer in &self.drawers {
            drawer.lock().clear();
        }
    }

    fn drawer(&self) -> &Drawer {
        &self.drawers[DRAWER.with(|drawer| *drawer)]
    }

    /// The one that was used last, if it still lives.
    fn take(&self) -> Option<Connection> {
        loop {
            let (since, mut connection) = self.drawer().lock().pop()?;
            if since.elapsed() > self.keep {
                // All others are older still.
                self.drawer().lock().clear();
                return None;
            }
            // What happened while nobody looked: the other end may have closed it.
            connection.drive(&mut Context::from_waker(Waker::noop()));
            if connection.is_idle() {
                return Some(connection);
            }
        }
    }

    fn put(&self, connection: Connection) {
        let mut drawer = self.drawer().lock();
        if drawer.len() < self.most {
            drawer.push((Instant::now(), connection));
        }
    }
}

impl Connection {
    async fn open(instance: &Instance, within: Duration) -> std::io::Result<Self> {
        let stream = instance.connect(within).await?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
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
        connection.drive(&mut Context::from_waker(Waker::noop()));
        if connection.is_idle() {
            self.in_flight.instance().idle.put(connection);
        }
    }
}

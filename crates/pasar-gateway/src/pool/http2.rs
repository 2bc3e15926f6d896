//! HTTP/2 connections to an instance, without TLS and by prior knowledge: for gRPC, which speaks nothing else.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Uri, uri::Scheme};
use http_body::{Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use pasar_chassis::grpc::{Code, trailers};
use pasar_feed::tasks::Tasks;

use super::{
    Tried,
    instance::{InFlight, Instance},
};

/// The connections to an instance, each with many requests on it.
#[derive(Default)]
pub(super) struct Multiplexed(Mutex<Vec<Shared>>);

#[derive(Clone)]
struct Shared {
    sender: SendRequest<Body>,
    streams: Arc<AtomicUsize>,
}

/// Takes part in a connection as long as it lives.
struct Stream(Arc<AtomicUsize>);

/// An answer whose end is told by trailers, also where the connection broke: gRPC has no other.
struct Answer {
    body: Incoming,
    _stream: Stream,
    _in_flight: InFlight,
}

/// Below what services allow (200), so that nothing waits behind streams that never end.
const STREAMS: usize = 100;
const PING: Duration = Duration::from_secs(20);
const BROKE_OFF: &str = "the service ended the connection: call again";

impl Multiplexed {
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }

    fn take(&self) -> Option<(SendRequest<Body>, Stream)> {
        let mut shared = self.0.lock();
        shared.retain(|shared| !shared.sender.is_closed());
        let free = shared
            .iter()
            .find(|shared| shared.streams.load(Relaxed) < STREAMS)?;
        Some((free.sender.clone(), Stream::begin(&free.streams)))
    }

    async fn open(
        &self,
        tasks: &Tasks,
        instance: &Instance,
        within: Duration,
    ) -> std::io::Result<(SendRequest<Body>, Stream)> {
        let stream = instance.connect(within).await?;
        let shaken = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, driver) = shaken.map_err(std::io::Error::other)?;
        // Ends once nobody holds a sender and the last stream has ended.
        tasks.spawn("http2 to an instance", async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to an instance ended");
            }
        });
        let streams = Arc::new(AtomicUsize::new(0));
        let stream = Stream::begin(&streams);
        self.0.lock().push(Shared {
            sender: sender.clone(),
            streams,
        });
        Ok((sender, stream))
    }
}

impl Stream {
    fn begin(streams: &Arc<AtomicUsize>) -> Self {
        streams.fetch_add(1, Relaxed);
        Self(Arc::clone(streams))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// One try at an instance.
pub(super) async fn call(
    tasks: &Tasks,
    connect_timeout: Duration,
    instance: &Instance,
    in_flight: InFlight,
    mut request: Request<Body>,
) -> Tried {
    let taken = match instance.multiplexed.take() {
        Some(taken) => taken,
        None => {
            let opened = instance.multiplexed.open(tasks, instance, connect_timeout);
            match opened.await {
                Ok(opened) => opened,
                Err(error) => {
                    tracing::debug!(instance = instance.url(), %error, "an instance cannot be reached");
                    return Tried::NotBegun(request);
                }
            }
        }
    };
    let (mut sender, stream) = taken;
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(instance.authority.clone());
    if let Ok(uri) = Uri::from_parts(uri) {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = http::Version::HTTP_2;
    if sender.ready().await.is_err() {
        return Tried::NotBegun(request);
    }
    match sender.try_send_request(request).await {
        Ok(response) => Tried::Answered(response.map(|body| {
            Body::new(Answer {
                body,
                _stream: stream,
                _in_flight: in_flight,
            })
        })),
        Err(mut error) => match error.take_message() {
            Some(whole) => Tried::NotBegun(whole),
            None if error.error().is_user() => Tried::Unsendable,
            None => Tried::Broken,
        },
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(frame.or_else(|error| {
            tracing::debug!(%error, "a stream of an instance broke off");
            Ok(Frame::trailers(trailers(
                Code::Unavailable,
                Some(BROKE_OFF),
            )))
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

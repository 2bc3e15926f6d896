//! The other end of an HTTP call, as a real server on a port of its own: a webhook's receiver, a
//! merchant's payment provider. It can answer late, wrongly, or hang up.

use std::{
    collections::VecDeque, convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::probe::soon;

/// A running server. It ends when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    /// With the query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What a request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    Json(StatusCode, Value),
    /// The answer, later.
    After(Duration, Box<Reply>),
    /// The connection is closed without an answer.
    HangUp,
    /// The connection stays open without an answer.
    Never,
}

type Answering = dyn Fn(&Received) -> Reply + Send + Sync;

struct Shared {
    answering: Box<Answering>,
    /// Answers that come before what `answering` says, one each.
    next: Mutex<VecDeque<Reply>>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    /// Answers each request by a function.
    ///
    /// # Panics
    /// If there is no port.
    pub async fn start(answering: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        Self::start_on(listener, answering)
    }

    /// The same on a port that was bound before.
    ///
    /// # Panics
    /// If the listener is none.
    pub fn start_on(
        listener: TcpListener,
        answering: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("a bound port has an address");
        let shared = Arc::new(Shared {
            answering: Box::new(answering),
            next: Mutex::default(),
            received: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            task,
        }
    }

    /// Answers every request with 200 and `{}`.
    pub async fn ok() -> Self {
        Self::start(|_| Reply::ok()).await
    }

    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers one request, the next that has no such answer yet, in another way.
    pub fn answer_next(&self, reply: Reply) {
        self.shared.next.lock().push_back(reply);
    }

    /// What came so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    /// Waits until so many requests have come.
    ///
    /// # Panics
    /// If they do not come in time.
    pub async fn wait_for(&self, requests: usize) -> Vec<Received> {
        let mut count = self.shared.count.subscribe();
        let came = count.wait_for(|count| *count >= requests);
        let _ = soon(&format!("request {requests}"), came).await;
        self.received()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reply {
    #[must_use]
    pub fn ok() -> Self {
        Self::json(200, serde_json::json!({}))
    }

    /// # Panics
    /// If there is no such status.
    #[must_use]
    pub fn json(status: u16, body: Value) -> Self {
        Self::Json(StatusCode::from_u16(status).expect("a status"), body)
    }

    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self::After(wait, Box::new(self))
    }
}

impl Received {
    /// # Panics
    /// If the body is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A hang-up is an error of the connection, as it should be.
        connections.spawn(async move { drop(connection.await) });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let received = Received {
        method: parts.method,
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: body.collect().await.map_err(io::Error::other)?.to_bytes(),
    };
    let prepared = shared.next.lock().pop_front();
    let mut reply = prepared.unwrap_or_else(|| (shared.answering)(&received));
    shared.received.lock().push(received);
    shared.count.send_modify(|count| *count += 1);
    loop {
        reply = match reply {
            Reply::Json(status, body) => return Ok(json(status, &body)),
            Reply::HangUp => return Err(io::Error::other("the test hangs up")),
            Reply::Never => match std::future::pending::<Infallible>().await {},
            Reply::After(wait, reply) => {
                tokio::time::sleep(wait).await;
                *reply
            }
        };
    }
}

fn json(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

//! A service that says what reached it, and misbehaves when asked to.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, UPGRADE},
};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use pasar_chassis::{
    cause::RequestCause,
    grpc,
    handover::{HandsOver, Socket, TakesOver},
    identity::{ClientAddress, Identity},
    problem::with_fallbacks,
    service::Running,
};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    sync::{Notify, broadcast},
};
use utoipa::openapi::{
    Content, HttpMethod, path::OperationBuilder, request_body::RequestBodyBuilder,
};

use super::users::document;

pub(crate) struct FakeOrders {
    /// Method and path of each request, in the order they came.
    pub(crate) seen: Mutex<Vec<String>>,
    /// Streams that are open.
    pub(crate) streams: AtomicUsize,
    /// What streams send.
    pub(crate) ticks: broadcast::Sender<String>,
    pub(crate) release: Notify,
}

impl Default for FakeOrders {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            streams: AtomicUsize::new(0),
            ticks: broadcast::Sender::new(16),
            release: Notify::new(),
        }
    }
}

impl FakeOrders {
    pub(crate) fn open_streams(&self) -> usize {
        self.streams.load(SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

/// Counts a stream while it is open.
struct Open(Arc<FakeOrders>);

impl Open {
    fn new(orders: &Arc<FakeOrders>) -> Self {
        orders.streams.fetch_add(1, SeqCst);
        Self(Arc::clone(orders))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, SeqCst);
    }
}

type Orders = State<Arc<FakeOrders>>;

pub(crate) fn running(orders: Arc<FakeOrders>) -> Running {
    let router = Router::new()
        .route("/v1/orders", get(list).post(place))
        .route("/v1/orders/lines", post(place))
        .route("/v1/orders/echo", get(echo).post(echo))
        .route("/v1/orders/stream", get(ticks))
        .route("/v1/orders/flood", get(flood))
        .route("/test.v1.Orders/Ticks", post(grpc_ticks))
        .route("/test.v1.Orders/Held", post(held))
        .route("/v1/orders/taken", get(taken).post(taken))
        .route("/v1/orders/held", get(held))
        .route("/v1/orders/panic", get(panics))
        .route("/v1/orders/long", get(long))
        .route(
            "/v1/orders/teapot",
            get(async || (StatusCode::IM_A_TEAPOT, "no")),
        )
        .route(
            "/v1/orders/broken",
            get(async || (StatusCode::BAD_GATEWAY, "trace: secret")),
        )
        .route("/v1/watch/{token}", get(list))
        .route("/internal/v1/orders", post(async || "secret"))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&orders),
            note,
        ))
        .with_state(orders);
    let mut openapi = document(
        "orders",
        &["/v1/orders", "/v1/watch/{token}", "/internal/v1/orders"],
    );
    openapi.paths.add_path_operation(
        "/v1/orders/lines",
        vec![HttpMethod::Post],
        OperationBuilder::new()
            .operation_id(Some("sendLines"))
            .tag("orders")
            .request_body(Some(
                RequestBodyBuilder::new()
                    .content("application/x-ndjson", Content::default())
                    .build(),
            ))
            .build(),
    );
    Running {
        router: with_fallbacks(router),
        openapi,
        grpc: &["test.v1.Orders"],
    }
}

async fn note(State(orders): Orders, request: Request, next: axum::middleware::Next) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    orders.seen.lock().push(line);
    next.run(request).await
}

async fn list() -> Json<Value> {
    Json(json!({ "items": [] }))
}

/// Reads its body whole, as any service does.
async fn place(request: Request) -> Response {
    match request.into_body().collect().await {
        Ok(body) => Json(json!({ "bytes": body.to_bytes().len() })).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// What the service knows of a request.
async fn echo(
    headers: HeaderMap,
    identity: Identity,
    RequestCause(cause): RequestCause,
    ClientAddress(address): ClientAddress,
) -> Json<Value> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
        .collect();
    Json(json!({
        "headers": headers,
        "actor": identity.actor.to_string(),
        "roles": identity.roles,
        "scopes": identity.scopes,
        "session": identity.session,
        "flow": cause.flow,
        "traceparent": cause.traceparent,
        "address": address,
    }))
}

async fn ticks(State(orders): Orders) -> impl IntoResponse {
    let state = (orders.ticks.subscribe(), Open::new(&orders));
    let events = stream::unfold(state, |(mut ticks, open)| async move {
        let tick = ticks.recv().await.ok()?;
        Some((tick, (ticks, open)))
    });
    let hello = stream::iter(["hello".to_owned()]);
    Sse::new(
        hello
            .chain(events)
            .map(|text| Ok::<_, Infallible>(Event::default().data(text))),
    )
}

/// The ticks again, on the client's socket if it can be had. A WebSocket only by its first answer.
async fn taken(
    State(orders): Orders,
    HandsOver(hands_over): HandsOver,
    headers: HeaderMap,
) -> Response {
    if !hands_over {
        return "not handed over".into_response();
    }
    let (mut ticks, open) = (orders.ticks.subscribe(), Open::new(&orders));
    let mut ticking = async move |mut socket: Socket| {
        while let Ok(tick) = ticks.recv().await {
            socket.write_all(tick.as_bytes()).await.unwrap();
            socket.flush().await.unwrap();
        }
    };
    let takes_over = TakesOver::new(async move |socket, ended| {
        let _open = open;
        tokio::select! {
            () = ended => {}
            () = ticking(socket) => {}
        }
    });
    let mut response = match headers.get(UPGRADE) {
        Some(protocol) => (
            StatusCode::SWITCHING_PROTOCOLS,
            [
                (UPGRADE, protocol.clone()),
                (CONNECTION, HeaderValue::from_static("upgrade")),
            ],
        )
            .into_response(),
        None => ().into_response(),
    };
    response.extensions_mut().insert(takes_over);
    response
}

/// The ticks as gRPC messages; `end` ends them.
async fn grpc_ticks(State(orders): Orders, headers: HeaderMap, body: Body) -> Response {
    if let Err(problem) = grpc::read(&headers, body, 100).await {
        return grpc::refusal(problem);
    }
    let state = (orders.ticks.subscribe(), Open::new(&orders));
    let messages = stream::unfold(state, |(mut ticks, open)| async move {
        let tick = ticks.recv().await.ok().filter(|tick| tick != "end")?;
        let mut message = grpc::prefix(tick.len()).to_vec();
        message.extend_from_slice(tick.as_bytes());
        Some((Bytes::from(message), (ticks, open)))
    });
    grpc::stream(messages)
}

/// More than anybody reads.
async fn flood(State(orders): Orders) -> Response {
    let open = Open::new(&orders);
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let endless = stream::repeat_with(move || {
        let _open = &open;
        Ok::<_, Infallible>(chunk.clone())
    });
    (
        [(CONTENT_TYPE, "application/octet-stream")],
        Body::from_stream(endless),
    )
        .into_response()
}

async fn held(State(orders): Orders) -> &'static str {
    let _open = Open::new(&orders);
    // A bound, so that a test that fails does not hang.
    let _ = tokio::time::timeout(Duration::from_secs(20), orders.release.notified()).await;
    "released"
}

async fn panics() -> &'static str {
    panic!("a planted panic");
}

async fn long() -> Response {
    (
        [(CONTENT_TYPE, "application/json")],
        format!("\"{}\"", "kopi ".repeat(2_000)),
    )
        .into_response()
}

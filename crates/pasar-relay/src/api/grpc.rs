//! The gRPC service `pasar.relay.v1.Relay`. Messages are taken by the same handler as over REST.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{
    HeaderMap, HeaderValue, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Limited};
use pasar_chassis::{
    grpc::{
        self,
        method::{Reply, methods},
    },
    identity::{ClientAddress, Identity},
    problem::Problem,
};
use pasar_contracts::{
    api::relay::{MAX_PATTERNS, MessageAccepted, Start},
    grpc::relay::{PublishReply, PublishRequest, SubscribeRequest},
    problem::ProblemType,
};
use prost::Message as _;
use serde_json::{json, value::RawValue};
use tower::ServiceExt;

use super::{
    Api,
    streams::{admit, type_patterns},
};
use crate::live::{
    events::{EventStream, Form},
    interest::Interest,
};

struct Calls {
    api: Arc<Api>,
    /// The routes of REST.
    rest: Router,
}

const MAX_SUBSCRIBE_BYTES: usize = 64 * 1024;
/// Of a message's data; what stands around it comes on top.
const ENVELOPE_BYTES: usize = 8 * 1024;
const MAX_ANSWER_BYTES: usize = 64 * 1024;

pub(super) fn routes(api: Arc<Api>, rest: Router) -> Router {
    let host = api.host.clone();
    let routes = Router::new()
        .route("/pasar.relay.v1.Relay/Publish", post(publish))
        .route("/pasar.relay.v1.Relay/Subscribe", post(subscribe))
        .with_state(Arc::new(Calls { api, rest }));
    methods(&host, routes)
}

async fn publish(State(calls): State<Arc<Calls>>, request: Request) -> Response {
    let request = match as_rest(&calls, request).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let Ok(response) = calls.rest.clone().oneshot(request).await;
    if !response.status().is_success() {
        return response;
    }
    match accepted(response).await {
        Some(MessageAccepted { id, .. }) => Reply(PublishReply { id }).into_response(),
        None => Problem::defect("a message was taken without an answer").into_response(),
    }
}

async fn as_rest(calls: &Calls, request: Request) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    let most = usize::try_from(calls.api.config.message_bytes).unwrap_or(usize::MAX);
    let bytes = grpc::read(&parts.headers, body, most.saturating_add(ENVELOPE_BYTES)).await?;
    let message = PublishRequest::decode(bytes).map_err(undecodable)?;
    let body = as_json(message)?;
    // Metadata of the call means nothing there.
    parts.headers = HeaderMap::new();
    let headers = &mut parts.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    parts.uri = Uri::from_static("/v1/messages");
    Ok(Request::from_parts(parts, Body::from(body)))
}

async fn accepted(response: Response) -> Option<MessageAccepted> {
    let answer = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
    serde_json::from_slice(&answer.await.ok()?.to_bytes()).ok()
}

/// The message as REST takes it. Empty fields are absent ones.
fn as_json(message: PublishRequest) -> Result<String, Problem> {
    let data = String::from_utf8(message.data)
        .ok()
        .and_then(|text| RawValue::from_string(text).ok())
        .ok_or_else(|| Problem::invalid_field("data", "expected JSON text"))?;
    let mut fields = vec![format!("\"data\":{data}")];
    for (name, value) in [
        ("topic", message.topic),
        ("type", message.r#type),
        ("key", message.key),
        ("id", message.id),
    ] {
        if !value.is_empty() {
            fields.push(format!("\"{name}\":{}", json!(value)));
        }
    }
    Ok(format!("{{{}}}", fields.join(",")))
}

async fn subscribe(
    State(calls): State<Arc<Calls>>,
    identity: Identity,
    address: ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let events = follow(&calls.api, &identity, address, &headers, body).await?;
    let tasks = &calls.api.host.tasks;
    Ok(grpc::stream_until_drain(tasks, events.into_stream(tasks)))
}

async fn follow(
    api: &Api,
    identity: &Identity,
    address: ClientAddress,
    headers: &HeaderMap,
    body: Body,
) -> Result<EventStream, Problem> {
    let bytes = grpc::read(headers, body, MAX_SUBSCRIBE_BYTES).await?;
    let wanted = SubscribeRequest::decode(bytes).map_err(undecodable)?;
    let start = match (wanted.position, wanted.earliest) {
        (None, false) => Start::Now,
        (None, true) => Start::Earliest,
        (Some(position), false) if position >= 0 => Start::Position(position),
        (Some(_), _) => {
            return Err(Problem::invalid_field(
                "position",
                "expected 0 or more, and not together with earliest",
            ));
        }
    };
    if !(1..=MAX_PATTERNS).contains(&wanted.topics.len()) {
        return Err(Problem::invalid_field(
            "topics",
            format!("expected 1 to {MAX_PATTERNS}"),
        ));
    }
    let topics = wanted.topics.iter();
    let topics: Result<Vec<_>, _> = topics
        .map(|topic| admit(api, identity, address, "topics", topic))
        .collect();
    let interest = Interest {
        topics: topics?,
        types: type_patterns(wanted.types.iter().map(String::as_str))?,
    };
    Ok(EventStream::new(
        &api.host,
        &api.live,
        interest,
        Form::Protobuf,
        start,
    )?)
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over errors")]
fn undecodable(error: prost::DecodeError) -> Problem {
    Problem::new(ProblemType::InvalidRequest)
        .detail(format!("the message is not the method's: {error}"))
}

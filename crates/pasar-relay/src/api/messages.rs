//! Taking messages.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::StatusCode;
use pasar_chassis::{
    cause::RequestCause,
    extract::Json,
    identity::{ClientAddress, Identity},
    openapi::{CommonProblems, ConflictProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::relay::{DEFAULT_TOPIC, DEFAULT_TYPE, MessageAccepted, MessageInput},
    problem::ProblemType,
};
use pasar_store::lane::{Class, LaneKey};
use pasar_types::time::Timestamp;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;
use crate::{
    access,
    commands::append_messages::{AppendMessages, Appended, NewMessage, append_messages},
    message::Message,
    topic,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(post_message))
        .routes(routes!(post_v1_message))
}

/// Send a message
///
/// Answers once it is durable.
#[utoipa::path(
    post, path = "/v1/messages", tag = "relay", operation_id = "sendMessageV1",
    request_body = MessageInput,
    responses(
        (status = 202, description = "It is durable and on its way.", body = MessageAccepted),
        CommonProblems, ConflictProblem,
    ),
)]
async fn post_v1_message(
    state: State<Arc<Api>>,
    identity: Identity,
    address: ClientAddress,
    cause: RequestCause,
    input: Json<MessageInput>,
) -> Result<Response, Problem> {
    post_message(state, identity, address, cause, input).await
}

/// Send a message
///
/// The same as `POST /v1/messages`.
#[utoipa::path(
    post, path = "/messages", tag = "relay", operation_id = "sendMessage",
    request_body = MessageInput,
    responses(
        (status = 202, description = "It is durable and on its way.", body = MessageAccepted),
        CommonProblems, ConflictProblem,
    ),
)]
async fn post_message(
    State(api): State<Arc<Api>>,
    identity: Identity,
    ClientAddress(address): ClientAddress,
    RequestCause(cause): RequestCause,
    Json(input): Json<MessageInput>,
) -> Result<Response, Problem> {
    let new = new_message(input, api.host.clock.now())?;
    let is_open = api.config.open_client_topic
        && *new.message.topic == *DEFAULT_TOPIC
        && address.is_some_and(|address| address.is_loopback());
    if !is_open {
        access::publish(&identity, &new.message.topic)?;
    }
    let lane = LaneKey::of(new.message.topic.as_bytes());
    let command = AppendMessages {
        messages: vec![new],
    };
    let mut appended = api
        .log
        .store()
        .write(lane, Class::New, cause, move |ctx| {
            append_messages(ctx, &command)
        })
        .await?;
    match appended.pop() {
        Some(Appended::New(message) | Appended::Before(message)) => {
            let accepted = MessageAccepted {
                message: "Message sent".to_owned(),
                id: message.id.to_string(),
            };
            Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
        }
        Some(Appended::IdReused) => Err(Problem::new(ProblemType::Conflict)
            .detail("the id stands for another message on this topic")),
        None => Err(Problem::defect("a message was appended without an outcome")),
    }
}

fn new_message(input: MessageInput, now: Timestamp) -> Result<NewMessage, Problem> {
    let topic = input.topic.unwrap_or_else(|| DEFAULT_TOPIC.to_owned());
    topic::check(&topic).map_err(|error| Problem::invalid_field("topic", error.to_string()))?;
    let data = match (input.text, input.data) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid_field(
                "text",
                "expected text or data, not both",
            ));
        }
        (Some(text), None) => serde_json::Value::String(text),
        (None, Some(data)) => data,
        (None, None) => return Err(Problem::invalid_field("data", "expected data, or text")),
    };
    let data = serde_json::to_vec(&data).map_err(|_| Problem::defect("data cannot be written"))?;
    Ok(NewMessage {
        has_id: input.id.is_some(),
        message: Message {
            position: 0,
            topic: topic.into(),
            id: input.id.unwrap_or_default().into(),
            message_type: input.message_type.as_deref().unwrap_or(DEFAULT_TYPE).into(),
            source: "/pasar/client".into(),
            subject: None,
            key: input.key.map(Into::into),
            time: now,
            accepted_at: now,
            flow: pasar_types::id::FlowId::from_bytes([0; 16]),
            causation: None,
            traceparent: None,
            actor: "".into(),
            origin: None,
            content_type: None,
            data: Bytes::from(data),
            extensions: None,
        },
    })
}

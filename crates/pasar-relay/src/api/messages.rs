//! Taking messages.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use pasar_chassis::{
    cause::RequestCause,
    extract::{BodyLimit, DEFAULT_BODY_LIMIT, Json, Query, read_body},
    identity::{ClientAddress, Identity},
    openapi::{CommonProblems, ConflictProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::relay::{
        Accepted, CloudEventInput, MessageAccepted, MessageInput, MessagesAccepted, SendQuery,
    },
    problem::ProblemType,
};
use pasar_store::lane::{Class, LaneKey};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, bulk, sender::Sender};
use crate::{
    commands::append_messages::{AppendMessages, Appended, Flows, NewMessage, append_messages},
    input::{Terms, binary, cloudevent, media_type::Form, plain},
};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(post_message))
        .routes(routes!(post_v1_message))
}

/// What a message is besides its data, in bytes.
const ENVELOPE_BYTES: usize = 32 * 1024;

/// Send messages
///
/// Answers once they are durable. As `application/json` or `application/cloudevents+json` one message; as
/// `application/cloudevents-batch+json` up to 1,000. With `ce-` headers (`ce-specversion`, `ce-id`, `ce-source`,
/// `ce-type`) the body is the data of one CloudEvent, whatever its content type. As `application/x-ndjson` each
/// line is a message in either JSON form, without end: the answer has a line for each, in their order and as they
/// become durable, with the id or the problem and the line's number.
///
/// The same id again on the same topic is the same message, and gets the same answer; with other content it is
/// refused (`message-id-reused`).
#[utoipa::path(
    post, path = "/v1/messages", tag = "relay", operation_id = "sendMessagesV1",
    params(SendQuery),
    request_body(content(
        (MessageInput = "application/json"),
        (CloudEventInput = "application/cloudevents+json"),
        (Vec<CloudEventInput> = "application/cloudevents-batch+json"),
        ("application/x-ndjson"),
    )),
    responses(
        (status = 202, description = "They are durable and on their way.", body = Accepted),
        (status = 200, description = "A line for each line of the request.", body = String,
         content_type = "application/x-ndjson"),
        CommonProblems, ConflictProblem,
    ),
)]
async fn post_v1_message(
    state: State<Arc<Api>>,
    identity: Identity,
    address: ClientAddress,
    cause: RequestCause,
    query: Query<SendQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post_message(state, identity, address, cause, query, request).await
}

/// Send messages
///
/// The same as `POST /v1/messages`.
#[utoipa::path(
    post, path = "/messages", tag = "relay", operation_id = "sendMessages",
    params(SendQuery),
    request_body(content(
        (MessageInput = "application/json"),
        (CloudEventInput = "application/cloudevents+json"),
        (Vec<CloudEventInput> = "application/cloudevents-batch+json"),
        ("application/x-ndjson"),
    )),
    responses(
        (status = 202, description = "They are durable and on their way.", body = Accepted),
        (status = 200, description = "A line for each line of the request.", body = String,
         content_type = "application/x-ndjson"),
        CommonProblems, ConflictProblem,
    ),
)]
async fn post_message(
    State(api): State<Arc<Api>>,
    identity: Identity,
    ClientAddress(address): ClientAddress,
    RequestCause(cause): RequestCause,
    Query(query): Query<SendQuery>,
    mut request: Request,
) -> Result<Response, Problem> {
    let form = Form::of(request.headers());
    let mut sender = Sender::admit(&api, identity, address, cause)?;
    let form = form?;
    let data_bytes = api.data_bytes();
    let limit = match form {
        Form::Lines => {
            let lines = bulk::Lines::new(api, sender, query.topic);
            return lines.answer(request.into_body()).await;
        }
        Form::Plain | Form::Structured => line_bytes(data_bytes),
        Form::Batch => line_bytes(data_bytes).max(DEFAULT_BODY_LIMIT.0),
        Form::Binary => data_bytes,
    };
    request.extensions_mut().insert(BodyLimit(limit));
    let headers = (form == Form::Binary).then(|| request.headers().clone());
    let body = read_body(request).await?;
    let terms = Terms {
        now: api.host.clock.now(),
        data_bytes,
        topic: query.topic.as_deref(),
    };
    let messages = match (form, headers) {
        (Form::Batch, _) => cloudevent::read_batch(&body, terms)?,
        (Form::Structured, _) => vec![cloudevent::read(&body, terms)?],
        (_, Some(headers)) => vec![binary::read(&headers, &body, terms)?],
        (Form::Plain | Form::Binary | Form::Lines, None) => vec![plain::read(&body, terms)?],
    };
    for new in &messages {
        sender.check(&new.message.topic)?;
    }
    let accepted = append(&api, sender, messages, form == Form::Batch).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// The most bytes that a message in JSON, or a line with one, may have: base64 makes four bytes of three.
pub(super) const fn line_bytes(data_bytes: usize) -> usize {
    data_bytes.saturating_mul(4) / 3 + ENVELOPE_BYTES
}

async fn append(
    api: &Api,
    sender: Sender,
    messages: Vec<NewMessage>,
    is_batch: bool,
) -> Result<Accepted, Problem> {
    let lane = lane_of(&messages);
    let weight = messages.len();
    let flows = if is_batch {
        Flows::OneEach
    } else {
        Flows::OfTheRequest
    };
    let mut command = AppendMessages { messages, flows };
    let store = api.log.store();
    let appended = store
        .write_weighing(weight, lane, Class::New, sender.cause, move |ctx| {
            append_messages(ctx, &mut command)
        })
        .await?;
    let mut ids = Vec::with_capacity(appended.len());
    let mut reused = Vec::new();
    for (index, appended) in appended.iter().enumerate() {
        match appended {
            Appended::New(message) | Appended::Before(message) => ids.push(message.id.to_string()),
            Appended::IdReused => reused.push(index),
        }
    }
    if !reused.is_empty() {
        return Err(id_reused(is_batch.then_some(reused)));
    }
    match ids.pop() {
        Some(id) if !is_batch => Ok(Accepted::One(MessageAccepted {
            message: "Message sent".to_owned(),
            id,
        })),
        Some(id) => {
            ids.push(id);
            Ok(Accepted::Many(MessagesAccepted {
                message: "Messages sent".to_owned(),
                ids,
            }))
        }
        None => Err(Problem::defect("a message was appended without an outcome")),
    }
}

pub(super) fn id_reused(indexes: Option<Vec<usize>>) -> Problem {
    let problem = Problem::new(ProblemType::MessageIdReused);
    match indexes {
        None => problem.detail(
            "the id stands for another message on this topic; send new content under a new id",
        ),
        Some(indexes) => problem
            .detail(
                "the ids of the events at `indexes` stand for other messages on their topic; all others are \
                 sent",
            )
            .with("indexes", indexes),
    }
}

/// Messages of several topics are written from the lane of the first: what orders them is the log itself.
pub(super) fn lane_of(messages: &[NewMessage]) -> LaneKey {
    messages.first().map_or(LaneKey::ZERO, |new| {
        LaneKey::of(new.message.topic.as_bytes())
    })
}

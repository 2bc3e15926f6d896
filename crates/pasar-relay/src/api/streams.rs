//! Topics as server-sent events.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use pasar_chassis::{
    extract::{LastEventId, Path, Query},
    handover::{HandsOver, TakesOver},
    identity::{ClientAddress, Identity},
    openapi::CommonProblems,
    problem::Problem,
};
use pasar_contracts::api::relay::{DEFAULT_TOPIC, Format, MAX_PATTERNS, Start, StreamQuery};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;
use crate::{
    access::{self, Reading},
    live::{
        direct,
        events::{EventStream, Form},
        interest::Interest,
    },
    topic::Pattern,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(stream_topic))
}

/// Follow a topic
///
/// Server-sent events: the id is the message's position in the log, the event its type. A client that comes
/// back with `Last-Event-ID` gets what it missed; where that is not kept any more, an event `gap` says so.
#[utoipa::path(
    get, path = "/v1/streams/{topic}", tag = "relay", operation_id = "streamTopic",
    params(
        ("topic" = String, Path, description = "A topic (`client`), what lies below one (`orders.*`), or all (`*`).", example = "client"),
        ("Last-Event-ID" = Option<i64>, Header, description = "The position of the last event that was seen; goes before `start`."),
        StreamQuery,
    ),
    responses(
        (status = 200, description = "Events, as they come.", content_type = "text/event-stream", body = String),
        CommonProblems,
    ),
)]
async fn stream_topic(
    State(api): State<Arc<Api>>,
    identity: Identity,
    address: ClientAddress,
    HandsOver(hands_over): HandsOver,
    Path(topic): Path<String>,
    LastEventId(last): LastEventId,
    Query(query): Query<StreamQuery>,
) -> Result<Response, Problem> {
    let interest = Interest {
        topics: vec![admit(&api, &identity, address, "topic", &topic)?],
        types: types(query.types.as_deref().unwrap_or_default())?,
    };
    let start = match last.or(query.last_event_id) {
        Some(position) => Start::Position(position),
        None => start(query.start.as_deref())?,
    };
    let format = query.format.unwrap_or(Format::Cloudevents);
    let events = EventStream::new(&api.host, &api.live, interest, Form::Sse(format), start)?;
    Ok(respond(&api, events, hands_over))
}

/// The pattern, and how much of it the caller may read.
pub(super) fn admit(
    api: &Api,
    identity: &Identity,
    ClientAddress(address): ClientAddress,
    field: &str,
    topic: &str,
) -> Result<(Pattern, Reading), Problem> {
    let pattern = Pattern::parse(topic)
        .map_err(|error| Problem::invalid_field(field.to_owned(), error.to_string()))?;
    let is_open = api.config.open_client_topic
        && pattern == Pattern::Exactly(DEFAULT_TOPIC.into())
        && address.is_some_and(|address| address.is_loopback());
    let reading = if is_open {
        Reading::All
    } else {
        access::subscribe(identity, &pattern)?
    };
    Ok((pattern, reading))
}

fn types(list: &str) -> Result<Vec<Pattern>, Problem> {
    let names = list.split(',').map(str::trim);
    type_patterns(names.filter(|name| !name.is_empty()))
}

pub(super) fn type_patterns<'n>(
    names: impl Iterator<Item = &'n str>,
) -> Result<Vec<Pattern>, Problem> {
    let types: Result<Vec<_>, _> = names.map(Pattern::parse).collect();
    let types = types.map_err(|error| Problem::invalid_field("types", error.to_string()))?;
    if types.len() > MAX_PATTERNS {
        return Err(Problem::invalid_field(
            "types",
            format!("expected {MAX_PATTERNS} at most"),
        ));
    }
    Ok(types)
}

fn start(text: Option<&str>) -> Result<Start, Problem> {
    match text {
        None | Some("now") => Ok(Start::Now),
        Some("earliest") => Ok(Start::Earliest),
        Some(position) => match position.parse() {
            Ok(position) if position >= 0 => Ok(Start::Position(position)),
            Ok(_) | Err(_) => Err(Problem::invalid_field(
                "start",
                "expected now, earliest or the position of a message",
            )),
        },
    }
}

/// On the client's socket if it can be had, which is cheaper; as a body otherwise.
fn respond(api: &Api, events: EventStream, hands_over: bool) -> Response {
    let mut response = if hands_over {
        let tasks = api.host.tasks.clone();
        let mut response = ().into_response();
        let takes_over = TakesOver::new(|socket, ended| direct::run(events, socket, ended, tasks));
        response.extensions_mut().insert(takes_over);
        response
    } else {
        let frames = events.into_stream(&api.host.tasks).map(Ok::<_, Infallible>);
        Body::from_stream(frames).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies such as nginx would hold events back otherwise.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

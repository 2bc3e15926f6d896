//! The log to look at: messages as they stand in it, for whoever may subscribe to them.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header::CONTENT_TYPE};
use pasar_chassis::{
    extract::{Path, Query},
    identity::Identity,
    openapi::{CommonProblems, NotFoundProblem},
    page::{self, Cursor},
    problem::Problem,
};
use pasar_contracts::{
    api::{
        page::{Page, PageQuery},
        relay::{CloudEvent, MessagesQuery},
    },
    problem::ProblemType,
};
use serde_json::value::RawValue;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;
use crate::{
    access::{self, Reading},
    format,
    input::media_type,
    message::Message,
    tables::messages,
    topic::{self, Pattern},
};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_messages))
        .routes(routes!(get_message))
}

/// Positions that one page looks at, whether they match or not.
const MOST_LOOKED_AT: i64 = 5_000;

/// List messages
///
/// Oldest first, as CloudEvents. A page looks at 5,000 messages at most, so that one that matches little may hold
/// few or none and still have a next.
#[utoipa::path(
    get, path = "/v1/messages", tag = "relay", operation_id = "listMessages",
    params(MessagesQuery),
    responses((status = 200, description = "A page of the log.", body = Page<CloudEvent>), CommonProblems),
)]
async fn list_messages(
    State(api): State<Arc<Api>>,
    identity: Identity,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<MessagesQuery>,
) -> Result<Response, Problem> {
    let topics = pattern("topic", query.topic.as_deref())?;
    let types = pattern("type", query.message_type.as_deref())?;
    admit(&identity, &topics)?;
    let paging = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let limit = page::limit(&paging)?;
    let after = page::after::<i64>(&paging)?.or(query.after).unwrap_or(0);
    if after < 0 {
        return Err(Problem::invalid_field("after", "expected 0 or more"));
    }
    let key = query.key;
    let store = api.log.store();
    let (found, reached) = store
        .read(move |tx| {
            let ends = messages::ends(tx)?;
            let after = after.max(ends.first - 1);
            let upto = after.saturating_add(MOST_LOOKED_AT).min(ends.head);
            let (mut found, mut reached) = (Vec::new(), after);
            while found.len() < limit && reached < upto {
                let page = messages::between(tx, reached, upto, key.as_deref(), limit)?;
                reached = match page.last() {
                    Some(last) if page.len() == limit => last.position,
                    _ => upto,
                };
                for message in page {
                    let matches =
                        topics.matches(&message.topic) && types.matches(&message.message_type);
                    if matches && found.len() < limit {
                        found.push(message);
                    } else if matches {
                        // The next page begins behind the last that is shown.
                        reached = found
                            .last()
                            .map_or(reached, |last: &Arc<Message>| last.position);
                        break;
                    }
                }
            }
            Ok((found, (reached < ends.head).then_some(reached)))
        })
        .await?;
    let items = found
        .iter()
        .map(|message| raw(message))
        .collect::<Result<_, _>>()?;
    let next_cursor = reached.map(|position| Cursor::encode(&position));
    Ok(page::respond(Page { items, next_cursor }, &uri))
}

/// Show a message
#[utoipa::path(
    get, path = "/v1/messages/{topic}/{id}", tag = "relay", operation_id = "getMessage",
    params(
        ("topic" = String, Path, description = "The topic that it went to", example = "client"),
        ("id" = String, Path, description = "Its id", example = "msg_01h455vb4pex5vsknk084sn02q"),
    ),
    responses(
        (status = 200, description = "The message.", body = CloudEvent,
         content_type = "application/cloudevents+json"),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_message(
    State(api): State<Arc<Api>>,
    identity: Identity,
    Path((topic, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    topic::check(&topic).map_err(|error| Problem::invalid_field("topic", error.to_string()))?;
    admit(&identity, &Pattern::Exactly(topic.as_str().into()))?;
    let store = api.log.store();
    let found = store
        .read(move |tx| messages::by_id(tx, &topic, &id))
        .await?;
    let message = found.ok_or_else(|| {
        Problem::new(ProblemType::NotFound)
            .detail("there is no such message on this topic, or it is no longer kept")
    })?;
    let mut response = format::cloudevent(&message).into_response();
    let kind = HeaderValue::from_static(media_type::STRUCTURED);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

fn pattern(field: &str, text: Option<&str>) -> Result<Pattern, Problem> {
    text.map_or(Ok(Pattern::All), Pattern::parse)
        .map_err(|error| Problem::invalid_field(field, error.to_string()))
}

/// Customers read their own orders' messages as streams only.
fn admit(identity: &Identity, topics: &Pattern) -> Result<(), Problem> {
    match access::subscribe(identity, topics)? {
        Reading::All => Ok(()),
        Reading::OwnOrders(_) => Err(Problem::new(ProblemType::Forbidden)
            .detail("your own orders' messages are at /v1/streams/orders")),
    }
}

fn raw(message: &Message) -> Result<Box<RawValue>, Problem> {
    serde_json::from_slice(&format::cloudevent(message))
        .map_err(|_| Problem::defect("a message cannot be written as JSON"))
}

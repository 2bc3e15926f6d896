//! Messages that could not be delivered: listed, delivered again, or given up.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use pasar_chassis::{
    extract::{Json, Query},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem},
    page,
    problem::Problem,
};
use pasar_contracts::api::{
    page::{Page, PageQuery},
    relay::{
        DeadLetter, DeadLettersDiscarded, DeadLettersInput, DeadLettersQuery, ReplayAccepted,
        ReplayInput,
    },
};
use pasar_store::lane::Class;
use pasar_types::id::SubscriptionId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, actions,
    subscriber::{Subscriber, not_found},
};
use crate::{
    commands::{
        discard_dead_letters::{DiscardDeadLetters, Outcome, discard_dead_letters},
        replay_deliveries::{MAX_POSITIONS, ReplayDeliveries},
    },
    queries,
    subscription::lane,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_dead_letters))
        .routes(routes!(replay))
        .routes(routes!(discard))
}

/// List dead letters
///
/// Of one subscription, or of all your own; for admins of all.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "relay", operation_id = "listDeadLetters",
    params(DeadLettersQuery),
    responses((status = 200, description = "A page of dead letters.", body = Page<DeadLetter>), CommonProblems),
)]
async fn list_dead_letters(
    State(api): State<Arc<Api>>,
    subscriber: Subscriber,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<DeadLettersQuery>,
) -> Result<Response, Problem> {
    let paging = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let limit = page::limit(&paging)?;
    let first = (SubscriptionId::from_bytes([0; 16]), 0);
    let after = page::after(&paging)?.unwrap_or(first);
    let (subscription, owner) = (query.subscription, subscriber.owner);
    let found = api
        .log
        .store()
        .read(move |tx| {
            queries::dead_letters_after(tx, subscription, owner.as_deref(), after, limit + 1)
        })
        .await?;
    let page = page::cut(found, limit, |it| (it.subscription_id, it.position));
    Ok(page::respond(page, &uri))
}

/// Deliver dead letters again
#[utoipa::path(
    post, path = "/v1/dead-letters/replay", tag = "relay", operation_id = "replayDeadLetters",
    request_body = DeadLettersInput,
    responses(
        (status = 202, description = "They are under way.", body = ReplayAccepted),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
async fn replay(
    State(api): State<Arc<Api>>,
    subscriber: Subscriber,
    Json(input): Json<DeadLettersInput>,
) -> Result<Response, Problem> {
    let id = input.subscription;
    subscriber.find(&api, id).await?;
    let what = match input.positions {
        Some(positions) => ReplayInput::Positions(positions),
        None => ReplayInput::DeadLetters(true),
    };
    let accepted = actions::schedule(&api, subscriber, ReplayDeliveries { id, what }).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// Discard dead letters
///
/// They are not delivered any more; the messages stay in the log for as long as it keeps them.
#[utoipa::path(
    post, path = "/v1/dead-letters/discard", tag = "relay", operation_id = "discardDeadLetters",
    request_body = DeadLettersInput,
    responses(
        (status = 200, description = "How many were discarded.", body = DeadLettersDiscarded),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn discard(
    State(api): State<Arc<Api>>,
    subscriber: Subscriber,
    Json(input): Json<DeadLettersInput>,
) -> Result<Response, Problem> {
    let id = input.subscription;
    subscriber.find(&api, id).await?;
    if input
        .positions
        .as_ref()
        .is_some_and(|positions| positions.len() > MAX_POSITIONS)
    {
        let expected = format!("expected at most {MAX_POSITIONS}");
        return Err(Problem::invalid_field("positions", expected));
    }
    let command = DiscardDeadLetters {
        id,
        positions: input.positions,
    };
    let outcome = api
        .log
        .store()
        .write(lane(id), Class::New, subscriber.cause, move |ctx| {
            discard_dead_letters(ctx, &command)
        })
        .await?;
    match outcome {
        Outcome::Discarded(discarded) => {
            Ok(Json(DeadLettersDiscarded { discarded }).into_response())
        }
        Outcome::NotFound => Err(not_found()),
    }
}

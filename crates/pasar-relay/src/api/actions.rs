//! What is done with a subscription: paused, resumed, tried, delivered again, looked into.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use pasar_chassis::{
    etag::tagged,
    extract::{Json, Query},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem},
    page,
    problem::Problem,
};
use pasar_contracts::{
    api::{
        page::{Page, PageQuery},
        relay::{Attempt, ReplayAccepted, ReplayInput, Subscription},
    },
    problem::ProblemType,
};
use pasar_store::{context::Context, fault::Fault, lane::Class};
use pasar_types::id::SubscriptionId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    subscriber::{Subscriber, Theirs, not_found},
};
use crate::{
    commands::{
        change::Outcome,
        pause_subscription::pause_subscription,
        replay_deliveries::{self, MAX_POSITIONS, MAX_REPLAYS, ReplayDeliveries},
        resume_subscription::resume_subscription,
    },
    queries,
    subscription::lane,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(test))
        .routes(routes!(replay))
        .routes(routes!(attempts))
}

/// Pause a subscription
///
/// What comes meanwhile is kept, and delivered once it is resumed.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/pause", tag = "relay", operation_id = "pauseSubscription",
    params(("id" = SubscriptionId, Path, description = "The subscription.")),
    responses(
        (status = 200, description = "The subscription as it stands now.", body = Subscription),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn pause(State(api): State<Arc<Api>>, theirs: Theirs) -> Result<Response, Problem> {
    turn(&api, theirs, pause_subscription).await
}

/// Resume a subscription
///
/// One that was paused, or that the relay has disabled. What waits is tried at once.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/resume", tag = "relay", operation_id = "resumeSubscription",
    params(("id" = SubscriptionId, Path, description = "The subscription.")),
    responses(
        (status = 200, description = "The subscription as it stands now.", body = Subscription),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn resume(State(api): State<Arc<Api>>, theirs: Theirs) -> Result<Response, Problem> {
    turn(&api, theirs, resume_subscription).await
}

type Turn = fn(&mut Context<'_>, SubscriptionId) -> Result<Outcome, Fault>;

async fn turn(api: &Api, theirs: Theirs, turn: Turn) -> Result<Response, Problem> {
    let id = theirs.id();
    let store = api.log.store();
    let outcome = store
        .write(lane(id), Class::New, theirs.subscriber.cause, move |ctx| {
            turn(ctx, id)
        })
        .await?;
    let stored = match outcome {
        Outcome::Done(stored) => {
            api.deliveries.changed(id);
            stored
        }
        Outcome::Same(stored) => stored,
        Outcome::NotFound => return Err(not_found()),
    };
    let known = store.read(move |tx| queries::known(tx, stored)).await?;
    Ok(tagged(known.version, Json(known.subscription)))
}

/// Try a subscription
///
/// Sends one message, of type `test`, straight to the destination and tells what became of it. It is among the
/// attempts, but not in the log, and is not tried again.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/test", tag = "relay", operation_id = "testSubscription",
    params(("id" = SubscriptionId, Path, description = "The subscription.")),
    responses(
        (status = 200, description = "What became of it; `delivered` says whether it arrived.", body = Attempt),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn test(State(api): State<Arc<Api>>, theirs: Theirs) -> Result<Response, Problem> {
    let attempt = api
        .deliveries
        .test(theirs.id())
        .await?
        .ok_or_else(not_found)?;
    Ok(Json(attempt).into_response())
}

/// Deliver again
///
/// Some positions of the log, a range of it, what came since a time, or the dead letters.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/replay", tag = "relay", operation_id = "replaySubscription",
    params(("id" = SubscriptionId, Path, description = "The subscription.")),
    request_body = ReplayInput,
    responses(
        (status = 202, description = "It is under way.", body = ReplayAccepted),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
async fn replay(
    State(api): State<Arc<Api>>,
    theirs: Theirs,
    Json(what): Json<ReplayInput>,
) -> Result<Response, Problem> {
    let id = theirs.id();
    let accepted = schedule(&api, theirs.subscriber, ReplayDeliveries { id, what }).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// Schedules a replay of somebody's own subscription.
pub(super) async fn schedule(
    api: &Api,
    subscriber: Subscriber,
    command: ReplayDeliveries,
) -> Result<ReplayAccepted, Problem> {
    match api.deliveries.replay(subscriber.cause, command).await? {
        replay_deliveries::Outcome::Scheduled(scheduled) => Ok(ReplayAccepted { scheduled }),
        replay_deliveries::Outcome::NotFound => Err(not_found()),
        replay_deliveries::Outcome::TooManyPositions => {
            let expected = format!("expected at most {MAX_POSITIONS}; name a range for more");
            Err(Problem::invalid_field("positions", expected))
        }
        replay_deliveries::Outcome::TooManyReplays => Err(Problem::new(ProblemType::Conflict)
            .detail(format!(
                "{MAX_REPLAYS} stretches are being delivered again already; wait for one to end"
            ))),
        replay_deliveries::Outcome::Unknown(position) => Err(Problem::invalid_field(
            "positions",
            format!("{position} is not in the log, or no longer"),
        )),
    }
}

/// List attempts
///
/// What was tried for a subscription, the newest first.
#[utoipa::path(
    get, path = "/v1/subscriptions/{id}/attempts", tag = "relay", operation_id = "listAttempts",
    params(("id" = SubscriptionId, Path, description = "The subscription."), PageQuery),
    responses(
        (status = 200, description = "A page of attempts.", body = Page<Attempt>),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn attempts(
    State(api): State<Arc<Api>>,
    theirs: Theirs,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let id = theirs.id();
    let (limit, before) = (page::limit(&query)?, page::after::<i64>(&query)?);
    let found = api
        .log
        .store()
        .read(move |tx| queries::attempts(tx, id, before, limit + 1))
        .await?;
    let page = page::cut(found, limit, |(number, _)| *number);
    let page = Page {
        items: page.items.into_iter().map(|(_, attempt)| attempt).collect(),
        next_cursor: page.next_cursor,
    };
    Ok(page::respond(page, &uri))
}

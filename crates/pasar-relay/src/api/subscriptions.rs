//! Subscriptions: made, read, changed, deleted.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, LOCATION},
};
use pasar_chassis::{
    etag::{not_modified, tagged},
    extract::{IfMatch, IfNoneMatch, Json, Query},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem, PreconditionProblem},
    page,
    problem::Problem,
};
use pasar_contracts::{
    api::{
        page::{Page, PageQuery},
        relay::{CreatedSubscription, Subscription, SubscriptionInput},
    },
    problem::ProblemType,
};
use pasar_store::lane::{Class, LaneKey};
use pasar_types::id::SubscriptionId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    subscriber::{Subscriber, Theirs, not_found},
};
use crate::{
    commands::{
        change_subscription::{self, ChangeSubscription, change_subscription},
        create_subscription::{self, CreateSubscription, MAX_SUBSCRIPTIONS, create_subscription},
        delete_subscription::{self, DeleteSubscription, delete_subscription},
    },
    destinations::rest,
    queries,
    subscription::{Spec, lane},
};

/// Versions begin at 1.
const NO_VERSION: i64 = 0;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_subscriptions, create))
        .routes(routes!(get_subscription, change, delete))
}

/// List subscriptions
///
/// Your own, the oldest first; for admins all.
#[utoipa::path(
    get, path = "/v1/subscriptions", tag = "relay", operation_id = "listSubscriptions",
    params(PageQuery),
    responses((status = 200, description = "A page of subscriptions.", body = Page<Subscription>), CommonProblems),
)]
async fn list_subscriptions(
    State(api): State<Arc<Api>>,
    subscriber: Subscriber,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let limit = page::limit(&query)?;
    let first = SubscriptionId::from_bytes([0; 16]);
    let after = page::after(&query)?.unwrap_or(first);
    let owner = subscriber.owner;
    let found = api
        .log
        .store()
        .read(move |tx| queries::subscriptions_after(tx, owner.as_deref(), after, limit + 1))
        .await?;
    let items = found.into_iter().map(|known| known.subscription).collect();
    Ok(page::respond(
        page::cut(items, limit, |it: &Subscription| it.id),
        &uri,
    ))
}

/// Subscribe a destination
///
/// Needs a `subscribe:` scope for each of its topics, or the role integrator or admin. A `rest` destination
/// without a `secret` gets one, which is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/v1/subscriptions", tag = "relay", operation_id = "createSubscription",
    request_body = SubscriptionInput,
    responses(
        (status = 201, description = "The subscription.", body = CreatedSubscription,
            headers(("Location" = String, description = "Where it can be read."),
                    ("ETag" = String, description = "Its version."))),
        CommonProblems, ConflictProblem,
    ),
)]
async fn create(
    State(api): State<Arc<Api>>,
    subscriber: Subscriber,
    Json(mut input): Json<SubscriptionInput>,
) -> Result<Response, Problem> {
    subscriber.check(&input)?;
    let secret = api.make_secret(&mut input);
    let command = CreateSubscription {
        input,
        owner: subscriber.account(),
        declared: None,
    };
    let (store, vault) = (api.log.store(), api.vault.clone());
    let outcome = store
        .write(LaneKey::ZERO, Class::New, subscriber.cause, move |ctx| {
            create_subscription(ctx, &vault, &command)
        })
        .await?;
    let stored = match outcome {
        create_subscription::Outcome::Created(stored) => stored,
        create_subscription::Outcome::Invalid(errors) => {
            return Err(Problem::invalid_fields(errors));
        }
        create_subscription::Outcome::TooMany => {
            return Err(Problem::new(ProblemType::Conflict).detail(format!(
                "there are {MAX_SUBSCRIPTIONS} subscriptions already; delete one first"
            )));
        }
    };
    api.deliveries.changed(stored.id);
    let known = store.read(move |tx| queries::known(tx, *stored)).await?;
    let place = format!("/v1/subscriptions/{}", known.subscription.id);
    let created = CreatedSubscription {
        subscription: known.subscription,
        secret,
    };
    let headers = [
        (
            LOCATION,
            HeaderValue::try_from(place).map_err(|_| Problem::defect("an id is no URI"))?,
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let answer = (StatusCode::CREATED, headers, Json(created));
    Ok(tagged(known.version, answer))
}

/// Show a subscription
#[utoipa::path(
    get, path = "/v1/subscriptions/{id}", tag = "relay", operation_id = "getSubscription",
    params(("id" = SubscriptionId, Path, description = "The subscription.")),
    responses(
        (status = 200, description = "The subscription as it stands.", body = Subscription,
            headers(("ETag" = String, description = "Its version."))),
        (status = 304, description = "The version that `If-None-Match` names."),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_subscription(theirs: Theirs, if_none_match: IfNoneMatch) -> Result<Response, Problem> {
    let known = theirs.known;
    if if_none_match.names(known.version) {
        return Ok(not_modified(known.version));
    }
    Ok(tagged(known.version, Json(known.subscription)))
}

/// Change a subscription
///
/// All of it is given. Secrets that are left out stay as they are; `null` gives one up. `start` is not looked at,
/// and what waits for delivery stays.
#[utoipa::path(
    put, path = "/v1/subscriptions/{id}", tag = "relay", operation_id = "putSubscription",
    params(
        ("id" = SubscriptionId, Path, description = "The subscription."),
        ("If-Match" = Option<String>, Header, description = "The version that the change is based on."),
    ),
    request_body = SubscriptionInput,
    responses(
        (status = 200, description = "The subscription as it stands now.", body = Subscription,
            headers(("ETag" = String, description = "Its version."))),
        CommonProblems, NotFoundProblem, ConflictProblem, PreconditionProblem,
    ),
)]
async fn change(
    State(api): State<Arc<Api>>,
    theirs: Theirs,
    if_match: IfMatch,
    Json(input): Json<SubscriptionInput>,
) -> Result<Response, Problem> {
    theirs.check_not_declared()?;
    let id = theirs.id();
    let Theirs { subscriber, known } = theirs;
    subscriber.check(&input)?;
    check_but_for_destination(&api, &input)?;
    // The command judges the version, after the rest of what was given.
    let wanted = match if_match.check(known.version) {
        Ok(()) => known.version,
        Err(_) => NO_VERSION,
    };
    let command = ChangeSubscription {
        id,
        version: (!if_match.is_absent()).then_some(wanted),
        input,
    };
    let (store, vault) = (api.log.store(), api.vault.clone());
    let outcome = store
        .write(lane(id), Class::New, subscriber.cause, move |ctx| {
            change_subscription(ctx, &vault, &command)
        })
        .await?;
    let stored = match outcome {
        change_subscription::Outcome::Changed(stored) => stored,
        change_subscription::Outcome::NotFound => return Err(not_found()),
        change_subscription::Outcome::Stale(_) => {
            return Err(Problem::new(ProblemType::PreconditionFailed));
        }
        change_subscription::Outcome::Invalid(errors) => {
            return Err(Problem::invalid_fields(errors));
        }
    };
    api.deliveries.changed(id);
    let known = store.read(move |tx| queries::known(tx, stored)).await?;
    Ok(tagged(known.version, Json(known.subscription)))
}

/// Delete a subscription
///
/// With all that waits for it. What was tried stays among the attempts for as long as those are kept.
#[utoipa::path(
    delete, path = "/v1/subscriptions/{id}", tag = "relay", operation_id = "deleteSubscription",
    params(
        ("id" = SubscriptionId, Path, description = "The subscription."),
        ("If-Match" = Option<String>, Header, description = "The version that is to be deleted."),
    ),
    responses(
        (status = 204, description = "It is gone."),
        CommonProblems, NotFoundProblem, ConflictProblem, PreconditionProblem,
    ),
)]
async fn delete(
    State(api): State<Arc<Api>>,
    theirs: Theirs,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    theirs.check_not_declared()?;
    let id = theirs.id();
    let Theirs { subscriber, known } = theirs;
    if_match.check(known.version)?;
    let command = DeleteSubscription {
        id,
        version: (!if_match.is_absent()).then_some(known.version),
    };
    let outcome = api
        .log
        .store()
        .write(lane(id), Class::New, subscriber.cause, move |ctx| {
            delete_subscription(ctx, command)
        })
        .await?;
    match outcome {
        delete_subscription::Outcome::Deleted => {
            api.deliveries.changed(id);
            Ok(StatusCode::NO_CONTENT)
        }
        delete_subscription::Outcome::NotFound => Err(not_found()),
        delete_subscription::Outcome::Stale => Err(Problem::new(ProblemType::PreconditionFailed)),
    }
}

/// What cannot work is told whatever version it is for. The destination is judged with its secrets, in the command.
fn check_but_for_destination(api: &Api, input: &SubscriptionInput) -> Result<(), Problem> {
    let mut errors = Spec::read(input, api.vault.kinds).err().unwrap_or_default();
    errors.retain(|error| !error.field.starts_with("destination"));
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid_fields(errors))
    }
}

impl Api {
    /// Gives a `rest` destination without a secret one to sign with. It goes into the answer, once.
    fn make_secret(&self, input: &mut SubscriptionInput) -> Option<String> {
        let destination = &mut input.destination;
        let is_rest = destination.get("kind").is_some_and(|kind| kind == "rest");
        if !is_rest || destination.contains_key("secret") {
            return None;
        }
        let mut bytes = [0; 32];
        self.host.ids.fill(&mut bytes);
        let secret = rest::new_secret(bytes);
        destination.insert("secret".to_owned(), secret.clone().into());
        Some(secret)
    }
}

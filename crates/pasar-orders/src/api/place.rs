//! Placing an order.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::LOCATION, request::Parts};
use pasar_chassis::{
    cause::RequestCause,
    etag,
    extract::{Idempotent, Json, Prefer},
    openapi::{CommonProblems, ConflictProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::{
        orders::{Order, OrderInput},
        users::Role,
    },
    problem::ProblemType,
};
use pasar_feed::tail::Watch;
use pasar_store::{
    cause::Cause,
    idempotency::{Fingerprint, IdempotencyKey},
    lane::Class,
};
use pasar_types::id::{LocationId, OrderId, UserId};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, lane, shown};
use crate::{
    commands::place_order::{NotNow, Outcome, PlaceOrder, Refusal, place_order},
    input,
    queries::OrderRow,
    waiting,
};

/// Somebody who may place orders: for themselves, or at the counter for whoever stands there.
pub(super) struct Placer {
    customer: Option<UserId>,
    unlimited: bool,
}

/// What a refused caller is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(post_order))
}

/// Place an order
///
/// Answers at once; with `Prefer: wait=N` when the order is settled or needs the customer, at the latest
/// after N seconds, as it then stands. The price is that of the catalogue; give `expected_total` to be
/// asked again when it has changed.
#[utoipa::path(
    post, path = "/v1/orders", tag = "orders", operation_id = "placeOrder",
    params(
        ("Idempotency-Key" = String, Header, description = "New for each order.", example = "order-1"),
        ("Prefer" = Option<String>, Header, description = "How long to wait for the order to settle, in seconds, at most 60.", example = "wait=5"),
    ),
    request_body = OrderInput,
    responses(
        (status = 201, description = "It was placed. Repeated with the same key: as it stands now.", body = Order, headers(
            ("ETag" = String, description = "Its version."),
            ("Location" = String, description = "Where it can be read."),
            ("Preference-Applied" = String, description = "The wait that was granted."),
        )),
        CommonProblems, ConflictProblem,
    ),
)]
async fn post_order(
    State(api): State<Arc<Api>>,
    placer: Placer,
    RequestCause(cause): RequestCause,
    Prefer { wait }: Prefer,
    call: Idempotent<OrderInput>,
) -> Result<Response, Problem> {
    let row = api.placed(&placer, cause, wait, call).await?;
    Ok(shown::preferred(created(row, &api), wait))
}

impl Api {
    /// The order that was placed, as it stands once the wait is over.
    pub(super) async fn placed(
        &self,
        placer: &Placer,
        cause: Cause,
        wait: Option<Duration>,
        call: Idempotent<OrderInput>,
    ) -> Result<OrderRow, Problem> {
        let named = call.body.location;
        let checked =
            input::order(call.body).map_err(|error| Problem::invalid_fields(vec![error]))?;
        if !self.unsettled.has_room() {
            metrics::counter!("pasar_refused_total", "reason" => "unsettled").increment(1);
            return Err(Problem::new(ProblemType::Overloaded).retry_after(RETRY_AFTER));
        }
        let location = self.named_or_default(named).await?;
        let id = OrderId::from_uuid(self.host.ids.uuid_v7(self.host.clock.now()));
        let most_unsettled = self.config.most_unsettled_per_customer;
        let command = PlaceOrder {
            id,
            lines: checked.lines,
            method: checked.method,
            token: checked.token,
            location,
            expected_total: checked.expected_total,
            note: checked.note,
            customer: placer.customer,
            most_unsettled: (!placer.unlimited).then_some(most_unsettled),
            deadline: self.config.deadline(),
            catalogue_is_current: false,
        };
        // Watched before it exists, so that nothing that happens to it is missed.
        let mut watch = wait.map(|_| self.tail.watch(&id.to_string()));
        match self
            .place(command, cause, call.key, call.fingerprint)
            .await?
        {
            Outcome::Placed(row) => {
                self.unsettled.add();
                match (wait, &mut watch) {
                    (Some(wait), Some(watch)) => {
                        waiting::for_event(&self.host, watch, wait, waiting::may_be_awaited).await;
                        self.order(id).await
                    }
                    _ => Ok(*row),
                }
            }
            Outcome::PlacedBefore(id) => self.awaited(id, wait).await,
            Outcome::Refused(refusal) => Err(refused(refusal)),
            Outcome::KeyReused => Err(Problem::new(ProblemType::IdempotencyKeyReused)),
            Outcome::NotNow(reason) => Err(not_now(reason)),
        }
    }

    /// Places an order. What the catalogue does not know is refused only once it is up to date.
    async fn place(
        &self,
        command: PlaceOrder,
        cause: Cause,
        key: IdempotencyKey,
        fingerprint: Fingerprint,
    ) -> Result<Outcome, Problem> {
        let command = Arc::new((command, key));
        let outcome = self
            .write_order(&command, cause.clone(), fingerprint)
            .await?;
        if outcome != Outcome::NotNow(NotNow::CatalogueBehind) {
            return Ok(outcome);
        }
        self.catalogue_caught_up().await;
        let (mut command, key) = (*command).clone();
        command.catalogue_is_current = true;
        self.write_order(&Arc::new((command, key)), cause, fingerprint)
            .await
    }

    async fn write_order(
        &self,
        command: &Arc<(PlaceOrder, IdempotencyKey)>,
        cause: Cause,
        fingerprint: Fingerprint,
    ) -> Result<Outcome, Problem> {
        let command = Arc::clone(command);
        let lane = lane(command.0.location);
        let answer = self.store.write(lane, Class::New, cause, move |ctx| {
            let (command, key) = &*command;
            place_order(ctx, command, key, fingerprint)
        });
        Ok(answer.await?)
    }

    /// Waits a moment until the copy of the catalogue has reached inventory's head.
    async fn catalogue_caught_up(&self) {
        let due = self.host.clock.now() + self.config.catalogue_wait();
        let caught_up = async {
            // If inventory cannot be reached, what is known here is all there is.
            if let Ok(head) = self.inventory.head().await {
                self.catalogue.caught_up_to(head.sequence).await;
            }
        };
        tokio::select! {
            () = caught_up => {}
            () = waiting::until(&self.host, due) => {}
            () = self.host.tasks.draining() => {}
        }
    }

    async fn named_or_default(&self, named: Option<LocationId>) -> Result<LocationId, Problem> {
        if let Some(location) = self.location(named).await? {
            return Ok(location);
        }
        self.catalogue_caught_up().await;
        self.location(None).await?.ok_or_else(|| {
            Problem::new(ProblemType::Unavailable)
                .detail("no location is known yet")
                .retry_after(RETRY_AFTER)
        })
    }

    /// An order, once it is settled or needs the customer, or the wait is over.
    pub(super) async fn awaited(
        &self,
        id: OrderId,
        wait: Option<Duration>,
    ) -> Result<OrderRow, Problem> {
        let Some(wait) = wait else {
            return self.order(id).await;
        };
        let mut watch: Watch = self.tail.watch(&id.to_string());
        let row = self.order(id).await?;
        if waiting::is_awaited(&row.order) {
            return Ok(row);
        }
        waiting::for_event(&self.host, &mut watch, wait, waiting::may_be_awaited).await;
        self.order(id).await
    }
}

fn created(row: OrderRow, api: &Api) -> Response {
    let version = row.order.keyversion;
    let place = [(LOCATION, format!("/v1/orders/{}", row.order.id))];
    let order = shown::order(row, &api.links);
    etag::tagged(
        version,
        (StatusCode::CREATED, place, Json(order)).into_response(),
    )
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::PriceChanged { total } => {
            Problem::new(ProblemType::PriceChanged).with("total", total)
        }
        Refusal::UnknownSku { skus } => Problem::new(ProblemType::UnknownSku).with("skus", skus),
        Refusal::NotOrderable { skus } => {
            Problem::new(ProblemType::NotOrderable).with("skus", skus)
        }
        Refusal::UnknownLocation => Problem::invalid_field("location", "there is no such location"),
        Refusal::TotalOutOfRange => Problem::invalid_field("lines", "the total is out of range"),
    }
}

fn not_now(reason: NotNow) -> Problem {
    match reason {
        NotNow::TooManyUnsettled => {
            Problem::new(ProblemType::TooManyUnsettledOrders).retry_after(RETRY_AFTER)
        }
        // The second try takes the catalogue as it is.
        NotNow::CatalogueBehind => Problem::defect("an order was put off twice"),
    }
}

impl<S: Sync> FromRequestParts<S> for Placer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let identity = super::identity(parts);
        let counter = [Role::Kiosk, Role::Staff, Role::Admin];
        identity.require(&[Role::Customer, Role::Kiosk, Role::Staff, Role::Admin])?;
        let at_the_counter = identity.require(&counter).is_ok();
        Ok(Self {
            customer: identity.user_id().filter(|_| !at_the_counter),
            unlimited: identity.unlimited,
        })
    }
}

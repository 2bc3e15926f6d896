//! `pasar.orders.v1.Orders`: what REST does, over gRPC.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    routing::{MethodRouter, post},
};
use futures_util::StreamExt;
use http::{HeaderMap, Method};
use pasar_chassis::{
    cause::RequestCause,
    extract::{Idempotent, IfMatch, IfNoneMatch, Key, MAX_WAIT},
    grpc::method::{Message, Replies, Reply, methods},
    problem::Problem,
};
use pasar_contracts::{
    api::{
        orders::{CancelInput, OrderInput, OrdersQuery, RefundInput},
        page::Page,
    },
    grpc::{
        orders::{
            CancelOrderRequest, GetOrderRequest, ListOrdersReply, ListOrdersRequest,
            MoveOrderRequest, Order, OrderChange, OrderRefund, PlaceOrderRequest,
            RefundOrderRequest, WatchOrderRequest,
        },
        parsed,
    },
};
use pasar_types::id::OrderId;

use super::{Api, StaffOnly, Viewer, moves::optional_key, place::Placer, shown, stream};
use crate::{commands::move_order::Step, queries::OrderRow};

type Answer = Result<Reply<Order>, Problem>;

pub(super) fn routes(api: &Arc<Api>) -> Router {
    let routes = Router::new()
        .route("/pasar.orders.v1.Orders/PlaceOrder", post(place_order))
        .route("/pasar.orders.v1.Orders/GetOrder", post(get_order))
        .route("/pasar.orders.v1.Orders/ListOrders", post(list_orders))
        .route("/pasar.orders.v1.Orders/WatchOrder", post(watch_order))
        .route("/pasar.orders.v1.Orders/Start", step(Step::Start))
        .route("/pasar.orders.v1.Orders/Ready", step(Step::Ready))
        .route("/pasar.orders.v1.Orders/Collect", step(Step::Collect))
        .route("/pasar.orders.v1.Orders/Cancel", post(cancel))
        .route("/pasar.orders.v1.Orders/Refund", post(refund))
        .with_state(Arc::clone(api));
    methods(&api.host, routes)
}

async fn place_order(
    State(api): State<Arc<Api>>,
    placer: Placer,
    RequestCause(cause): RequestCause,
    key: Key,
    Message(request): Message<PlaceOrderRequest>,
) -> Answer {
    let wait = wait(request.wait_seconds);
    let input = OrderInput::try_from(request)?;
    let call = Idempotent::new(&Method::POST, "/v1/orders", input, key)?;
    let row = api.placed(&placer, cause, wait, call).await?;
    Ok(api.reply(row))
}

async fn get_order(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Message(request): Message<GetOrderRequest>,
) -> Answer {
    let id = parsed("id", &request.id)?;
    api.whereabouts(&viewer, id).await?;
    let known = request.known_version.map(IfNoneMatch::version);
    let wait = wait(request.wait_seconds);
    let row = api.changed(id, wait, &known.unwrap_or_default()).await?;
    Ok(api.reply(row))
}

async fn list_orders(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Message(request): Message<ListOrdersRequest>,
) -> Result<Reply<ListOrdersReply>, Problem> {
    let page = api.listed(&viewer, OrdersQuery::try_from(request)?).await?;
    let rows = page.items.into_iter();
    let page = Page {
        items: rows.map(|row| api.reply(row).0).collect(),
        next_cursor: page.next_cursor,
    };
    Ok(Reply(page.into()))
}

async fn watch_order(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Message(request): Message<WatchOrderRequest>,
) -> Result<Replies, Problem> {
    let id = parsed("id", &request.id)?;
    if request.after_version < 0 {
        return Err(Problem::invalid_field(
            "after_version",
            "expected 0 or more",
        ));
    }
    api.whereabouts(&viewer, id).await?;
    let changes = stream::changes(&api, id, request.after_version)?;
    let changes = changes.map(|named| OrderChange::new(&named.name, named.change));
    Ok(Replies::new(&api.host.tasks, changes))
}

/// The moves that staff make differ in nothing but the step.
fn step(step: Step) -> MethodRouter<Arc<Api>> {
    let take = async move |State(api): State<Arc<Api>>,
                           _: StaffOnly,
                           RequestCause(cause): RequestCause,
                           headers: HeaderMap,
                           Message(request): Message<MoveOrderRequest>|
                -> Answer {
        let id = parsed("id", &request.id)?;
        let key = optional_key(&headers)?;
        let if_match = if_match(request.version);
        let row = api.step(id, step, cause, if_match, key).await?;
        Ok(api.reply(row))
    };
    post(take)
}

async fn cancel(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    RequestCause(cause): RequestCause,
    key: Key,
    Message(request): Message<CancelOrderRequest>,
) -> Answer {
    let id: OrderId = parsed("id", &request.id)?;
    let input = CancelInput {
        restock: request.restock,
    };
    let target = format!("/v1/orders/{id}/cancel");
    let call = Idempotent::new(&Method::POST, &target, input, key)?;
    let if_match = if_match(request.version);
    let row = api.cancelled(&viewer, id, cause, if_match, call).await?;
    Ok(api.reply(row))
}

async fn refund(
    State(api): State<Arc<Api>>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    key: Key,
    Message(request): Message<RefundOrderRequest>,
) -> Result<Reply<OrderRefund>, Problem> {
    let id: OrderId = parsed("id", &request.id)?;
    let target = format!("/v1/orders/{id}/refunds");
    let call = Idempotent::new(&Method::POST, &target, RefundInput::try_from(request)?, key)?;
    let refund = api.refunded(id, cause, call).await?;
    Ok(Reply(refund.into()))
}

impl Api {
    fn reply(&self, row: OrderRow) -> Reply<Order> {
        let version = row.order.keyversion;
        Reply(Order::new(shown::order(row, &self.links), version))
    }
}

/// What `Prefer: wait` is over REST.
fn wait(seconds: u32) -> Option<Duration> {
    (seconds != 0).then(|| Duration::from_secs(seconds.into()).min(MAX_WAIT))
}

fn if_match(version: Option<i64>) -> IfMatch {
    version.map(IfMatch::version).unwrap_or_default()
}

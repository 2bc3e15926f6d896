//! Orders as clients see them.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use pasar_chassis::{etag, extract::Json};
use pasar_contracts::api::orders::{Cancellation, Order, OrderPayment, WatchedOrder};

use crate::{order::Order as OrderState, queries::OrderRow, watch::WatchLinks};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// As its owner and staff see it.
pub(super) fn order(row: OrderRow, links: &WatchLinks) -> Order {
    let OrderRow {
        order,
        method,
        lines,
        note,
        tax,
        placed_at,
        refunds,
    } = row;
    let currency = order.currency();
    let subtotal =
        pasar_types::money::Money::new(order.total.amount_minor - tax.amount_minor, currency);
    Order {
        id: order.id,
        number: order.number,
        state: order.stage.state(),
        cancellation: cancellation(&order),
        location_id: order.location,
        customer_id: order.customer,
        lines: lines.into_iter().map(|line| line.shown(currency)).collect(),
        subtotal,
        tax,
        total: order.total,
        note,
        deadline: order.deadline,
        refunds,
        watch_url: links.url(order.id),
        placed_at,
        updated_at: order.updated_at,
        payment: payment(order, method),
    }
}

/// As whoever has its link sees it.
pub(super) fn watched(row: OrderRow) -> WatchedOrder {
    let order = row.order;
    let currency = order.currency();
    WatchedOrder {
        id: order.id,
        number: order.number,
        state: order.stage.state(),
        cancellation: cancellation(&order),
        location_id: order.location,
        lines: row
            .lines
            .into_iter()
            .map(|line| line.shown(currency))
            .collect(),
        total: order.total,
        deadline: order.deadline,
        placed_at: row.placed_at,
        updated_at: order.updated_at,
        payment: payment(order, row.method),
    }
}

/// 200 with the order and its version.
pub(super) fn answer(row: OrderRow, links: &WatchLinks) -> Response {
    let version = row.order.keyversion;
    etag::tagged(version, Json(order(row, links)))
}

/// Says that the wait that was asked for was granted.
pub(super) fn preferred(mut response: Response, wait: Option<std::time::Duration>) -> Response {
    let applied =
        wait.and_then(|wait| HeaderValue::try_from(format!("wait={}", wait.as_secs())).ok());
    if let Some(applied) = applied {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    response.into_response()
}

fn payment(order: OrderState, method: String) -> OrderPayment {
    OrderPayment {
        state: order.payment,
        method,
        next_action: order.next_action,
    }
}

fn cancellation(order: &OrderState) -> Option<Cancellation> {
    order.cancellation.as_ref().map(|cancelling| Cancellation {
        reason: cancelling.reason,
        shortages: cancelling.shortages.clone(),
    })
}

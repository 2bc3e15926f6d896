//! Lists of orders: staff sees all, customers their own.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::Uri;
use pasar_chassis::{extract::Query, openapi::CommonProblems, page, problem::Problem};
use pasar_contracts::api::{
    orders::{Order, OrdersQuery},
    page::{Page, PageQuery},
};
use pasar_types::{id::OrderId, time::Timestamp};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, Viewer, shown};
use crate::queries::{self, OrderFilter, OrderRow};

const MAX_SEARCH: usize = 64;
/// Business days that a number is looked for in, the running one and those before it.
const DAYS_SEARCHED: i32 = 7;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_orders))
}

/// Orders, the latest first
///
/// Customers see their own, staff sees all.
#[utoipa::path(
    get, path = "/v1/orders", tag = "orders", operation_id = "listOrders",
    params(OrdersQuery),
    responses(
        (status = 200, description = "A page of orders.", body = Page<Order>,
            headers(("Link" = String, description = "The next page, if there is one."))),
        CommonProblems,
    ),
)]
async fn list_orders(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Query(query): Query<OrdersQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let page = api.listed(&viewer, query).await?;
    let next_cursor = page.next_cursor;
    let rows = page.items.into_iter();
    let items = rows.map(|row| shown::order(row, &api.links)).collect();
    Ok(page::respond(Page { items, next_cursor }, &uri))
}

impl Api {
    /// A page of the orders that somebody may see.
    pub(super) async fn listed(
        &self,
        viewer: &Viewer,
        query: OrdersQuery,
    ) -> Result<Page<OrderRow>, Problem> {
        let paging = PageQuery {
            limit: query.limit,
            cursor: query.cursor,
        };
        let limit = page::limit(&paging)?;
        let filter = OrderFilter {
            customer: viewer.0.user_id().filter(|_| !viewer.is_staff()),
            state: query.state,
            location: query.location,
            after: page::after(&paging)?,
        };
        let rows = match query.q {
            None => {
                self.store
                    .read(move |tx| queries::list(tx, &filter, limit + 1))
                    .await?
            }
            Some(q) => self.search(q.trim(), filter).await?,
        };
        Ok(page::cut(rows, limit, |row| row.order.id))
    }

    /// The order with this id, or those with this number; for any other text none. All on one page.
    async fn search(&self, q: &str, filter: OrderFilter) -> Result<Vec<OrderRow>, Problem> {
        if q.is_empty() || q.len() > MAX_SEARCH {
            let expected =
                format!("expected an order's id or number, at most {MAX_SEARCH} characters");
            return Err(Problem::invalid_field("q", expected));
        }
        if let Ok(id) = q.parse::<OrderId>() {
            let found = self.store.read(move |tx| queries::find(tx, id)).await?;
            return Ok(found
                .into_iter()
                .filter(|row| filter.allows(&row.order))
                .collect());
        }
        let Ok(number) = q.parse::<i64>() else {
            return Ok(Vec::new());
        };
        let days = days_searched(self.host.clock.now());
        let found = self
            .store
            .read(move |tx| queries::by_number(tx, number, &days, &filter))
            .await?;
        Ok(found)
    }
}

/// The dates of the last business days anywhere on earth.
fn days_searched(now: Timestamp) -> Vec<String> {
    let today = jiff::tz::TimeZone::UTC.to_datetime(now.to_jiff()).date();
    let days = |days| jiff::Span::new().days(days);
    (-1..=DAYS_SEARCHED)
        .filter_map(|back| today.checked_sub(days(back)).ok())
        .map(|day| day.to_string())
        .collect()
}

//! The service's routes: decode, call, encode. They decide nothing.

mod actions;
mod grpc;
mod http;
mod webhooks;

use axum::Router;
use pasar_chassis::{host::Host, openapi};
use pasar_store::store::Store;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::methods::Methods;

/// What every route has at hand.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) methods: Methods,
}

pub(crate) const TAG: &str = "payments";

/// The routes and what they promise. The sandbox's are there when it is.
pub(crate) fn routes(host: &Host, api: Api) -> (Router, OpenApi) {
    let base = openapi::base(
        TAG,
        "Where the money of each order stands, and the double-entry ledger. For staff.",
    );
    let mut router = OpenApiRouter::with_openapi(base)
        .routes(routes!(http::list_payments))
        .routes(routes!(http::get_payment))
        .routes(routes!(http::capture_payment))
        .routes(routes!(http::hand_back_payment))
        .routes(routes!(http::list_balances))
        .routes(routes!(http::list_entries))
        .routes(routes!(webhooks::receive_payment_notice));
    if api.methods.sandbox().is_some() {
        router = router.routes(routes!(
            actions::show_sandbox_action,
            actions::end_sandbox_action
        ));
    }
    let calls = grpc::routes(host, api.clone());
    let (rest, document) = router.with_state(api).split_for_parts();
    (rest.merge(calls), document)
}

//! API models: what is sent and answered, a module per service. Requests refuse unknown fields.

pub mod feeds;
pub mod flows;
pub mod inventory;
pub mod orders;
pub mod page;
pub mod payments;
pub mod relay;
pub mod services;
pub mod users;

/// The paths of two segments under which Pasar's own services answer. Nobody else may answer there.
pub const OWN_PREFIXES: [&str; 21] = [
    "/v1/api-keys",
    "/v1/audit",
    "/v1/auth",
    "/v1/board",
    "/v1/dead-letters",
    "/v1/feeds",
    "/v1/flows",
    "/v1/ledger",
    "/v1/locations",
    "/v1/messages",
    "/v1/orders",
    "/v1/payments",
    "/v1/products",
    "/v1/sandbox",
    "/v1/sessions",
    "/v1/stock",
    "/v1/streams",
    "/v1/subscriptions",
    "/v1/users",
    "/v1/watch",
    "/v1/ws",
];

//! A page of a list. The next one is in the `Link: rel="next"` header as well.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Rows a page holds when the caller does not say.
pub const DEFAULT_LIMIT: u16 = 20;
/// Rows a page holds at most.
pub const MAX_LIMIT: u16 = 200;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `limit` and `cursor`, as every list takes them.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}

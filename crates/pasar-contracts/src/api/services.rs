//! What a service tells the gateway of itself: `GET /internal/v1/services/{service}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a service describes itself.
pub const SERVICES: &str = "/internal/v1/services/";

/// What a service answers on, so that another process can route to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceDescription {
    pub service: String,
    pub version: String,
    /// gRPC services: their methods are paths below `/` and the name.
    pub grpc: Vec<String>,
    /// Its OpenAPI 3.1 document.
    pub openapi: Value,
}

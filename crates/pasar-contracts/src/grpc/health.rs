//! `grpc.health.v1`.

pub use health_check_response::ServingStatus;

mod generated {
    include!("generated/grpc.health.v1.rs");
}

pub use generated::*;

/// The service's full name.
pub const HEALTH: &str = "grpc.health.v1.Health";

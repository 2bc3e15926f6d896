//! `grpc.reflection.v1`.

mod generated {
    include!("generated/grpc.reflection.v1.rs");
}

pub use generated::*;

/// The service's full name.
pub const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";

//! Live streams, each through the way that clients take.

mod direct;
mod grpc;
mod sse;
mod system;
mod web_socket;
mod ws;

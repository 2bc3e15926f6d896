//! Live streams, each through the way that clients take.

mod sse;
mod system;

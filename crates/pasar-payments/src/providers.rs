//! Providers that lie outside this process. The sandbox has a module of its own.

pub mod http;

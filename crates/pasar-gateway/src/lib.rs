#![doc = include_str!("../README.md")]

mod access_log;
mod answer;
mod authentication;
mod compression;
pub mod config;
mod cors;
mod credential;
mod exchange;
mod forwarding;
pub mod gateway;
mod handover;
mod meters;
pub mod openapi;
mod pages;
mod pool;
mod rate_limit;
pub mod remote;
mod request_body;
mod request_head;
mod response_body;
mod routes;
mod server;
mod session_cookie;
mod upgrade;
mod upstream;

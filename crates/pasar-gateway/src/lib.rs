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
mod rate_limit;
mod request_body;
mod request_head;
mod response_body;
mod routes;
mod server;
mod session_cookie;
mod upgrade;

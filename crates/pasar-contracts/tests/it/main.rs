//! The wire format stays what it was.

mod golden;
mod samples;

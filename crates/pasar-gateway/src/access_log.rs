//! One line a request: all of them at level debug, every n-th at info if wished.
//!
//! No query strings, no credentials, no addresses; watch tokens are cut out of paths.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use http::{Method, StatusCode};
use pasar_store::cause::Actor;
use pasar_types::id::FlowId;
use tracing::Level;

pub(crate) struct AccessLog {
    every: u32,
    count: AtomicU32,
}

/// What is said of a request.
pub(crate) struct Line<'r> {
    pub(crate) method: &'r Method,
    pub(crate) path: &'r str,
    pub(crate) status: StatusCode,
    pub(crate) took: Duration,
    pub(crate) flow: FlowId,
    pub(crate) actor: Actor,
}

const WATCH: &str = "/v1/watch/";

impl AccessLog {
    pub(crate) const fn new(every: u32) -> Self {
        Self {
            every,
            count: AtomicU32::new(0),
        }
    }

    pub(crate) fn write(&self, line: &Line<'_>) {
        let sampled = self.every > 0 && self.count.fetch_add(1, Relaxed).is_multiple_of(self.every);
        if !sampled && !tracing::enabled!(Level::DEBUG) {
            return;
        }
        let Line {
            method,
            path,
            status,
            took,
            flow,
            actor,
        } = line;
        let path = redact(path);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let status = status.as_u16();
        if sampled {
            tracing::info!(%flow, %actor, %method, %path, status, micros, "answered");
        } else {
            tracing::debug!(%flow, %actor, %method, %path, status, micros, "answered");
        }
    }
}

/// Whoever has a watch token sees the order: it is a secret.
fn redact(path: &str) -> Cow<'_, str> {
    match path.strip_prefix(WATCH) {
        Some(token) => {
            let rest = token.find('/').map_or("", |at| &token[at..]);
            Cow::Owned(format!("{WATCH}[redacted]{rest}"))
        }
        None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watch_tokens_do_not_reach_the_log() {
        assert_eq!(redact("/v1/watch/c2VjcmV0"), "/v1/watch/[redacted]");
        assert_eq!(
            redact("/v1/watch/c2VjcmV0/events"),
            "/v1/watch/[redacted]/events"
        );
        assert_eq!(redact("/v1/orders/ord_1"), "/v1/orders/ord_1");
    }
}

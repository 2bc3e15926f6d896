//! What is counted of requests. The handles are made once, so that a request costs no look-up.

use std::time::Duration;

use http::StatusCode;
use metrics::{Counter, Histogram};
/// Of one service's requests.
pub(crate) struct RouteMeters {
    by_class: [Counter; 5],
    seconds: Histogram,
}

/// Of requests that reach no service.
pub(crate) struct EdgeMeters {
    pub(crate) limited: Counter,
    pub(crate) unauthenticated: Counter,
    pub(crate) timeouts: Counter,
    pub(crate) panics: Counter,
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl RouteMeters {
    pub(crate) fn new(service: &str) -> Self {
        let name = || service.to_owned();
        Self {
            by_class: CLASSES.map(|class| {
                metrics::counter!("pasar_gateway_requests_total", "service" => name(), "status" => class)
            }),
            seconds: metrics::histogram!("pasar_gateway_request_seconds", "service" => name()),
        }
    }

    pub(crate) fn record(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len());
        self.by_class[class - 1].increment(1);
        self.seconds.record(took.as_secs_f64());
    }
}

impl EdgeMeters {
    pub(crate) fn new() -> Self {
        let refused = |reason| metrics::counter!("pasar_gateway_refused_total", "reason" => reason);
        Self {
            limited: refused("rate_limit"),
            unauthenticated: refused("credentials"),
            timeouts: refused("timeout"),
            panics: refused("panic"),
        }
    }
}

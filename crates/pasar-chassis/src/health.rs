//! Whether the process is alive, and whether it is ready to take work. Others report; this only tells.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use parking_lot::Mutex;
use pasar_contracts::problem::ProblemType;
use pasar_feed::tasks::Tasks;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{problem::Problem, telemetry::Metrics};

/// The checks of a process. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

/// What one part reports about itself. It begins as not ready.
#[derive(Clone)]
pub struct Check {
    health: Health,
    name: &'static str,
}

/// What `/readyz` says of a process that is about to end: it gets no new work.
pub const DRAINING: &str = "draining";

struct Inner {
    tasks: Tasks,
    booted: AtomicBool,
    /// Moves with every report.
    reports: watch::Sender<u64>,
    winding_down: AtomicBool,
    checks: Mutex<BTreeMap<&'static str, Report>>,
}

#[derive(Clone)]
enum Report {
    Ready,
    Not(String),
}

impl Health {
    #[must_use]
    pub fn new(tasks: Tasks) -> Self {
        Self(Arc::new(Inner {
            tasks,
            booted: AtomicBool::new(false),
            reports: watch::Sender::new(0),
            winding_down: AtomicBool::new(false),
            checks: Mutex::default(),
        }))
    }

    /// Adds a named check: `orders follows inventory`.
    #[must_use]
    pub fn check(&self, name: &'static str) -> Check {
        let check = Check {
            health: self.clone(),
            name,
        };
        check.not_ready("starting");
        check
    }

    /// All services have started and the port is bound.
    pub fn booted(&self) {
        self.0.booted.store(true, Ordering::Release);
        self.0.reports.send_modify(|reports| *reports += 1);
    }

    /// The process will end soon: whoever balances over it is told, while it still takes what comes.
    pub fn winds_down(&self) {
        self.0.winding_down.store(true, Ordering::Release);
        self.0.reports.send_modify(|reports| *reports += 1);
    }

    /// Ready: booted, not draining, and every check is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.booted.load(Ordering::Acquire)
            && !self.0.tasks.is_draining()
            && !self.0.winding_down.load(Ordering::Acquire)
            && self.0.tasks.alarms().is_empty()
            && !self
                .0
                .checks
                .lock()
                .values()
                .any(|state| matches!(state, Report::Not(_)))
    }

    /// Resolves once it is ready, or is not; at once if that is how it stands. Nothing is ready once the
    /// process drains.
    pub async fn becomes(&self, ready: bool) {
        let mut reports = self.0.reports.subscribe();
        let mut alarms = self.0.tasks.alarms_changed();
        while self.is_ready() != ready {
            if self.0.tasks.is_draining() {
                return std::future::pending().await;
            }
            tokio::select! {
                // The senders live as long as this clone.
                _ = reports.changed() => {}
                _ = alarms.changed() => {}
                () = self.0.tasks.draining() => {}
            }
        }
    }

    /// Resolves once the process drains.
    pub async fn draining(&self) {
        self.0.tasks.draining().await;
    }

    fn report(&self) -> Response {
        let checks: Vec<Value> = self
            .0
            .checks
            .lock()
            .iter()
            .map(|(name, state)| match state {
                Report::Ready => json!({ "name": name, "ready": true }),
                Report::Not(why) => json!({ "name": name, "ready": false, "detail": why }),
            })
            .chain(
                self.0
                    .tasks
                    .alarms()
                    .into_iter()
                    .map(|(name, why)| json!({ "name": name, "ready": false, "detail": why })),
            )
            .collect();
        if self.is_ready() {
            let body = json!({ "status": "ready", "checks": checks });
            return axum::Json(body).into_response();
        }
        let winds_down = self.0.winding_down.load(Ordering::Acquire);
        let why = if winds_down || self.0.tasks.is_draining() {
            DRAINING
        } else if self.0.booted.load(Ordering::Acquire) {
            "a check is not ready"
        } else {
            "starting"
        };
        Problem::new(ProblemType::Unavailable)
            .detail(why)
            .with("checks", checks)
            .into_response()
    }
}

impl Check {
    pub fn ready(&self) {
        self.set(Report::Ready);
    }

    /// Why it is not ready, in a few words; not told to be secret.
    pub fn not_ready(&self, why: impl Into<String>) {
        self.set(Report::Not(why.into()));
    }

    fn set(&self, state: Report) {
        self.health.0.checks.lock().insert(self.name, state);
        self.health.0.reports.send_modify(|reports| *reports += 1);
    }
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(health)
        .merge(
            Router::new()
                .route("/metrics", get(render))
                .with_state(metrics),
        )
        .method_not_allowed_fallback(async || Problem::new(ProblemType::MethodNotAllowed))
}

async fn alive() -> Response {
    let headers = [(CACHE_CONTROL, "no-store")];
    (headers, axum::Json(json!({ "status": "alive" }))).into_response()
}

async fn ready(State(health): State<Health>) -> Response {
    ([(CACHE_CONTROL, "no-store")], health.report()).into_response()
}

/// Prometheus text exposition format 0.0.4.
async fn render(State(metrics): State<Metrics>) -> Response {
    let media_type = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (media_type, metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn ready_means_booted_every_check_ready_and_not_draining() {
        let tasks = Tasks::new();
        let health = Health::new(tasks.clone());
        let status = |health: &Health| health.report().status().as_u16();
        assert_eq!(status(&health), 503);
        let check = health.check("orders follows inventory");
        health.booted();
        assert_eq!(status(&health), 503);
        check.ready();
        assert_eq!(status(&health), 200);
        check.not_ready("behind");
        assert_eq!(status(&health), 503);
        check.ready();
        tasks.drain(Duration::from_secs(1)).await;
        assert_eq!(status(&health), 503);
    }
}

//! Looks at each instance regularly, by `/readyz`.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pasar_chassis::{health::DRAINING, host::Host};
use serde_json::Value;

use super::{
    Pool,
    instance::{Instance, State},
};
use crate::config::{Upstreams, millis};

const MOST_BYTES: usize = 64 * 1024;

pub(super) fn watch(host: &Host, pool: &Pool, config: &Upstreams) {
    let (every, within) = (millis(config.health_ms), millis(config.health_timeout_ms));
    for instance in &pool.0.instances {
        let (pool, instance) = (pool.clone(), Arc::clone(instance));
        let tasks = host.tasks.clone();
        host.tasks.spawn("gateway health", async move {
            let watching = async {
                let mut was_silent = false;
                loop {
                    let found = look(&instance, within).await;
                    // Silent once, it may only have much to do: there may be nobody else.
                    let is_silent = found.is_none();
                    let found = found.or_else(|| was_silent.then_some(State::Down));
                    was_silent = is_silent;
                    if found.is_some_and(|state| instance.found(state)) {
                        pool.0.came_up.notify_one();
                    }
                    tokio::time::sleep(every).await;
                }
            };
            tokio::select! {
                () = watching => {}
                () = tasks.draining() => {}
            }
        });
    }
}

/// `None` if nothing is said in time.
async fn look(instance: &Instance, within: Duration) -> Option<State> {
    let asked = tokio::time::timeout(within, ask(instance, within)).await;
    asked.ok().map(|said| said.unwrap_or(State::Down))
}

/// By a connection of its own, so that a look also tells whether new ones are taken.
async fn ask(instance: &Instance, within: Duration) -> Option<State> {
    let stream = instance.connect(within).await.ok()?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let asking = async {
        let request = Request::get("/readyz")
            .header(HOST, instance.authority.as_str())
            .body(Body::empty())
            .ok()?;
        let response = sender.send_request(request).await.ok()?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST_BYTES);
        let body = body.collect().await.ok()?.to_bytes();
        Some((status, body))
    };
    tokio::pin!(asking);
    let mut driver = Box::pin(driver);
    let (status, body) = tokio::select! {
        answered = &mut asking => answered,
        _ = &mut driver => asking.await,
    }?;
    // One that has no such page answers, which is as good.
    if status.is_success() || status.is_client_error() {
        return Some(State::Up);
    }
    if status != StatusCode::SERVICE_UNAVAILABLE {
        return Some(State::Unready);
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    Some(if said["detail"] == DRAINING {
        State::Draining
    } else {
        State::Unready
    })
}

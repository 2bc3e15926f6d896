//! `grpc.health.v1.Health` (gRPC Health Checking Protocol): the process's readiness, by the name of each service
//! that it offers.

use std::sync::Arc;

use axum::{Router, extract::State, routing::post};
use futures_util::{Stream, StreamExt, stream};
use pasar_contracts::{
    grpc::health::{HEALTH, HealthCheckRequest, HealthCheckResponse, ServingStatus},
    problem::ProblemType,
};

use super::method::{Message, Replies, Reply, methods};
use crate::{health::Health, host::Host, problem::Problem};

/// What is asked of the process, and for which names.
struct Judge {
    host: Host,
    services: Vec<String>,
}

/// The routes, for a process that offers these services.
pub fn router(host: &Host, services: &[&str]) -> Router {
    let mut services: Vec<_> = services.iter().map(|&name| name.to_owned()).collect();
    services.extend([String::new(), HEALTH.to_owned()]);
    let judge = Arc::new(Judge {
        host: host.clone(),
        services,
    });
    let router = Router::new()
        .route("/grpc.health.v1.Health/Check", post(check))
        .route("/grpc.health.v1.Health/Watch", post(watch))
        .with_state(judge);
    methods(host, router)
}

impl Judge {
    fn knows(&self, service: &str) -> bool {
        self.services.iter().any(|known| known == service)
    }
}

async fn check(
    State(judge): State<Arc<Judge>>,
    Message(request): Message<HealthCheckRequest>,
) -> Result<Reply<HealthCheckResponse>, Problem> {
    if !judge.knows(&request.service) {
        return Err(Problem::new(ProblemType::NotFound).detail("this process has no such service"));
    }
    let health = &judge.host.health;
    Ok(Reply(response(serving(health.is_ready()))))
}

async fn watch(
    State(judge): State<Arc<Judge>>,
    Message(request): Message<HealthCheckRequest>,
) -> Replies {
    let tasks = &judge.host.tasks;
    if judge.knows(&request.service) {
        let changes = changes(judge.host.health.clone());
        return Replies::to_the_end(tasks, changes);
    }
    // The protocol keeps the stream open: the service may come.
    let unknown = stream::once(async { response(ServingStatus::ServiceUnknown) });
    Replies::new(tasks, unknown.chain(stream::pending()))
}

/// How it stands, and each change. Ends once the drain is told.
fn changes(health: Health) -> impl Stream<Item = HealthCheckResponse> {
    stream::unfold((health, None), async |(health, told)| {
        let ready = match told {
            None => health.is_ready(),
            Some(true) => {
                health.becomes(false).await;
                false
            }
            Some(false) => {
                tokio::select! {
                    () = health.becomes(true) => {}
                    () = health.draining() => return None,
                }
                true
            }
        };
        Some((response(serving(ready)), (health, Some(ready))))
    })
}

const fn serving(ready: bool) -> ServingStatus {
    if ready {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

//! Health over gRPC, as a client that watches it sees a process come and go.

use std::time::Duration;

use axum::{Router, body::Body, response::Response};
use http::Request;
use http_body_util::BodyExt;
use pasar_chassis::{grpc, host::Host, keyring::Keyring};
use pasar_contracts::grpc::health::{HealthCheckRequest, HealthCheckResponse, ServingStatus};
use pasar_store::ids::SystemIds;
use prost::Message;
use tempfile::TempDir;
use tower::ServiceExt;

const ORDERS: &str = "pasar.orders.v1.Orders";
/// How long a test waits for what must happen.
const DEADLINE: Duration = Duration::from_secs(20);

fn process() -> (TempDir, Host, Router) {
    let data = tempfile::tempdir().unwrap();
    let keyring = Keyring::ephemeral(&SystemIds::default());
    let host = Host::system(data.path(), keyring, "http://localhost");
    let router = grpc::health::router(&host, &[ORDERS]);
    (data, host, router)
}

async fn ask(router: &Router, method: &str, service: &str) -> Response {
    let message = HealthCheckRequest {
        service: service.to_owned(),
    };
    let message = message.encode_to_vec();
    let framed = [&grpc::prefix(message.len())[..], &message].concat();
    let request = Request::post(format!("/grpc.health.v1.Health/{method}"))
        .header("content-type", "application/grpc")
        .body(Body::from(framed))
        .unwrap();
    router.clone().oneshot(request).await.unwrap()
}

/// The next status, or the code that it ended with.
async fn next(response: &mut Response) -> Result<ServingStatus, String> {
    let frame = tokio::time::timeout(DEADLINE, response.body_mut().frame()).await;
    match frame.unwrap().unwrap().unwrap().into_data() {
        Ok(data) => Ok(HealthCheckResponse::decode(&data[grpc::PREFIX_BYTES..])
            .unwrap()
            .status()),
        Err(frame) => {
            let trailers = frame.into_trailers().unwrap();
            Err(trailers["grpc-status"].to_str().unwrap().to_owned())
        }
    }
}

#[tokio::test]
async fn a_watch_tells_how_a_process_comes_and_goes() {
    let (_data, host, router) = process();
    let check = host.health.check("orders follows inventory");
    let mut watch = ask(&router, "Watch", ORDERS).await;
    assert_eq!(next(&mut watch).await, Ok(ServingStatus::NotServing));
    host.health.booted();
    check.ready();
    assert_eq!(next(&mut watch).await, Ok(ServingStatus::Serving));
    check.not_ready("behind");
    assert_eq!(next(&mut watch).await, Ok(ServingStatus::NotServing));
    check.ready();
    assert_eq!(next(&mut watch).await, Ok(ServingStatus::Serving));
    let mut late = ask(&router, "Watch", "").await;
    assert_eq!(next(&mut late).await, Ok(ServingStatus::Serving));
    host.tasks.drain(DEADLINE).await;
    for watch in [&mut watch, &mut late] {
        assert_eq!(next(watch).await, Ok(ServingStatus::NotServing));
        assert_eq!(next(watch).await, Err("14".to_owned()));
    }
}

/// What a watch tells that waits already when something happens.
async fn told_of(watch: &mut Response, happens: impl FnOnce()) -> Result<ServingStatus, String> {
    let (told, ()) = tokio::join!(biased; next(watch), async { happens() });
    told
}

#[tokio::test]
async fn a_watch_tells_of_an_alarm_and_of_its_end() {
    let (_data, host, router) = process();
    host.health.booted();
    let mut watch = ask(&router, "Watch", ORDERS).await;
    assert_eq!(next(&mut watch).await, Ok(ServingStatus::Serving));
    let alarm = host.tasks.alarm("orders follows inventory".to_owned());
    let told = told_of(&mut watch, || alarm.raise("`pasar reconcile`".to_owned())).await;
    assert_eq!(told, Ok(ServingStatus::NotServing));
    let told = told_of(&mut watch, || alarm.clear()).await;
    assert_eq!(told, Ok(ServingStatus::Serving));
    let told = told_of(&mut watch, || host.health.winds_down()).await;
    assert_eq!(told, Ok(ServingStatus::NotServing));
}

#[tokio::test]
async fn a_check_knows_the_process_and_what_it_offers() {
    let (_data, host, router) = process();
    for (service, status) in [
        (ORDERS, ServingStatus::NotServing),
        ("", ServingStatus::NotServing),
    ] {
        let mut answer = ask(&router, "Check", service).await;
        assert_eq!(next(&mut answer).await, Ok(status));
    }
    host.health.booted();
    let mut answer = ask(&router, "Check", ORDERS).await;
    assert_eq!(next(&mut answer).await, Ok(ServingStatus::Serving));
    let answer = ask(&router, "Check", "nobody").await;
    assert_eq!(answer.headers()["grpc-status"], "5");
    let mut watch = ask(&router, "Watch", "nobody").await;
    assert_eq!(next(&mut watch).await, Ok(ServingStatus::ServiceUnknown));
}

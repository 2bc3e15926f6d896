//! gRPC passes with its trailers, and what the gateway refuses is refused in its way.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pasar_chassis::{host::Host, keyring::Keyring};
use pasar_contracts::{
    api::users::Role,
    event::Service,
    events::users::{SessionEnd, SessionEnded},
};
use pasar_store::ids::SystemIds;
use pasar_types::id::UserId;
use tokio::net::TcpStream;

use crate::support::{System, elsewhere, eventually, orders};

const SOON: Duration = Duration::from_secs(10);

async fn call(system: &System, path: &str, credential: Option<&str>) -> Response<Incoming> {
    let authorization = credential.map(|credential| format!("Bearer {credential}"));
    let header = authorization.map(|value| ("authorization", value));
    call_with(system, path, header).await
}

async fn call_with(
    system: &System,
    path: &str,
    header: Option<(&str, String)>,
) -> Response<Incoming> {
    call_at(system.address, path, header).await
}

async fn call_at(
    address: SocketAddr,
    path: &str,
    header: Option<(&str, String)>,
) -> Response<Incoming> {
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let message = Full::new(Bytes::from_static(b"\0\0\0\0\x01x"));
    sender
        .send_request(request.body(message).unwrap())
        .await
        .unwrap()
}

/// The next message, or the trailers.
async fn next(response: &mut Response<Incoming>) -> Result<Bytes, HeaderMap> {
    let frame = tokio::time::timeout(SOON, response.body_mut().frame()).await;
    let frame = frame.unwrap().expect("trailers come first").unwrap();
    match frame.into_data() {
        Ok(data) => Ok(data),
        Err(frame) => Err(frame.into_trailers().unwrap()),
    }
}

#[tokio::test]
async fn messages_come_as_they_are_sent_and_trailers_at_the_end() {
    let system = System::start().await;
    let mut response = call(&system, "/test.v1.Orders/Ticks", None).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    for tick in ["a", "b"] {
        system.orders.ticks.send(tick.to_owned()).unwrap();
        let message = next(&mut response).await.unwrap();
        assert_eq!(&message[..], [&[0, 0, 0, 0, 1], tick.as_bytes()].concat());
    }
    system.orders.ticks.send("end".to_owned()).unwrap();
    let trailers = next(&mut response).await.unwrap_err();
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn what_is_refused_says_so_as_grpc_does() {
    let system = System::start().await;
    for (path, credential, status, problem) in [
        ("/test.v1.Orders/Other", None, "12", "not-found"),
        ("/test.v1.Nobody/Ticks", None, "12", "not-found"),
        (
            "/test.v1.Orders/Ticks",
            Some("nonsense"),
            "16",
            "unauthenticated",
        ),
    ] {
        let response = call(&system, path, credential).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["grpc-status"], status, "{path}");
        assert_eq!(response.headers()["pasar-problem"], problem, "{path}");
        assert_eq!(response.headers()["content-type"], "application/grpc");
    }
    // Others are told as before.
    let response = system.get("/test.v1.Nobody/Ticks").await;
    assert_eq!(response.status(), 404);
}

/// A service that hangs does not keep its own callers' deadlines.
#[tokio::test]
async fn a_caller_that_is_less_patient_is_answered_by_its_own_deadline() {
    let system = System::start().await;
    let header = Some(("grpc-timeout", "50m".to_owned()));
    let response = call_with(&system, "/test.v1.Orders/Held", header).await;
    assert_eq!(response.headers()["grpc-status"], "4");
    system.orders.release.notify_waiters();
}

#[tokio::test]
async fn what_is_no_health_check_is_refused_by_the_gateway_itself() {
    let system = System::start().await;
    let mut response = call(&system, "/grpc.health.v1.Health/Watch", None).await;
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let refused = response.headers().get("grpc-status").cloned();
    assert_eq!(refused.unwrap(), "3", "the message is cut off");
    assert!(response.body_mut().frame().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_with_its_credentials_and_says_why() {
    let system = System::start().await;
    let (session, token) = system.logged_in(1, &[Role::Customer]);
    let mut response = call(&system, "/test.v1.Orders/Ticks", Some(&token)).await;
    eventually("the stream", || system.orders.open_streams() == 1).await;
    system.users.end_session(session);
    system.feed.append(&SessionEnded {
        user_id: UserId::from_bytes([1; 16]),
        session_id: session,
        reason: SessionEnd::Revoked,
    });
    let trailers = next(&mut response).await.unwrap_err();
    assert_eq!(trailers["grpc-status"], "16");
    eventually("the end", || system.orders.open_streams() == 0).await;
}

/// As a process that is killed: its sockets close, and nothing is said.
#[tokio::test]
async fn a_stream_whose_service_is_killed_ends_as_unavailable() {
    let keyring = Keyring::ephemeral(&SystemIds::default());
    let process = tokio::runtime::Runtime::new().unwrap();
    let orders = Arc::new(orders::FakeOrders::default());
    let (ring, served) = (keyring.clone(), Arc::clone(&orders));
    let serving = process.spawn(async move {
        let host = Host::system(".", ring, "http://pasar.test");
        let running = orders::running(served);
        (
            elsewhere::serve_one(&host, Service::Orders, running).await,
            host,
        )
    });
    let (instance, host) = serving.await.unwrap();
    host.health.booted();
    let remote = elsewhere::remote(Service::Orders, &[instance]);
    let (_gateway, address) = elsewhere::gateway(&keyring, remote).await;
    let mut response = call_at(address, "/test.v1.Orders/Ticks", None).await;
    orders.ticks.send("a".to_owned()).unwrap();
    assert!(next(&mut response).await.is_ok());
    process.shutdown_background();
    let trailers = next(&mut response).await.unwrap_err();
    assert_eq!(trailers["grpc-status"], "14");
    assert!(trailers.contains_key("grpc-message"));
}

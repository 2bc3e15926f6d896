//! The end of the process: what is in flight is answered, nothing new is taken.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::support::{System, eventually, raw};

#[tokio::test]
async fn a_request_in_flight_is_answered_and_then_the_gateway_is_gone() {
    let system = System::start().await;
    let url = system.url("/v1/orders/held");
    let in_flight = tokio::spawn(async move { reqwest::get(url).await.unwrap() });
    eventually("the request reaching the service", || {
        system.orders.open_streams() == 1
    })
    .await;
    let mut idle = TcpStream::connect(system.address).await.unwrap();
    let tasks = system.host.tasks.clone();
    let drain = tokio::spawn(async move { tasks.drain(Duration::from_secs(10)).await });
    eventually("the drain", || system.host.tasks.is_draining()).await;
    assert!(
        raw::is_closed_within(&mut idle, Duration::from_secs(5)).await,
        "idle connections are closed"
    );
    system.orders.release.notify_waiters();
    let answer = in_flight.await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "released");
    assert_eq!(
        drain.await.unwrap(),
        Vec::<&str>::new(),
        "nothing had to be aborted"
    );
    assert!(
        TcpStream::connect(system.address).await.is_err(),
        "the port is free"
    );
}

#[tokio::test]
async fn readiness_ends_when_the_drain_begins() {
    let system = System::start().await;
    assert_eq!(system.get("/readyz").await.status(), 200);
    let url = system.url("/v1/orders/held");
    let in_flight =
        tokio::spawn(async move { reqwest::get(url).await.map(|answer| answer.status()) });
    eventually("the request reaching the service", || {
        system.orders.open_streams() == 1
    })
    .await;
    let tasks = system.host.tasks.clone();
    tokio::spawn(async move { tasks.drain(Duration::from_secs(10)).await });
    eventually("the drain", || !system.host.health.is_ready()).await;
    system.orders.release.notify_waiters();
    assert_eq!(in_flight.await.unwrap().unwrap(), 200);
}

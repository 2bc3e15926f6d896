//! Every process of every service ends and starts again, one after the other, and no client notices: also when
//! those that end are of an earlier version (`PREVIOUS_PROGRAM`), and both versions serve from one database meanwhile.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pasar_testkit::servers::Server;
use reqwest::Method;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::SERVICES;
use crate::{
    api::{Api, fresh_key, order_of},
    crash::number,
    system::{Folder, System},
};

const CLIENTS: usize = 2;
const EVERY: Duration = Duration::from_millis(250);
/// What each client must have been answered in the end, at least.
const LEAST_REQUESTS: usize = 50;

#[derive(Default)]
struct Count {
    stop: AtomicBool,
    answered: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_every_service_fails_no_request() {
    let Some(server) = Server::alone("postgres").await else {
        return;
    };
    let previous = std::env::var_os("PREVIOUS_PROGRAM").map(PathBuf::from);
    let mut system = tokio::task::block_in_place(|| {
        let mut folder = Folder::of_cluster(&server.postgres_url(), "");
        folder.start_with_program(previous);
        System::start_in(folder)
    });
    system.go_on_with_this_version();
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    let integrator = system.api("INTEGRATOR");
    staff.product("rolling-tea", 900_000).await;
    let count = Arc::<Count>::default();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let apis = [kiosk.clone(), staff.clone(), integrator.clone()];
            tokio::spawn(use_everything(apis, Arc::clone(&count)))
        })
        .collect();
    let mut restarts = 0;
    for _ in 0..number("CHAOS_PASSES").unwrap_or(1) {
        for service in SERVICES {
            for number in 0..2 {
                tokio::task::block_in_place(|| {
                    system.end_instance(service, number);
                    system.revive_instance(service, number);
                });
                restarts += 1;
            }
        }
    }
    count.stop.store(true, Relaxed);
    let mut orders = Vec::new();
    for client in clients {
        orders.extend(client.await.unwrap());
    }
    for id in &orders {
        assert_eq!(staff.settled(id).await["state"], "confirmed");
    }
    let answered = count.answered.load(Relaxed);
    assert!(
        answered >= LEAST_REQUESTS * CLIENTS,
        "there was no load: {answered}"
    );
    println!("proof: | {restarts} | {answered} | 0 | {} |", orders.len());
    tokio::task::block_in_place(|| drop(system));
}

/// Asks each service something at a steady rate, each once: what fails, fails the test.
async fn use_everything([kiosk, staff, integrator]: [Api; 3], count: Arc<Count>) -> Vec<String> {
    let mut orders = Vec::new();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let once = async |request: reqwest::RequestBuilder| {
        let answer = crate::api::send(request).await;
        assert!(
            (200..300).contains(&answer.status),
            "{}: {:#}",
            answer.status,
            answer.body
        );
        count.answered.fetch_add(1, Relaxed);
        answer.body
    };
    while !count.stop.load(Relaxed) {
        tick.tick().await;
        let order = order_of(&[("rolling-tea", 1)], "tok_ok");
        let request = kiosk
            .request(Method::POST, "/v1/orders")
            .header("idempotency-key", fresh_key());
        let placed = once(request.json(&order)).await;
        let id = placed["id"].as_str().unwrap().to_owned();
        once(staff.request(Method::GET, &format!("/v1/orders/{id}"))).await;
        once(kiosk.request(Method::GET, "/v1/products/rolling-tea")).await;
        once(integrator.request(Method::GET, "/v1/users/me")).await;
        let message = json!({ "text": "halo" });
        once(
            integrator
                .request(Method::POST, "/v1/messages")
                .json(&message),
        )
        .await;
        orders.push(id);
    }
    orders
}

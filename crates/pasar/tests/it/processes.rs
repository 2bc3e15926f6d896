//! Services that run apart: what is down is missed by nobody longer than it is down, and nothing is lost.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pasar_testkit::process::Process;
use reqwest::Method;

use crate::{
    api::{Api, fresh_key, order_of},
    ports::free_ports,
    system::{APART, Folder, Shape, System, ready_at},
};

/// How long a service is down in the suite; `OUTAGE_S` says otherwise.
const OUTAGE: Duration = Duration::from_secs(3);
const CLIENTS: usize = 4;
/// Orders that are acknowledged before a kill, and after it.
const BETWEEN_KILLS: usize = 20;
/// How long orders may take to flow again.
const PATIENCE: Duration = Duration::from_secs(30);

fn apart(config: &str) -> System {
    System::start_in(Folder::of_shape(Shape::Apart, config))
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_taken_while_inventory_is_down_and_settle_when_it_returns() {
    let mut system = apart("");
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("away-tea", 10_000).await;
    let order = order_of(&[("away-tea", 1)], "tok_ok");
    let before = kiosk.order(10, &order).await.expect(201);
    assert_eq!(before["state"], "confirmed");

    system.kill("inventory");
    let begun = Instant::now();
    let seconds = std::env::var("OUTAGE_S").map(|seconds| seconds.parse().unwrap());
    let outage = seconds.map_or(OUTAGE, Duration::from_secs);
    let mut placed = Vec::new();
    while begun.elapsed() < outage {
        let order = kiosk.order(0, &order).await.expect(201);
        assert_eq!(order["state"], "placed");
        placed.push(order["id"].as_str().unwrap().to_owned());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let menu = kiosk.get("/v1/products").await;
    assert_eq!(menu.status, 503, "{:#}", menu.body);
    assert!(placed.len() > 10, "there was no load: {}", placed.len());

    system.revive("inventory");
    for id in &placed {
        assert_eq!(staff.settled(id).await["state"], "confirmed");
    }
    system.quiet().await;
    println!(
        "inventory was down for {outage:?}: {} orders were taken, all settled after {:?}",
        placed.len(),
        begun.elapsed() - outage
    );
    let sold = i64::try_from(placed.len()).unwrap() + 1;
    assert_eq!(staff.stock("away-tea").await, (10_000 - sold, 0));
}

/// What a client was told, by the key of its request.
type Told = BTreeMap<String, String>;

/// Places orders until told to stop. What is not acknowledged is asked again with its key.
async fn place_orders(api: Api, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Told {
    let mut told = Told::new();
    while !stop.load(Relaxed) {
        let key = fresh_key();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "no order was taken for so long");
            let request = api
                .request(Method::POST, "/v1/orders")
                .header("idempotency-key", &key)
                .json(&order_of(&[("kill-tea", 1)], "tok_ok"));
            let Ok(response) = request.send().await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let status = response.status().as_u16();
            if status == 201 {
                let order: serde_json::Value = response.json().await.unwrap();
                told.insert(key, order["id"].as_str().unwrap().to_owned());
                count.fetch_add(1, Relaxed);
                break;
            }
            assert_eq!(status, 503, "{}", response.text().await.unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    told
}

async fn reaches(count: &AtomicUsize, wanted: usize, when: &str) {
    let begun = Instant::now();
    while count.load(Relaxed) < wanted {
        assert!(begun.elapsed() < PATIENCE, "orders do not flow {when}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_of_each_service_in_turn_loses_nothing() {
    let mut system = apart("");
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("kill-tea", 900_000).await;
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
            tokio::spawn(place_orders(kiosk.clone(), stop, count))
        })
        .collect();
    for name in APART {
        let before = count.load(Relaxed);
        reaches(
            &count,
            before + BETWEEN_KILLS,
            &format!("before {name} is killed"),
        )
        .await;
        system.kill(name);
        let killed = Instant::now();
        system.revive(name);
        let before = count.load(Relaxed);
        reaches(&count, before + 1, &format!("after {name} was killed")).await;
        println!("{name}: orders flow again after {:?}", killed.elapsed());
        reaches(
            &count,
            before + BETWEEN_KILLS,
            &format!("after {name} was killed"),
        )
        .await;
    }
    stop.store(true, Relaxed);
    let mut told = Told::new();
    for client in clients {
        told.extend(client.await.unwrap());
    }
    let orders: std::collections::BTreeSet<_> = told.values().collect();
    assert_eq!(orders.len(), told.len(), "two keys were told one order");
    for id in orders {
        assert_eq!(staff.settled(id).await["state"], "confirmed");
    }
    system.quiet().await;
    let sold = i64::try_from(told.len()).unwrap();
    assert_eq!(staff.stock("kill-tea").await, (900_000 - sold, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_with_different_keyrings_refuse_each_other_and_both_say_so() {
    let folder = Folder::of_shape(Shape::Apart, "");
    let mut users = Process::start(&mut folder.command_of("users")).unwrap();
    ready_at(&mut users).unwrap();
    let other = r#"{"roots":[{"id":1,"secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
    let mut gateway = folder.command_of("gateway");
    gateway.env("PASAR_KEYRING", other);
    let mut gateway = Process::start(&mut gateway).unwrap();
    let url = ready_at(&mut gateway).unwrap();
    let api = Api::new(&url, Some(folder.key("STAFF")));
    let answer = api.get("/v1/users/me").await;
    assert_eq!(answer.status, 503, "{:#}", answer.body);
    let log = folder.log_text();
    assert!(log.contains("signed with another key"), "{log}");
    assert!(
        log.contains("does not accept this gateway's identity"),
        "{log}"
    );
    assert!(log.matches("the same keyring").count() >= 2, "{log}");
}

/// Nobody gets past the gateway by asking a service itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_answers_nobody_without_a_signed_identity() {
    let folder = Folder::of_shape(Shape::Apart, "");
    let mut users = Process::start(&mut folder.command_of("users")).unwrap();
    let url = ready_at(&mut users).unwrap();
    let admin = Api::new(&url, Some(folder.key("ADMIN")));
    for path in [
        "/v1/users",
        "/internal/v1/services/users",
        "/v1/feeds/users",
        "/v1/nothing",
    ] {
        let request = admin.request(Method::GET, path);
        let plain = crate::api::send(request).await;
        assert_eq!(plain.status, 401, "{path}");
        let request = admin.request(Method::GET, path);
        let forged = request.header("x-pasar-identity", "v1.eyJhY3RvciI6Im9wZXJhdG9yIn0.AAAA");
        assert_eq!(crate::api::send(forged).await.status, 401, "{path}");
    }
    admin.get("/healthz").await.expect(200);
    admin.get("/readyz").await.expect(200);
}

/// Where the loyalty example of this repository lies.
const LOYALTY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/loyalty/loyalty.py"
);
const LOYALTY_SECRET: &str = "a secret of this test alone";
/// Minor units for which it gives a point.
const PER_POINT: i64 = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_in_another_language_counts_each_order_once_although_it_is_killed() {
    let [port] = free_ports::<1>();
    let system = System::start_with(&format!(
        "[services.loyalty]\nurls = [\"http://127.0.0.1:{port}\"]\nprefixes = [\"/v1/loyalty\"]\n\
         secret = \"{LOYALTY_SECRET}\"\n"
    ));
    let folder = tempfile::tempdir().unwrap();
    let (customer, staff) = (system.api("CUSTOMER"), system.api("STAFF"));
    staff.product("point-tea", 1_000).await;
    let start = || {
        let mut command = Command::new("python3");
        command
            .arg(LOYALTY)
            .env("PASAR", system.url())
            .env("LOYALTY_KEY", system.folder().key("INTEGRATOR"))
            .env("LOYALTY_SECRET", LOYALTY_SECRET)
            .env("LOYALTY_PORT", port.to_string())
            .env("LOYALTY_DATABASE", folder.path().join("loyalty.db"));
        let mut process = Process::start(&mut command).expect("python3 is installed");
        process.wait_for_line("loyalty is ready").unwrap();
        process
    };
    let mut loyalty = start();
    let order = order_of(&[("point-tea", 2)], "tok_ok");
    let mut orders = 0;
    let mut points = 0;
    for _ in 0..4 {
        for _ in 0..5 {
            let placed = customer.order(10, &order).await.expect(201);
            assert_eq!(placed["state"], "confirmed");
            points += placed["total"]["amount_minor"].as_i64().unwrap() / PER_POINT;
            orders += 1;
        }
        // In the middle of taking them, wherever that is.
        loyalty.kill().unwrap();
        loyalty = start();
    }
    let begun = Instant::now();
    let mine = loop {
        let answer = customer.get("/v1/loyalty/me").await;
        if answer.status == 200 && answer.body["orders"] == orders {
            break answer.body;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(mine["points"], points);
    // It counted what it was told, not more, a moment later either.
    system.quiet().await;
    let again = customer.get("/v1/loyalty/me").await.expect(200);
    assert_eq!(
        (&again["orders"], &again["points"]),
        (&mine["orders"], &mine["points"])
    );

    assert_eq!(system.anonymous().get("/v1/loyalty/me").await.status, 401);
    let forged = customer
        .request(Method::GET, "/v1/loyalty/me")
        .header("x-pasar-identity", "v1.eyJhY3RvciI6InVzZXI6dXNyXzEifQ.AAAA");
    assert_eq!(crate::api::send(forged).await.expect(200)["orders"], orders);
    // Nobody gets what is not theirs by asking it itself.
    let direct = Api::new(&format!("http://127.0.0.1:{port}"), None);
    assert_eq!(direct.get("/v1/loyalty/me").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_is_followed_with_a_scope_of_its_own_and_without_what_is_private() {
    let system = System::start();
    let (kiosk, integrator) = (system.api("KIOSK"), system.api("INTEGRATOR"));
    system.api("STAFF").product("feed-tea", 10).await;
    let order = order_of(&[("feed-tea", 1)], "tok_ok");
    kiosk.order(10, &order).await.expect(201);
    let page = integrator.get("/v1/feeds/orders?after=0").await.expect(200);
    let events = page["events"].as_array().unwrap();
    assert_eq!(events[0]["type"], "order.placed.v1");
    for (event, place) in events.iter().zip(1..) {
        assert_eq!(event["sequence"], place.to_string());
        assert_eq!(event.get("private"), None, "{event:#}");
    }
    let third = format!("{}.3", page["head"]["epoch"].as_str().unwrap());
    let request = integrator
        .request(Method::GET, "/v1/feeds/orders")
        .header("accept", "text/event-stream")
        .header("last-event-id", third);
    let response = request.send().await.unwrap();
    let bytes = axum::body::Body::from_stream(response.bytes_stream());
    let mut stream = pasar_testkit::sse::EventStream::new(bytes);
    let head = stream.next().await.unwrap();
    assert_eq!(head.event.as_deref(), Some("head"));
    let next = stream.next().await.unwrap();
    assert!(next.id.unwrap().ends_with(".4"));

    assert_eq!(kiosk.get("/v1/feeds/orders").await.status, 403);
    assert_eq!(system.anonymous().get("/v1/feeds/orders").await.status, 401);
    assert_eq!(integrator.get("/v1/feeds/gateway").await.status, 404);
    let beyond = format!("{}.99999", page["head"]["epoch"].as_str().unwrap());
    for never in ["epo_01h455vb4pex5vsknk084sn02q.3", &beyond] {
        let other = integrator
            .request(Method::GET, "/v1/feeds/orders")
            .header("accept", "text/event-stream")
            .header("last-event-id", never);
        assert_eq!(crate::api::send(other).await.problem(), "feed-diverged");
    }
}

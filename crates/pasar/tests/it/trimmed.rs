//! Services that keep their feeds for seconds: whoever joins then agrees with those who were there from the start, and
//! whoever was away for longer says so.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use pasar_store::scratch;
use pasar_testkit::process::Process;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    api::{Api, order_of},
    system::{Folder, Shape, System, program},
};

const KEEP: &str = "feeds.keep_s = 2";
const PATIENCE: Duration = Duration::from_secs(60);
const TEA: &str = "brief-tea";
const UNITS: u32 = 10_000;
/// Of one order of two.
const POINTS: i64 = 30;
const LOYALTY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/loyalty/loyalty.py"
);
const FEEDS: [&str; 5] = ["users", "inventory", "orders", "payments", "relay"];

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn head(integrator: &Api, service: &str) -> (i64, i64) {
    let page = integrator
        .get(&format!("/v1/feeds/{service}?limit=0"))
        .await
        .expect(200);
    let place = |name: &str| page["head"][name].as_i64().unwrap_or_default();
    (place("sequence"), place("trimmed"))
}

/// Waits until a feed is trimmed up to where its head is now.
async fn trimmed(integrator: &Api, service: &str) -> i64 {
    let (now, _) = head(integrator, service).await;
    until(
        &format!("the feed of {service} is not trimmed"),
        async || {
            let (_, trimmed) = head(integrator, service).await;
            (trimmed >= now).then_some(trimmed)
        },
    )
    .await
}

/// Orders that are confirmed.
async fn confirmed(system: &System, count: usize) -> Vec<String> {
    let customer = system.api("CUSTOMER");
    let order = order_of(&[(TEA, 2)], "tok_ok");
    let mut ids = Vec::new();
    for _ in 0..count {
        let placed = customer.order(10, &order).await.expect(201);
        assert_eq!(placed["state"], "confirmed");
        ids.push(placed["id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn collect(system: &System, ids: &[String]) {
    let staff = system.api("STAFF");
    for id in ids {
        for step in ["start", "ready", "collect"] {
            let path = format!("/v1/orders/{id}/{step}");
            staff.post(&path, &json!({})).await.expect_success();
        }
    }
}

/// The loyalty example on a database of its own.
struct Loyalty {
    process: Process,
    folder: tempfile::TempDir,
}

impl Loyalty {
    fn start(system: &System) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Self::process(system, folder.path());
        Self { process, folder }
    }

    fn process(system: &System, folder: &Path) -> Process {
        let mut command = Command::new("python3");
        command
            .arg(LOYALTY)
            .env("PASAR", system.url())
            .env("LOYALTY_KEY", system.folder().key("INTEGRATOR"))
            .env("LOYALTY_SECRET", "nobody asks it")
            .env("LOYALTY_PORT", "0")
            .env("LOYALTY_DATABASE", folder.join("loyalty.db"));
        let mut process = Process::start(&mut command).expect("python3 is installed");
        process.wait_for_line("loyalty is ready").unwrap();
        process
    }

    fn kill_and_start(&mut self, system: &System) {
        self.process.kill().unwrap();
        self.process = Self::process(system, self.folder.path());
    }

    /// (orders, points) that it counted, and the orders that it knows.
    fn counted(&self) -> (i64, i64, Vec<String>) {
        let db = Connection::open(self.folder.path().join("loyalty.db")).unwrap();
        let (orders, points) = db
            .query_row(
                "SELECT COALESCE(SUM(orders), 0), COALESCE(SUM(points), 0) FROM points",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        let mut placed = db.prepare("SELECT id FROM placed ORDER BY id").unwrap();
        let placed = placed.query_map([], |row| row.get(0)).unwrap();
        (orders, points, placed.map(Result::unwrap).collect())
    }

    async fn counts(&self, orders: i64) -> (i64, i64, Vec<String>) {
        until(&format!("it does not count {orders} orders"), async || {
            let counted = self.counted();
            (counted.0 == orders).then_some(counted)
        })
        .await
    }
}

/// Each service apart; twice on PostgreSQL where that is under test.
fn apart() -> (System, Shape) {
    let shape = match Shape::under_test() {
        Shape::One => Shape::Apart,
        other => other,
    };
    let system = System::start_in(Folder::of_shape(shape, KEEP));
    (system, shape)
}

fn end(system: &mut System, shape: Shape, name: &str) {
    for number in 0..shape.instances(name) {
        system.end_instance(name, number);
    }
}

fn revive(system: &mut System, shape: Shape, name: &'static str) {
    for number in 0..shape.instances(name) {
        system.revive_instance(name, number);
    }
}

fn empty_relay(system: &System) {
    let place = system.folder().place("relay");
    match place.file() {
        Some(file) => {
            for more in ["", "-wal", "-shm"] {
                let mut name = file.as_os_str().to_owned();
                name.push(more);
                let _ = std::fs::remove_file(name);
            }
        }
        None => scratch::remove(&place).unwrap(),
    }
}

/// A service that is down begins anew with what others keep, where it has to; answers with how many that is.
#[track_caller]
fn reconcile(system: &System, follower: &str) -> usize {
    let data = system.folder().data();
    let anew = FEEDS.iter().filter(|publisher| {
        let mut command = program();
        command
            .args(["reconcile", follower, publisher, "--yes", "--data"])
            .arg(&data)
            .arg("--config")
            .arg(data.with_file_name("pasar.toml"));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}");
        said.contains("begins with a snapshot")
    });
    anew.count()
}

/// Waits until a service says what has to be run.
async fn says(system: &System, shape: Shape, name: &'static str, advice: &str) {
    let urls: Vec<_> = (0..shape.instances(name))
        .map(|number| format!("http://127.0.0.1:{}", system.folder().port(name, number)))
        .collect();
    until(&format!("{name} does not say {advice}"), async || {
        for url in &urls {
            let ready = Api::new(url, None).get("/readyz").await;
            if ready.status == 503 && ready.body.to_string().contains(advice) {
                return Some(());
            }
        }
        None
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_after_feeds_were_trimmed_agrees_with_who_was_there_from_the_start() {
    let (mut system, shape) = apart();
    let integrator = system.api("INTEGRATOR");
    system.api("STAFF").product(TEA, UNITS).await;
    let first = Loyalty::start(&system);
    let ended = confirmed(&system, 6).await;
    collect(&system, &ended).await;
    let mut open = confirmed(&system, 3).await;
    assert_eq!(first.counts(9).await.1, 9 * POINTS);
    for service in ["inventory", "orders", "payments"] {
        trimmed(&integrator, service).await;
    }

    // What is gone is refused, in whatever way it is asked for.
    let gone = integrator.get("/v1/feeds/orders?after=0").await;
    assert_eq!((gone.status, gone.problem()), (410, "feed-trimmed"));
    let snapshot = gone.body["snapshot"].as_str().unwrap();
    let part = integrator.get(snapshot).await.expect(200);
    let told = part["events"].as_array().unwrap();
    assert!(told.iter().all(|event| event.get("private").is_none()));
    let subjects = told.iter().map(|event| event["subject"].as_str().unwrap());
    let subjects: std::collections::BTreeSet<_> = subjects.collect();
    assert_eq!(subjects, open.iter().map(String::as_str).collect());
    assert_eq!(system.api("KIOSK").get(snapshot).await.status, 403);
    assert_eq!(system.anonymous().get(snapshot).await.status, 401);
    // An order that has ended stands; how it came to that is not told any more. One that is open is told whole.
    let customer = system.api("CUSTOMER");
    let path = format!("/v1/orders/{}", ended[0]);
    assert_eq!(customer.get(&path).await.expect(200)["state"], "collected");
    let changes = customer.get(&format!("{path}/events")).await;
    assert_eq!((changes.status, changes.problem()), (410, "no-longer-kept"));
    let mut changes = customer
        .stream(&format!("/v1/orders/{}/events", open[0]))
        .await;
    let placed = changes.next().await.unwrap();
    assert_eq!(placed.event.as_deref(), Some("order.placed"));

    let mut late = Loyalty::start(&system);
    end(&mut system, shape, "relay");
    empty_relay(&system);
    revive(&mut system, shape, "relay");
    let more = confirmed(&system, 4).await;
    late.kill_and_start(&system);
    collect(&system, &open[..1]).await;
    let (_, all, _) = first.counts(13).await;
    let (_, points, placed) = late.counts(7).await;
    assert_eq!(
        points,
        all - 6 * POINTS,
        "what had ended before it does not know"
    );
    open.extend(more);
    open.sort();
    assert_eq!(placed, open);
    system.quiet().await;
    assert!(
        system
            .folder()
            .log_text()
            .contains("following begins with a snapshot")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_away_for_longer_than_feeds_are_kept_says_so_and_begins_anew() {
    let (mut system, shape) = apart();
    let integrator = system.api("INTEGRATOR");
    system.api("STAFF").product(TEA, UNITS).await;
    let open = confirmed(&system, 2).await;
    system.quiet().await;
    end(&mut system, shape, "relay");
    let ended = confirmed(&system, 3).await;
    collect(&system, &ended).await;
    for service in ["inventory", "orders", "payments"] {
        trimmed(&integrator, service).await;
    }
    revive(&mut system, shape, "relay");
    says(&system, shape, "relay", "pasar reconcile relay orders").await;
    end(&mut system, shape, "relay");
    let anew = reconcile(&system, "relay");
    assert!(anew >= 3, "{anew} were to be begun anew");
    revive(&mut system, shape, "relay");
    confirmed(&system, 2).await;
    collect(&system, &open).await;
    system.quiet().await;
}

/// An order ends only once all have answered, so that whoever begins anew finds all that it has to answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_service_that_was_away_for_too_long_is_settled_once_it_has_begun_anew() {
    let (mut system, shape) = apart();
    let (integrator, staff) = (system.api("INTEGRATOR"), system.api("STAFF"));
    staff.product(TEA, UNITS).await;
    let mut sold = 0;
    for name in ["payments", "inventory"] {
        let ended = confirmed(&system, 2).await;
        system.quiet().await;
        end(&mut system, shape, name);
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let order = order_of(&[(TEA, 2)], "tok_ok");
            let placed = system.api("CUSTOMER").order(0, &order).await.expect(201);
            assert_eq!(placed["state"], "placed");
            waiting.push(placed["id"].as_str().unwrap().to_owned());
        }
        collect(&system, &ended).await;
        trimmed(&integrator, "orders").await;
        revive(&mut system, shape, name);
        says(
            &system,
            shape,
            name,
            &format!("pasar reconcile {name} orders"),
        )
        .await;
        end(&mut system, shape, name);
        assert_eq!(reconcile(&system, name), 1);
        revive(&mut system, shape, name);
        for id in &waiting {
            assert_eq!(staff.settled(id).await["state"], "confirmed");
        }
        sold += 8;
    }
    system.quiet().await;
    assert_eq!(staff.stock(TEA).await, (i64::from(UNITS) - sold, 0));

    // The catalogue of orders is what it has missed.
    end(&mut system, shape, "orders");
    let price = json!({"amount_minor": 2_500_000, "currency": "IDR"});
    let product = json!({"name": TEA, "price": price});
    let path = format!("/v1/products/{TEA}");
    let etag = staff.get(&path).await.headers["etag"].clone();
    let request = staff.request(reqwest::Method::PUT, &path).json(&product);
    let changed = crate::api::send(request.header("if-match", etag)).await;
    changed.expect_success();
    staff.product("other-tea", 5).await;
    trimmed(&integrator, "inventory").await;
    revive(&mut system, shape, "orders");
    says(&system, shape, "orders", "pasar reconcile orders inventory").await;
    end(&mut system, shape, "orders");
    assert!(reconcile(&system, "orders") >= 1);
    revive(&mut system, shape, "orders");
    let both = order_of(&[(TEA, 1), ("other-tea", 1)], "tok_ok");
    let customer = system.api("CUSTOMER");
    let placed = until("no order is taken again", async || {
        let answer = customer.order(10, &both).await;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    assert_eq!(placed["total"]["amount_minor"], 2_500_000 + 1_500_000);
    system.quiet().await;
}

/// Followers of the same process hold what they have not taken, however short the time is.
#[tokio::test(flavor = "multi_thread")]
async fn feeds_are_trimmed_under_load_and_nobody_misses_anything() {
    let system = System::start_in(Folder::of_shape(Shape::One, "feeds.keep_s = 1"));
    let integrator = system.api("INTEGRATOR");
    let staff = system.api("STAFF");
    staff.product(TEA, UNITS).await;
    let begun = Instant::now();
    let mut sold = 0;
    while begun.elapsed() < Duration::from_secs(6) {
        let ids = confirmed(&system, 5).await;
        collect(&system, &ids).await;
        sold += 2 * i64::try_from(ids.len()).unwrap();
    }
    let declined = order_of(&[(TEA, 1)], "tok_declined");
    let cancelled = staff.order(10, &declined).await.expect(201);
    assert_eq!(cancelled["state"], "cancelled");
    for service in ["inventory", "orders", "payments", "users"] {
        trimmed(&integrator, service).await;
        let part = integrator
            .get(&format!("/v1/feeds/{service}/snapshot?limit=2048"))
            .await
            .expect(200);
        let told = part["events"].as_array().map_or(0, Vec::len);
        println!("{service}: {told} events of {} are left", part["at"]);
        let is_open = |event: &Value| event["subject"].as_str().unwrap().starts_with("ord_");
        let left = part["events"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| is_open(event));
        assert_eq!(left.count(), 0, "no order is open: {part:#}");
    }
    assert!(sold > 50, "there was no load: {sold}");
    assert_eq!(staff.stock(TEA).await, (i64::from(UNITS) - sold, 0));
    system.quiet().await;
}

//! Services that keep their feeds for seconds: whoever joins then agrees with those who were there from the start, and
//! whoever was away for longer says so.

use std::{
    path::Path,
    process::{Command, Output},
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

fn end_relay(system: &mut System, shape: Shape) {
    for number in 0..shape.instances("relay") {
        system.end_instance("relay", number);
    }
}

fn revive_relay(system: &mut System, shape: Shape) {
    for number in 0..shape.instances("relay") {
        system.revive_instance("relay", number);
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

fn reconcile(system: &System, publisher: &str) -> Output {
    let data = system.folder().data();
    let mut command = program();
    command
        .args(["reconcile", "relay", publisher, "--yes", "--data"])
        .arg(&data)
        .arg("--config")
        .arg(data.with_file_name("pasar.toml"));
    command.output().unwrap()
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
    end_relay(&mut system, shape);
    empty_relay(&system);
    revive_relay(&mut system, shape);
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
    end_relay(&mut system, shape);
    let ended = confirmed(&system, 3).await;
    collect(&system, &ended).await;
    for service in ["inventory", "orders", "payments"] {
        trimmed(&integrator, service).await;
    }
    revive_relay(&mut system, shape);
    let urls: Vec<_> = (0..shape.instances("relay"))
        .map(|number| format!("http://127.0.0.1:{}", system.folder().port("relay", number)))
        .collect();
    let advice = "pasar reconcile relay orders";
    until("the relay does not say that it was away", async || {
        for url in &urls {
            let ready = Api::new(url, None).get("/readyz").await;
            if ready.status == 503 && ready.body.to_string().contains(advice) {
                return Some(());
            }
        }
        None
    })
    .await;
    end_relay(&mut system, shape);
    let mut anew = 0;
    for publisher in FEEDS {
        let output = reconcile(&system, publisher);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}");
        anew += i32::from(said.contains("begins with a snapshot"));
    }
    assert!(anew >= 3, "{anew} were to be begun anew");
    revive_relay(&mut system, shape);
    confirmed(&system, 2).await;
    collect(&system, &open).await;
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

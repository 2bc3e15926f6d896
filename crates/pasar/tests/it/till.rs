//! A till whose customers mostly want the same two things, at four locations at once, on PostgreSQL: hot rows in
//! four lanes. Nothing may deadlock, and nobody may wait long for a lane.
//!
//! The suite makes up some tickets; `TILL_FILE` names a real till's CSV (date, time, ticket, item) instead, which is
//! rewritten: three quarters of its lines become the two items.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    time::Instant,
};

use futures_util::{StreamExt as _, stream};
use pasar_contracts::event::Service;
use pasar_store::inspect::Inspector;
use pasar_testkit::servers::Server;
use reqwest::Method;
use serde_json::json;

use crate::{
    api::{Api, fresh_key},
    system::{Folder, Shape, System},
};

const HOT: [&str; 2] = ["till-bread", "till-coffee"];
const LOCATIONS: usize = 4;
const UNDER_WAY: usize = 64;
const SHORT_TICKETS: usize = 300;
const STOCK: u32 = 900_000;
/// No lane may be waited for longer.
const LONGEST_WAIT_S: &str = "2";

/// The items of a ticket, and how many of each.
type Ticket = BTreeMap<String, u32>;

fn tickets() -> Vec<Ticket> {
    let lines: Vec<(String, String)> = match env::var_os("TILL_FILE") {
        Some(path) => fs::read_to_string(path)
            .unwrap()
            .lines()
            .filter_map(|line| {
                let mut fields = line.split(',').skip(2);
                Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
            })
            .collect(),
        None => (0..SHORT_TICKETS)
            .flat_map(|ticket| (0..=ticket % 4).map(move |line| (ticket, (ticket + line) % 7)))
            .map(|(ticket, item)| (ticket.to_string(), format!("cake {item}")))
            .collect(),
    };
    let mut tickets: Vec<(String, Ticket)> = Vec::new();
    for (index, (number, item)) in lines.into_iter().enumerate() {
        let item = match index % 4 {
            3 => sku(&item),
            hot => HOT[(hot + index / 4) % HOT.len()].to_owned(),
        };
        if tickets.last().is_none_or(|(last, _)| *last != number) {
            tickets.push((number, Ticket::new()));
        }
        let (_, ticket) = tickets.last_mut().unwrap();
        *ticket.entry(item).or_default() += 1;
    }
    tickets.into_iter().map(|(_, items)| items).collect()
}

fn sku(item: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    format!("till-{}", item.chars().map(plain).collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hot_items_at_four_locations_deadlock_nothing_and_hold_up_no_lane() {
    let Some(server) = Server::shared("postgres").await else {
        return;
    };
    let folder = Folder::of_cluster(&server.postgres_url(), "");
    let system = tokio::task::block_in_place(|| System::start_in(folder));
    let tickets = tickets();
    let items: BTreeSet<&String> = tickets.iter().flat_map(Ticket::keys).collect();
    let locations = locations(&system, &items).await;
    let lines: u32 = tickets.iter().flat_map(Ticket::values).sum();
    let deadlocks = deadlocks(&system);
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    let begun = Instant::now();
    let placing = tickets.iter().enumerate().map(|(index, ticket)| {
        let (kiosk, staff) = (&kiosk, &staff);
        let location = &locations[index % LOCATIONS];
        place(kiosk, staff, location, ticket)
    });
    let refused: usize = stream::iter(placing)
        .buffer_unordered(UNDER_WAY)
        .fold(0, async |sum, refused| sum + refused)
        .await;
    let took = begun.elapsed();
    system.quiet().await;
    let (groups, within) = groups(&system).await;
    assert_eq!(self::deadlocks(&system), deadlocks, "something deadlocked");
    assert!(groups > 0, "no group was counted");
    assert_eq!(
        within, groups,
        "a lane was waited for longer than {LONGEST_WAIT_S} s"
    );
    println!(
        "proof: {} tickets with {lines} lines at {LOCATIONS} locations in {:.1} s, {refused} asked again, \
         {groups} groups, all within {LONGEST_WAIT_S} s, no deadlock",
        tickets.len(),
        took.as_secs_f64()
    );
    tokio::task::block_in_place(|| drop(system));
}

/// Four, with stock of everything at each.
async fn locations(system: &System, items: &BTreeSet<&String>) -> Vec<String> {
    let (admin, staff) = (system.api("ADMIN"), system.api("STAFF"));
    let mut locations = Vec::new();
    for number in 0..LOCATIONS {
        let location = json!({
            "name": format!("Till {number}"), "time_zone": "Europe/London", "cut_off": "04:00", "currency": "IDR",
        });
        let made = admin.post("/v1/locations", &location).await.expect(201);
        locations.push(made["id"].as_str().unwrap().to_owned());
    }
    for sku in items {
        staff.product(sku, 0).await;
        for location in &locations {
            let intake = json!({ "quantity": STOCK, "location": location });
            let answer = staff
                .post(&format!("/v1/stock/{sku}/intakes"), &intake)
                .await;
            answer.expect_success();
        }
    }
    locations
}

/// Until it is confirmed; answers how often it had to be asked again.
async fn place(kiosk: &Api, staff: &Api, location: &str, ticket: &Ticket) -> usize {
    let lines: Vec<_> = ticket
        .iter()
        .map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity }))
        .collect();
    let body = json!({
        "lines": lines, "location": location, "payment": { "method": "sandbox", "token": "tok_ok" },
    });
    let key = fresh_key();
    let mut again = 0;
    loop {
        let request = kiosk
            .request(Method::POST, "/v1/orders")
            .header("idempotency-key", &key)
            .header("prefer", "wait=30")
            .json(&body);
        let answer = crate::api::send(request).await;
        match answer.status {
            201 => {
                let id = answer.body["id"].as_str().unwrap();
                assert_eq!(staff.settled(id).await["state"], "confirmed");
                return again;
            }
            503 => {
                again += 1;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            status => panic!("{status}: {:#}", answer.body),
        }
    }
}

/// As the server counts them.
fn deadlocks(system: &System) -> i64 {
    let place = system.folder().place(Service::Orders.as_str());
    let inspector = Inspector::open(Service::Orders, place, pasar_orders::MIGRATIONS).unwrap();
    let counted = inspector.read(|tx| {
        tx.query_one(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
            &[],
            |row| row.get(0),
        )
    });
    counted.unwrap()
}

/// Groups of all lanes: how many, and how many of them were begun and committed in time.
async fn groups(system: &System) -> (u64, u64) {
    let (mut all, mut within) = (0, 0);
    for service in ["inventory", "orders", "payments"] {
        for number in 0..Shape::Cluster.instances(service) {
            let port = system.folder().port(service, number);
            let url = format!("http://127.0.0.1:{port}/metrics");
            let text = reqwest::get(url).await.unwrap().text().await.unwrap();
            let value = |start: String| {
                let line = text.lines().find_map(|line| line.strip_prefix(&start));
                line.map_or(0, |rest| rest.trim().parse::<u64>().unwrap())
            };
            let labels = format!("service=\"{service}\"");
            all += value(format!("pasar_store_group_seconds_count{{{labels}}} "));
            within += value(format!(
                "pasar_store_group_seconds_bucket{{{labels},le=\"{LONGEST_WAIT_S}\"}} "
            ));
        }
    }
    (all, within)
}

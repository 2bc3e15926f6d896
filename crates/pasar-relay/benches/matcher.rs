//! What finding the subscriptions of a message costs where there are 1, 100 or 10,000 that do not match.
//!
//! `cargo bench -p pasar-relay --bench matcher`. Prints nanoseconds a message; fails nothing.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use pasar_relay::{
    filter::{Condition, Filter},
    matcher::Matcher,
    message::Message,
    topic::Pattern,
};
use pasar_types::{id::FlowId, time::Timestamp};
use serde_json::json;

const MESSAGES: u32 = 200_000;

#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
fn main() {
    println!(
        "{:>14} {:>12} {:>12} {:>12} {:>12}",
        "subscriptions", "other topic", "other type", "other data", "below"
    );
    for subscriptions in [1_u32, 100, 10_000] {
        let cells: Vec<_> = [other_topic, other_type, other_data, below]
            .iter()
            .map(|filter| format!("{:>9.0} ns", measure(subscriptions, filter)))
            .collect();
        println!("{subscriptions:>14} {}", cells.join(" "));
    }
}

fn measure(subscriptions: u32, filter: &dyn Fn(u32) -> Filter) -> f64 {
    let mut matcher = Matcher::default();
    for number in 0..subscriptions {
        matcher.insert(number, Arc::new(filter(number)));
    }
    let message = message();
    let mut found = Vec::new();
    let began = Instant::now();
    for _ in 0..MESSAGES {
        matcher.matches(&message, &mut found);
        assert!(found.is_empty(), "none matches");
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(MESSAGES)
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or(Pattern::All)
}

fn other_topic(number: u32) -> Filter {
    Filter::topics(vec![pattern(&format!("topic-{number}"))])
}

fn other_type(number: u32) -> Filter {
    Filter {
        types: vec![pattern(&format!("order.t{number}"))],
        ..Filter::topics(vec![pattern("orders")])
    }
}

fn other_data(number: u32) -> Filter {
    Filter {
        conditions: vec![Condition {
            path: vec!["location_id".into()],
            values: vec![json!(format!("loc_{number}"))],
        }],
        ..Filter::topics(vec![pattern("orders")])
    }
}

fn below(number: u32) -> Filter {
    Filter::topics(vec![pattern(&format!("orders.t{number}.*"))])
}

fn message() -> Message {
    let time = Timestamp::from_micros(0);
    Message {
        position: 1,
        topic: "orders".into(),
        id: "evt_1".into(),
        message_type: "order.ready.v1".into(),
        source: "/pasar/orders".into(),
        subject: None,
        key: None,
        time,
        accepted_at: time,
        flow: FlowId::from_bytes([0; 16]),
        causation: None,
        traceparent: None,
        actor: "anonymous".into(),
        origin: None,
        content_type: None,
        data: Bytes::from(
            json!({"location_id": "loc_x", "order_id": "ord_1", "number": 42}).to_string(),
        ),
        extensions: None,
    }
}

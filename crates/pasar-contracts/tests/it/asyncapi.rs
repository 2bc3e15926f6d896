//! The AsyncAPI document tells of every event, and its references lead somewhere.

use std::collections::BTreeSet;

use pasar_contracts::{
    asyncapi::document,
    events::{inventory, orders, payments, relay, users},
};
use serde_json::Value;

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str().filter(|_| name == "$ref") {
                    Some(reference) => drop(found.insert(reference)),
                    None => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_event_is_a_message_of_its_services_channel() {
    let document = document("1");
    for (topic, types) in [
        ("users", users::TYPES),
        ("inventory", inventory::TYPES),
        ("orders", orders::TYPES),
        ("payments", payments::TYPES),
        ("relay", relay::TYPES),
        ("client", &["message", "input"]),
    ] {
        let messages = document["channels"][topic]["messages"].as_object().unwrap();
        let told: BTreeSet<&str> = messages.keys().map(String::as_str).collect();
        assert_eq!(told, types.iter().copied().collect(), "{topic}");
    }
    assert_eq!(document["channels"].as_object().unwrap().len(), 6);
}

#[test]
fn its_references_lead_somewhere_and_nothing_private_is_told() {
    let document = document("1");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let text = document.to_string();
    assert!(!text.contains("PaymentToken") && !text.contains("NextAction"));
}

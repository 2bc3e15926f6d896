//! Given, command, outcome, events, rows.

use pasar_contracts::{event::Service, events::inventory::StockReceived};
use pasar_store::fault::Fault;
use pasar_testkit::store::TestStore;

use crate::thing::{MIGRATIONS, Outcome, receive};

#[test]
fn a_snapshot_shows_outcome_events_and_changed_rows_under_short_names() {
    let test = TestStore::open(Service::Inventory, MIGRATIONS);
    test.given(|ctx| receive(ctx, "tea", 3));
    let checked = test.check(|ctx| receive(ctx, "tea", 5));
    insta::assert_snapshot!(checked, @r#"
    Received(mov#1)
    event stock.received.v1 mov#1 v1 {"sku":"tea","location_id":"loc#1","quantity":5,"on_hand":5}
    - thing id=#2 name="tea" units=3
    + thing id=#1 name="tea" units=5
    "#);
    assert_eq!(test.events_of::<StockReceived>().len(), 2);
}

#[test]
fn a_refusal_changes_nothing_and_a_fault_rolls_back() {
    let test = TestStore::open(Service::Inventory, MIGRATIONS);
    let refused = test.check(|ctx| receive(ctx, "tea", 11));
    assert_eq!(refused.outcome.as_ref().unwrap(), &Outcome::Full);
    insta::assert_snapshot!(refused, @"Full");
    let failed = test.check(|ctx| {
        receive(ctx, "tea", 1)?;
        Err::<(), _>(Fault::Bug("on purpose".to_owned()))
    });
    insta::assert_snapshot!(failed, @"fault: defect: on purpose");
}

#[test]
fn timers_and_effects_are_rows_too() {
    let test = TestStore::open(Service::Inventory, MIGRATIONS);
    let checked = test.check(|ctx| {
        let now = ctx.now();
        ctx.set_timer("expire", "ord_1", now)?;
        ctx.enqueue_effect("pay_1", "capture", &[1])?;
        Ok(())
    });
    insta::assert_snapshot!(checked, @r#"
    ()
    + effect id=1 queue="pay_1" kind="capture" payload="[1]" attempts=0 due=1767225600000000 flow=#1 actor="operator"
    + timer due=1767225600000000 kind="expire" key="ord_1"
    "#);
}

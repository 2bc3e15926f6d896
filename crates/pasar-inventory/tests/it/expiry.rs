//! The late safety net: it takes back what is forgotten, and nothing that orders has decided about.

use std::time::Duration;

use crate::system::System;

const MINUTE: Duration = Duration::from_secs(60);
/// The order's deadline of 15 minutes and the margin of 10.
const DUE: Duration = Duration::from_secs(25 * 60);
const MARKER: u8 = 250;

async fn with_one_held() -> System {
    let system = System::start().await;
    system.stocked("tea", 1).await;
    system.place(1, &[("tea", 1)]).await;
    system.heard("stock.reserved.v1", 1).await;
    system
}

#[tokio::test]
async fn a_forgotten_reservation_returns_its_stock_once_it_is_due() {
    let system = with_one_held().await;
    let reserved = system.heard("stock.reserved.v1", 1).await;
    system.advance(DUE - Duration::from_secs(1));
    system.all_taken(MARKER).await;
    assert_eq!(system.level("tea").await, [1, 1, 0], "not before it is due");
    system.advance(Duration::from_secs(1));
    let expired = system.heard("stock.expired.v1", 1).await;
    assert_eq!(expired.flow, reserved.flow);
    assert_eq!(system.level("tea").await, [1, 0, 1]);
    system.tell(system.cancelling(1, false)).await;
    system.heard("stock.released.v1", 1).await;
}

#[tokio::test]
async fn a_sale_that_is_in_the_feed_wins_over_the_expiry_however_late_it_is_read() {
    let system = with_one_held().await;
    system.feed.set_open(false);
    system.tell(system.confirmed(1)).await;
    system.advance(DUE);
    effect_enqueued(&system).await;
    system.feed.set_open(true);
    system.heard("stock.sold.v1", 1).await;
    effect_finished(&system).await;
    assert_eq!(system.told_of(1), ["stock.reserved.v1", "stock.sold.v1"]);
    assert_eq!(system.level("tea").await, [0, 0, 0]);
}

#[tokio::test]
async fn nothing_expires_while_the_orders_feed_cannot_be_reached() {
    let system = with_one_held().await;
    system.feed.set_reachable(false);
    system.advance(DUE);
    effect_put_off(&system).await;
    assert_eq!(system.level("tea").await, [1, 1, 0]);
    system.feed.set_reachable(true);
    system.advance(MINUTE);
    system.heard("stock.expired.v1", 1).await;
}

#[tokio::test]
async fn after_a_boot_orders_gets_a_minute_to_decide_what_is_overdue() {
    let system = with_one_held().await;
    system.advance(DUE);
    let system = system.restart().await;
    effect_enqueued(&system).await;
    system.advance(MINUTE - Duration::from_secs(1));
    system.tell(system.confirmed(1)).await;
    system.heard("stock.sold.v1", 1).await;
    system.advance(MINUTE);
    effect_finished(&system).await;
    assert_eq!(system.told_of(1), ["stock.reserved.v1", "stock.sold.v1"]);
}

#[tokio::test]
async fn an_overdue_reservation_expires_after_a_boot_too() {
    let system = with_one_held().await;
    system.advance(DUE);
    let system = system.restart().await;
    system.advance(2 * MINUTE);
    system.heard("stock.expired.v1", 1).await;
    assert_eq!(system.level("tea").await, [1, 0, 1]);
}

#[tokio::test]
async fn a_late_confirmation_takes_the_units_again_if_they_are_there() {
    let system = with_one_held().await;
    system.advance(DUE);
    system.heard("stock.expired.v1", 1).await;
    system.tell(system.confirmed(1)).await;
    system.heard("stock.sold.v1", 1).await;
    assert_eq!(system.level("tea").await, [0, 0, 0]);
}

#[tokio::test]
async fn a_clock_that_steps_back_does_not_expire_anything_twice_or_early() {
    let system = with_one_held().await;
    system.advance(DUE);
    system.heard("stock.expired.v1", 1).await;
    system.step_back(DUE);
    system.place(2, &[("tea", 1)]).await;
    system.heard("stock.reserved.v1", 2).await;
    system.all_taken(MARKER).await;
    assert_eq!(system.told_of(1), ["stock.reserved.v1", "stock.expired.v1"]);
    assert_eq!(system.told_of(2), ["stock.reserved.v1"]);
}

async fn effect_enqueued(system: &System) {
    system
        .effects_until("enqueued", |effects| effects == [0])
        .await;
}

async fn effect_put_off(system: &System) {
    system
        .effects_until("put off", |effects| effects == [1])
        .await;
}

async fn effect_finished(system: &System) {
    system.effects_until("finished", <[u32]>::is_empty).await;
}

//! Foreign events that come twice or in an order that they should not come in: each changes and tells
//! once what it is about.

use crate::system::System;

const MARKER: u8 = 250;

async fn cafe() -> System {
    let system = System::start().await;
    system.stocked("tea", 10).await;
    system.stocked("cake", 10).await;
    system.product("water", false).await;
    system
}

const LINES: &[(&str, i64)] = &[("tea", 2), ("cake", 1), ("tea", 1), ("water", 7)];

#[tokio::test]
async fn every_event_told_twice_takes_effect_once() {
    let system = cafe().await;
    for _ in 0..2 {
        system.place(1, LINES).await;
    }
    for _ in 0..2 {
        system.tell(system.confirmed(1)).await;
    }
    for _ in 0..2 {
        system
            .tell(system.refund(1, 1, &[("tea", 1), ("water", 1)]))
            .await;
    }
    for _ in 0..2 {
        system.tell(system.cancelling(1, true)).await;
    }
    system.all_taken(MARKER).await;
    assert_eq!(
        system.told_of(1),
        [
            "stock.reserved.v1",
            "stock.sold.v1",
            "stock.returned.v1",
            "stock.released.v1"
        ]
    );
    assert_eq!(system.level("tea").await, [10, 0, 10]);
    assert_eq!(system.level("cake").await, [10, 0, 10]);
    assert_eq!(system.parked(), 0);
}

#[tokio::test]
async fn a_whole_order_told_again_after_its_end_changes_nothing() {
    for restock in [false, true] {
        let system = cafe().await;
        for _ in 0..2 {
            system.place(1, LINES).await;
            system.tell(system.confirmed(1)).await;
            system.tell(system.refund(1, 1, &[("cake", 1)])).await;
            system.tell(system.cancelling(1, restock)).await;
        }
        system.all_taken(MARKER).await;
        assert_eq!(system.told_of(1).len(), 4);
        let tea = if restock { 10 } else { 7 };
        assert_eq!(system.level("tea").await, [tea, 0, tea]);
        assert_eq!(system.level("cake").await, [10, 0, 10]);
        assert_eq!(system.parked(), 0);
    }
}

#[tokio::test]
async fn an_order_that_is_cancelled_before_it_is_placed_never_holds_anything() {
    let system = cafe().await;
    for _ in 0..2 {
        system.tell(system.cancelling(1, false)).await;
    }
    for _ in 0..2 {
        system.place(1, LINES).await;
    }
    system.all_taken(MARKER).await;
    assert_eq!(system.told_of(1), ["stock.released.v1"]);
    assert_eq!(system.level("tea").await, [10, 0, 10]);
}

#[tokio::test]
async fn a_refused_order_still_answers_its_cancellation_once() {
    let system = cafe().await;
    for _ in 0..2 {
        system.place(1, &[("tea", 11), ("cake", 1)]).await;
    }
    for _ in 0..2 {
        system.tell(system.cancelling(1, true)).await;
    }
    system.all_taken(MARKER).await;
    assert_eq!(system.told_of(1), ["stock.refused.v1", "stock.released.v1"]);
    assert_eq!(system.level("cake").await, [10, 0, 10]);
}

#[tokio::test]
async fn a_confirmation_without_stock_is_parked_and_others_go_on() {
    let system = cafe().await;
    system.tell(system.confirmed(1)).await;
    // Every event of this test has one key, so all that follow are parked behind it.
    system.place(2, LINES).await;
    system.tell_as("another", system.placed(3, LINES)).await;
    system.heard("stock.reserved.v1", 3).await;
    assert_eq!(system.told_of(1), Vec::<String>::new());
    assert_eq!(system.parked(), 2);
}

#[tokio::test]
async fn events_run_in_the_flow_of_the_order_that_caused_them() {
    let system = cafe().await;
    system.place(1, LINES).await;
    let reserved = system.heard("stock.reserved.v1", 1).await;
    let placed = system.orders.events_after(0, 10).unwrap().remove(0);
    assert_eq!(reserved.flow, placed.flow);
    assert_eq!(reserved.causation, Some(placed.id.to_string()));
}

#[tokio::test]
async fn a_restart_goes_on_where_the_service_was() {
    let system = cafe().await;
    system.place(1, LINES).await;
    system.heard("stock.reserved.v1", 1).await;
    let here = system.here;
    let system = system.restart().await;
    assert_eq!(system.here, here, "the default location is made once");
    system.tell(system.confirmed(1)).await;
    system.heard("stock.sold.v1", 1).await;
    assert_eq!(system.told_of(1), ["stock.reserved.v1", "stock.sold.v1"]);
    assert_eq!(system.level("tea").await, [7, 0, 7]);
}

use pasar_contracts::{
    event::Service,
    events::{
        orders::{OrderCancelled, OrderConfirmed, OrderStockSold},
        payments::{PaymentDeclined, PaymentRefunded},
    },
};
use pasar_testkit::identities::staff;
use pasar_types::id::RefundId;

use crate::counter::{Counter, TEA, ann, idr, payment, tea};

#[tokio::test]
async fn events_that_are_delivered_twice_take_effect_once() {
    let mut counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    for _ in 0..2 {
        counter.reserve(id);
        counter.authorize(id);
    }
    for _ in 0..2 {
        counter.capture(id);
    }
    counter.next::<OrderConfirmed>(id).await;
    for _ in 0..2 {
        counter.sell(id);
    }
    counter.next::<OrderStockSold>(id).await;
    let last = counter.confirmed(ann()).await;
    let events = counter.store.events_of(&id.to_string(), 0, 100).unwrap();
    let versions: Vec<i64> = events.iter().map(|event| event.keyversion).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    assert_eq!(counter.state(last).await, "confirmed captured");
}

#[tokio::test]
async fn a_cancel_that_races_the_capture_ends_with_the_money_given_back() {
    let mut counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    counter.reserve(id);
    counter.authorize(id);
    counter.cancel(ann(), id).await.expect(200);
    // The capture was on its way.
    counter.capture(id);
    let released = pasar_contracts::events::inventory::StockReleased {
        order_id: id,
        location_id: crate::counter::here(),
        undone: pasar_contracts::events::inventory::ReleaseKind::Reservation,
    };
    counter.inventory.push(&id.to_string(), 2, &released);
    counter
        .next::<pasar_contracts::events::orders::OrderStockReleased>(id)
        .await;
    assert_eq!(
        counter.state(id).await.split(' ').next(),
        Some("cancelling")
    );
    let refunded = PaymentRefunded {
        payment: payment(id),
        refund_id: RefundId::from_bytes([1; 16]),
        amount: idr(TEA),
        refunded_total: idr(TEA),
        in_full: true,
    };
    counter.payments.push(&id.to_string(), 4, &refunded);
    counter.next::<OrderCancelled>(id).await;
    assert_eq!(counter.state(id).await, "cancelled refunded");
}

#[tokio::test]
async fn an_impossible_event_parks_its_order_and_no_other() {
    let mut counter = Counter::open().await;
    counter.host.expect_parked();
    let broken = counter.confirmed(ann()).await;
    let declined = PaymentDeclined {
        payment: payment(broken),
        reason: "late".to_owned(),
    };
    counter.payments.push(&broken.to_string(), 4, &declined);
    counter.confirmed(ann()).await;
    let parked = counter.host.parked(Service::Orders);
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert!(
        parked[0].contains("PaymentDeclined is impossible"),
        "{parked:?}"
    );
    assert_eq!(counter.state(broken).await, "confirmed captured");
    counter.step(staff(), broken, "start").await.expect(200);
}

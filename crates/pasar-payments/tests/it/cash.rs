//! Cash: due, taken by staff, handed back by staff.

use std::sync::Arc;

use pasar_contracts::{
    api::payments::{PaymentDetail, PaymentState},
    events::{
        orders::{OrderAbandoned, OrderRef},
        payments::{PaymentRefunded, PaymentVoided, VoidReason},
    },
};
use pasar_testkit::{client::Answer, identities};

use crate::system::{LOCATION, Order, System, TOTAL_MINOR, order};

async fn capture(system: &System, order: Order, key: &str) -> Answer {
    let path = format!("/v1/payments/{}/capture", order.payment);
    let call = system.client.post(&path).as_(identities::staff());
    call.key(key).send().await
}

async fn due(order: Order) -> System {
    let system = System::start();
    system.place_by(order, "cash", "");
    system.reach(order, PaymentState::Due).await;
    system
}

#[tokio::test]
async fn staff_takes_what_is_due_once() {
    let order = order(1);
    let system = due(order).await;
    system.secure(order);
    system.caught_up().await;
    let first: PaymentDetail = capture(&system, order, "k1").await.expect(200).json();
    assert_eq!(first.payment.state, PaymentState::Captured);
    let again: PaymentDetail = capture(&system, order, "k1").await.expect(200).json();
    assert_eq!(again, first);
    let other = capture(&system, order, "k2").await.expect(409);
    assert_eq!(other.problem(), "state-forbids");
    assert_eq!(other.value()["state"], "captured");
    assert_eq!(system.events(order), ["due", "captured"]);
    assert_eq!(system.balances().await["cash_drawer"], TOTAL_MINOR);
}

#[tokio::test]
async fn many_hands_at_once_take_it_once() {
    let order = order(1);
    let system = Arc::new(due(order).await);
    let hands = (0..20).map(|hand| {
        let system = Arc::clone(&system);
        tokio::spawn(async move {
            let key = format!("k{}", hand % 4);
            capture(&system, order, &key).await.status.as_u16()
        })
    });
    let mut taken = 0;
    for hand in hands.collect::<Vec<_>>() {
        match hand.await.unwrap() {
            200 => taken += 1,
            409 => {}
            status => panic!("{status}"),
        }
    }
    // The key that came first is answered the same each time.
    assert_eq!(taken, 5);
    assert_eq!(system.balances().await["cash_drawer"], TOTAL_MINOR);
}

#[tokio::test]
async fn an_abandoned_order_is_not_due_any_more() {
    let order = order(1);
    let system = due(order).await;
    let event = OrderAbandoned {
        order: OrderRef {
            order_id: order.id,
            location_id: LOCATION,
            number: 1,
            customer_id: None,
        },
    };
    system.orders.push(&order.key(), 2, &event);
    let voided: PaymentVoided = system.next(order).await;
    assert_eq!(voided.reason, VoidReason::Requested);
    capture(&system, order, "k1").await.expect(409);
}

#[tokio::test]
async fn cash_that_was_taken_while_its_customer_cancelled_waits_to_be_handed_back() {
    let order = order(1);
    let system = due(order).await;
    capture(&system, order, "k1").await.expect(200);
    system.cancel(order, false);
    let payment = system
        .when(order, "a hand-back", |payment| {
            payment.payment.awaits_hand_back
        })
        .await;
    assert_eq!(payment.payment.state, PaymentState::Captured);
    let path = format!("/v1/payments/{}/hand-back", order.payment);
    let hand_back = |key: &'static str| {
        let call = system.client.post(&path).as_(identities::staff());
        call.key(key).send()
    };
    hand_back("h1").await.expect(200);
    hand_back("h1").await.expect(200);
    hand_back("h2").await.expect(409);
    let refunded: PaymentRefunded = system.next(order).await;
    assert!(refunded.in_full);
    assert_eq!(system.balances().await["cash_drawer"], 0);
}

#[tokio::test]
async fn staff_that_cancels_has_handed_it_back() {
    let order = order(1);
    let system = due(order).await;
    capture(&system, order, "k1").await.expect(200);
    system.cancel(order, true);
    let refunded: PaymentRefunded = system.next(order).await;
    assert!(refunded.in_full);
    assert_eq!(system.balances().await["cash_drawer"], 0);
}

use pasar_contracts::{api::orders::CancelReason, events::orders::OrderRef};
use pasar_testkit::feed::FakeFeed;

use super::*;
use crate::{
    tables,
    testing::{Bench, LOCATION, idr},
};

/// A database, and the orders service that it follows.
struct Told {
    bench: Bench,
    orders: FakeFeed,
}

fn order(n: u8) -> OrderId {
    OrderId::from_bytes([n; 16])
}

fn reference(n: u8) -> OrderRef {
    OrderRef {
        order_id: order(n),
        location_id: LOCATION,
        number: i64::from(n),
        customer_id: None,
    }
}

impl Told {
    fn new() -> Self {
        Self {
            bench: Bench::new(),
            orders: FakeFeed::new(Service::Orders),
        }
    }

    fn told<E: Event>(&self, n: u8, event: &E) -> Arc<FeedEvent> {
        Arc::new(self.orders.event(&order(n).to_string(), 1, event))
    }

    fn placed(&self, n: u8, method: &str) -> Arc<FeedEvent> {
        let event = OrderPlaced {
            order: reference(n),
            lines: Vec::new(),
            total: idr(2_500_000),
            method: method.to_owned(),
            deadline: self.orders.now(),
        };
        self.told(n, &event)
    }

    fn secured(&self, n: u8) -> Arc<FeedEvent> {
        let order = reference(n);
        self.told(n, &OrderSecured { order })
    }

    fn cancelling(&self, n: u8) -> Arc<FeedEvent> {
        let event = OrderCancelling {
            order: reference(n),
            reason: CancelReason::CancelledByStaff,
            restock: true,
            by_staff: true,
        };
        self.told(n, &event)
    }

    fn a_day(&self) -> Vec<Arc<FeedEvent>> {
        vec![
            self.placed(1, "cash"),
            self.placed(2, "barter"),
            self.placed(1, "cash"),
            self.secured(1),
            self.cancelling(3),
            self.placed(3, "cash"),
            self.cancelling(2),
            self.placed(4, "cash"),
            self.cancelling(4),
            self.secured(4),
            self.placed(5, "cash"),
            self.secured(5),
        ]
    }

    fn take(&self, stretch: &[Arc<FeedEvent>]) -> Result<(), Fault> {
        let stretch = stretch.to_vec();
        let reactions = OrderReactions::new(Methods::of(true, []));
        self.bench
            .run(move |ctx| reactions.react_all(ctx, Service::Orders, &stretch))
    }

    fn take_each(&self, stretch: &[Arc<FeedEvent>]) {
        for event in stretch {
            let event = Arc::clone(event);
            let reactions = OrderReactions::new(Methods::of(true, []));
            self.bench
                .run(move |ctx| {
                    ctx.join_flow(event.flow);
                    reactions.react(ctx, &event)
                })
                .unwrap();
        }
    }

    /// The payments as they stand, and what was told.
    fn all(&self) -> (Vec<String>, Vec<String>) {
        let ids: Vec<_> = (1..=5).map(|n| payment_of(order(n))).collect();
        let payments = self.bench.store.read_now(|tx| {
            ids.iter()
                .map(|id| tables::payment::find(tx, *id))
                .collect::<Result<Vec<_>, Fault>>()
        });
        let payments = payments.unwrap();
        let events = self.bench.store.events_after(0, 100).unwrap();
        let told = events
            .iter()
            .map(|event| format!("{} {} {}", event.event_type, event.key, event.data));
        (
            payments.iter().map(|row| format!("{row:?}")).collect(),
            told.collect(),
        )
    }
}

#[test]
fn a_stretch_comes_to_the_same_as_its_events_one_by_one() {
    let one_by_one = Told::new();
    one_by_one.take_each(&one_by_one.a_day());
    let expected = one_by_one.all();
    assert!(expected.0.iter().all(|row| row != "None"), "{expected:?}");
    for length in [1, 2, 3, 5, 12] {
        let told = Told::new();
        for stretch in told.a_day().chunks(length) {
            told.take(stretch).unwrap();
        }
        assert_eq!(told.all(), expected, "in stretches of {length}");
    }
}

#[test]
fn a_stretch_of_which_one_event_faults_leaves_nothing() {
    let told = Told::new();
    let fault = told.take(&[told.placed(1, "cash"), told.secured(2)]);
    assert!(matches!(fault, Err(Fault::Corrupt(_))), "{fault:?}");
    let (payments, events) = told.all();
    assert!(payments.iter().all(|row| row == "None"), "{payments:?}");
    assert_eq!(events.len(), 0);
}

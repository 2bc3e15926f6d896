use pasar_contracts::{
    api::orders::CancelReason,
    events::{
        inventory::ReservedLine,
        orders::{OrderRef, PlacedLine},
    },
};
use pasar_testkit::feed::FakeFeed;
use pasar_types::money::{Currency, Money, TaxRate};

use super::*;
use crate::shop::{Shop, order, refund};

const REACTIONS: OrderReactions = OrderReactions {
    reservation_margin: Duration::from_secs(600),
};

/// A shop, and the orders service that it follows.
struct Told {
    shop: Shop,
    orders: FakeFeed,
}

impl Told {
    /// Tea for three, cake for two, water that nobody counts.
    fn new() -> Self {
        let shop = Shop::open();
        shop.stocked("tea", 3);
        shop.stocked("cake", 2);
        shop.product("water", false);
        shop.events();
        Self {
            shop,
            orders: FakeFeed::new(Service::Orders),
        }
    }

    fn told<E: Event>(&self, n: u8, event: &E) -> Arc<FeedEvent> {
        Arc::new(self.orders.event(&order(n).to_string(), 1, event))
    }

    fn reference(&self, n: u8) -> OrderRef {
        OrderRef {
            order_id: order(n),
            location_id: self.shop.here,
            number: i64::from(n),
            customer_id: None,
        }
    }

    fn placed(&self, n: u8, lines: &[(&str, i64)]) -> Arc<FeedEvent> {
        let price = Money::new(100, Currency::IDR);
        let line = |(sku, quantity): &(&str, i64)| PlacedLine {
            sku: sku.parse().unwrap(),
            quantity: Quantity::new(*quantity).unwrap(),
            unit_price: price,
            tax_rate: TaxRate::default(),
            total: price,
        };
        let event = OrderPlaced {
            order: self.reference(n),
            lines: lines.iter().map(line).collect(),
            total: price,
            method: "cash".to_owned(),
            deadline: self.orders.now(),
        };
        self.told(n, &event)
    }

    fn confirmed(&self, n: u8) -> Arc<FeedEvent> {
        let order = self.reference(n);
        self.told(n, &OrderConfirmed { order, paid: true })
    }

    fn cancelling(&self, n: u8) -> Arc<FeedEvent> {
        let event = OrderCancelling {
            order: self.reference(n),
            reason: CancelReason::CancelledByStaff,
            restock: true,
            by_staff: true,
        };
        self.told(n, &event)
    }

    fn refunded(&self, n: u8, sku: &str) -> Arc<FeedEvent> {
        let line = ReservedLine {
            sku: sku.parse().unwrap(),
            quantity: Quantity::new(1).unwrap(),
        };
        let event = OrderRefundRequested {
            order: self.reference(n),
            refund_id: refund(n),
            amount: Money::new(1, Currency::IDR),
            restock: vec![line],
            reason: "cold".to_owned(),
        };
        self.told(n, &event)
    }

    /// All that can happen to five orders for scarce goods, and some of it twice.
    fn a_day(&self) -> Vec<Arc<FeedEvent>> {
        let placed = [
            self.placed(1, &[("tea", 1), ("cake", 1)]),
            self.placed(2, &[("tea", 1), ("water", 5)]),
            self.placed(3, &[("cake", 2), ("tea", 1)]),
            self.placed(1, &[("tea", 1), ("cake", 1)]),
            self.placed(4, &[("tea", 1)]),
            self.placed(5, &[("tea", 1)]),
        ];
        let mut day = Vec::from(placed);
        day.extend([
            self.confirmed(1),
            self.cancelling(2),
            self.cancelling(3),
            self.confirmed(1),
            self.placed(6, &[("tea", 1), ("cake", 1), ("water", 1)]),
            self.confirmed(4),
            self.refunded(4, "tea"),
            self.confirmed(6),
            self.placed(7, &[("tea", 1)]),
            self.cancelling(6),
            self.placed(8, &[("cake", 1), ("gone", 1)]),
            self.cancelling(9),
            self.placed(9, &[("cake", 1)]),
            self.confirmed(7),
        ]);
        day
    }

    fn take(&self, stretch: &[Arc<FeedEvent>]) -> Result<(), Fault> {
        let stretch = stretch.to_vec();
        self.shop
            .try_run(move |ctx| REACTIONS.react_all(ctx, Service::Orders, &stretch))
    }

    fn take_each(&self, stretch: &[Arc<FeedEvent>]) {
        for event in stretch {
            let event = Arc::clone(event);
            self.shop.run(move |ctx| {
                ctx.join_flow(event.flow);
                REACTIONS.react(ctx, &event)
            });
        }
    }

    fn all(&self) -> [String; 3] {
        [self.shop.rows(), self.shop.events(), self.shop.timers()]
    }
}

#[test]
fn a_stretch_comes_to_the_same_as_its_events_one_by_one() {
    let one_by_one = Told::new();
    one_by_one.take_each(&one_by_one.a_day());
    let expected = one_by_one.all();
    assert!(expected[1].contains("stock.refused.v1"), "{}", expected[1]);
    assert!(expected[0].contains("#4"), "{}", expected[0]);
    for length in [1, 2, 3, 5, 7, 20] {
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
    let before = told.all();
    let fault = told.take(&[
        told.placed(1, &[("tea", 1)]),
        told.confirmed(1),
        // It was never placed.
        told.confirmed(2),
    ]);
    assert!(matches!(fault, Err(Fault::Bug(_))), "{fault:?}");
    assert_eq!(told.shop.rows(), before[0]);
    assert_eq!((told.shop.events(), told.shop.timers()), Default::default());
}

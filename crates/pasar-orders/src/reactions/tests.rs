use pasar_contracts::{
    event::Service,
    events::{
        inventory::{ReleaseKind, Shortage},
        payments::{NextAction, PaymentRef, VoidReason},
    },
};
use pasar_testkit::feed::FakeFeed;
use pasar_types::id::ReservationId;

use super::*;
use crate::{
    process::Stage,
    shop::{PAY_WITHIN, Shop, USUAL_TOTAL, here, idr, order, payment, product, refund, usual},
};

const ORDER: u8 = 1;

/// A shop with one usual order, and what the other two services say about it.
struct Told {
    shop: Shop,
    inventory: FakeFeed,
    payments: FakeFeed,
}

impl Told {
    fn new() -> Self {
        let shop = Shop::open();
        shop.place(usual(ORDER));
        shop.events();
        Self {
            shop,
            inventory: FakeFeed::new(Service::Inventory),
            payments: FakeFeed::new(Service::Payments),
        }
    }

    fn inventory<E: Event>(&self, event: &E) -> FeedEvent {
        self.inventory.event(&order(ORDER).to_string(), 1, event)
    }

    fn payments<E: Event>(&self, event: &E) -> FeedEvent {
        self.payments.event(&order(ORDER).to_string(), 1, event)
    }

    fn react(&self, event: &FeedEvent) -> Result<(), Fault> {
        let event = event.clone();
        self.shop.try_write(move |ctx| {
            if of_inventory(&event) {
                let reactions = InventoryReactions {
                    pay_within: PAY_WITHIN,
                };
                reactions.react(ctx, &event)
            } else {
                let reactions = PaymentReactions {
                    pay_within: PAY_WITHIN,
                };
                reactions.react(ctx, &event)
            }
        })
    }

    fn react_all(&self, stretch: &[FeedEvent]) -> Result<(), Fault> {
        let stretch: Vec<_> = stretch.iter().cloned().map(Arc::new).collect();
        let pay_within = PAY_WITHIN;
        self.shop.try_write(move |ctx| {
            if of_inventory(&stretch[0]) {
                InventoryReactions { pay_within }.react_all(ctx, Service::Inventory, &stretch)
            } else {
                PaymentReactions { pay_within }.react_all(ctx, Service::Payments, &stretch)
            }
        })
    }

    fn reserved(&self) -> FeedEvent {
        self.inventory(&StockReserved {
            order_id: order(ORDER),
            location_id: here(),
            reservation_id: ReservationId::from_bytes([6; 16]),
            expires_at: self.inventory.now(),
        })
    }

    fn refused(&self) -> FeedEvent {
        self.inventory(&StockRefused {
            order_id: order(ORDER),
            location_id: here(),
            shortages: vec![Shortage {
                sku: "tea".parse().unwrap(),
                requested: 2,
                available: 0,
            }],
        })
    }

    fn released(&self) -> FeedEvent {
        self.inventory(&StockReleased {
            order_id: order(ORDER),
            location_id: here(),
            undone: ReleaseKind::Nothing,
        })
    }

    fn sold(&self) -> FeedEvent {
        self.inventory(&StockSold {
            order_id: order(ORDER),
            location_id: here(),
            reservation_id: ReservationId::from_bytes([6; 16]),
        })
    }

    fn expired(&self) -> FeedEvent {
        self.inventory(&StockExpired {
            order_id: order(ORDER),
            location_id: here(),
            reservation_id: ReservationId::from_bytes([6; 16]),
        })
    }

    fn requires_action(&self) -> FeedEvent {
        let expires_at = self.payments.now();
        let action = NextAction::Qr {
            payload: "000201".to_owned(),
            expires_at,
        };
        FeedEvent {
            private: Some(serde_json::to_string(&action).unwrap()),
            ..self.payments(&PaymentRequiresAction {
                payment: of_order(),
                expires_at,
            })
        }
    }

    fn due(&self) -> FeedEvent {
        self.payments(&PaymentDue {
            payment: of_order(),
            amount: idr(USUAL_TOTAL),
        })
    }

    fn authorized(&self) -> FeedEvent {
        self.payments(&PaymentAuthorized {
            payment: of_order(),
            amount: idr(USUAL_TOTAL),
        })
    }

    fn declined(&self) -> FeedEvent {
        self.payments(&PaymentDeclined {
            payment: of_order(),
            reason: "card_declined".to_owned(),
        })
    }

    fn captured(&self) -> FeedEvent {
        self.payments(&PaymentCaptured {
            payment: of_order(),
            amount: idr(USUAL_TOTAL),
        })
    }

    fn capture_failed(&self) -> FeedEvent {
        self.payments(&PaymentCaptureFailed {
            payment: of_order(),
            reason: "expired".to_owned(),
        })
    }

    fn voided(&self, reason: VoidReason) -> FeedEvent {
        self.payments(&PaymentVoided {
            payment: of_order(),
            reason,
        })
    }

    fn refunded(&self, n: u8, amount: i64, total: i64) -> FeedEvent {
        self.payments(&PaymentRefunded {
            payment: of_order(),
            refund_id: refund(n),
            amount: idr(amount),
            refunded_total: idr(total),
            in_full: total == USUAL_TOTAL,
        })
    }

    fn refund_failed(&self, n: u8, amount: i64) -> FeedEvent {
        self.payments(&PaymentRefundFailed {
            payment: of_order(),
            refund_id: refund(n),
            amount: idr(amount),
            reason: "account_closed".to_owned(),
        })
    }
}

fn of_inventory(event: &FeedEvent) -> bool {
    ["stock.", "product.", "location."]
        .iter()
        .any(|start| event.event_type.starts_with(start))
}

fn of_order() -> PaymentRef {
    PaymentRef {
        payment_id: payment(),
        order_id: order(ORDER),
        location_id: here(),
    }
}

/// What is told and what stands there after these events, each delivered once, or each twice.
fn after(build: impl Fn(&Told) -> Vec<FeedEvent>, times: usize) -> String {
    let told = Told::new();
    for event in build(&told) {
        for _ in 0..times {
            told.react(&event).unwrap();
        }
    }
    format!("{}{}", told.shop.events(), told.shop.shown(order(ORDER)))
}

#[track_caller]
fn check(build: impl Fn(&Told) -> Vec<FeedEvent>) -> String {
    let once = after(&build, 1);
    assert_eq!(once, after(&build, 2), "each event delivered twice");
    once
}

#[test]
fn what_inventory_and_payments_say_brings_an_order_to_its_end_once() {
    insta::assert_snapshot!(check(|t| vec![
        t.requires_action(), t.reserved(), t.authorized(), t.captured(), t.sold(),
        t.refund_failed(1, 1_000_000), t.refunded(2, 1_000_000, 1_000_000),
        t.refunded(3, 4_000_000, USUAL_TOTAL),
    ]), @r#"
    order.action_required.v1 v2 {"expires_at":"2026-01-01T00:00:00Z","number":1} private {"type":"qr","payload":"000201","expires_at":"2026-01-01T00:00:00Z"}
    order.stock_reserved.v1 v3 {"number":1}
    order.secured.v1 v4 {"number":1}
    order.confirmed.v1 v5 {"number":1,"paid":true}
    order.stock_sold.v1 v6 {"number":1}
    order.refund_failed.v1 v7 {"number":1}
    order.refunded.v1 v8 {"number":1}
    order.refunded.v1 v9 {"number":1}
    confirmed stock=sold payment=refunded captured=5000000 refunded=5000000 refunding=0 settled
    "#);
}

#[test]
fn the_two_services_may_be_ahead_of_each_other() {
    let one_way = after(
        |t| vec![t.reserved(), t.authorized(), t.captured(), t.sold()],
        1,
    );
    let other_way = after(
        |t| vec![t.authorized(), t.reserved(), t.captured(), t.sold()],
        1,
    );
    let last = |text: &str| text.lines().last().map(str::to_owned);
    assert_eq!(last(&one_way), last(&other_way));
    insta::assert_snapshot!(check(|t| vec![t.captured(), t.reserved(), t.sold()]), @r#"
    order.payment_captured.v1 v2 {"number":1}
    order.confirmed.v1 v3 {"number":1,"paid":true}
    order.stock_sold.v1 v4 {"number":1}
    confirmed stock=sold payment=captured captured=5000000 refunded=0 refunding=0 settled
    "#);
    insta::assert_snapshot!(check(|t| vec![t.due(), t.reserved(), t.sold(), t.captured()]), @r#"
    order.payment_authorized.v1 v2 {"number":1}
    order.confirmed.v1 v3 {"number":1,"paid":false}
    order.stock_sold.v1 v4 {"number":1}
    order.payment_captured.v1 v5 {"number":1}
    confirmed stock=sold payment=captured captured=5000000 refunded=0 refunding=0 cash settled
    "#);
}

#[test]
fn what_fails_is_answered_by_both_in_any_order() {
    insta::assert_snapshot!(check(|t| vec![
        t.authorized(), t.refused(), t.released(), t.voided(VoidReason::Requested),
    ]), @r#"
    order.payment_authorized.v1 v2 {"number":1}
    order.cancelling.v1 v3 {"by_staff":false,"number":1,"reason":"out_of_stock","restock":true}
    order.cancelled.v1 v4 {"number":1,"reason":"out_of_stock","shortages":[{"available":0,"requested":2,"sku":"tea"}]}
    cancelled stock=refused payment=voided captured=0 refunded=0 refunding=0 stock_answered money_answered settled
    cancellation {"reason":"out_of_stock","restock":true,"by_staff":false,"shortages":[{"sku":"tea","requested":2,"available":0}]}
    "#);
    insta::assert_snapshot!(check(|t| vec![
        t.declined(), t.reserved(), t.voided(VoidReason::Nothing), t.released(),
    ]), @r#"
    order.cancelling.v1 v2 {"by_staff":false,"number":1,"reason":"payment_declined","restock":true}
    order.stock_reserved.v1 v3 {"number":1}
    order.cancelled.v1 v4 {"number":1,"reason":"payment_declined"}
    cancelled stock=released payment=declined captured=0 refunded=0 refunding=0 stock_answered money_answered settled
    cancellation {"reason":"payment_declined","restock":true,"by_staff":false}
    "#);
    insta::assert_snapshot!(check(|t| vec![
        t.reserved(), t.expired(), t.authorized(), t.voided(VoidReason::Requested), t.released(),
    ]), @r#"
    order.stock_reserved.v1 v2 {"number":1}
    order.cancelling.v1 v3 {"by_staff":false,"number":1,"reason":"reservation_expired","restock":true}
    order.payment_authorized.v1 v4 {"number":1}
    order.cancelled.v1 v5 {"number":1,"reason":"reservation_expired"}
    cancelled stock=expired payment=voided captured=0 refunded=0 refunding=0 stock_answered money_answered settled
    cancellation {"reason":"reservation_expired","restock":true,"by_staff":false}
    "#);
}

#[test]
fn a_capture_that_fails_is_told_and_its_authorisation_voided() {
    insta::assert_snapshot!(check(|t| vec![
        t.reserved(), t.authorized(), t.capture_failed(), t.voided(VoidReason::Requested), t.released(),
    ]), @r#"
    order.stock_reserved.v1 v2 {"number":1}
    order.secured.v1 v3 {"number":1}
    order.cancelling.v1 v4 {"by_staff":false,"number":1,"reason":"capture_failed","restock":true}
    order.payment_voided.v1 v5 {"number":1}
    order.cancelled.v1 v6 {"number":1,"reason":"capture_failed"}
    cancelled stock=released payment=voided captured=0 refunded=0 refunding=0 stock_answered money_answered settled
    cancellation {"reason":"capture_failed","restock":true,"by_staff":false,"capture_failed":true}
    "#);
}

#[test]
fn a_newer_event_type_waits_until_it_is_known() {
    let told = Told::new();
    for known in [told.reserved(), told.authorized()] {
        let newer = FeedEvent {
            event_type: known.event_type.replace(".v1", ".v2"),
            ..known
        };
        let fault = told.react(&newer).unwrap_err();
        assert!(
            matches!(fault, Fault::Corrupt(_)) && !fault.retry(),
            "{fault}"
        );
        assert!(
            InventoryReactions {
                pay_within: PAY_WITHIN
            }
            .wants(&newer.event_type)
        );
        assert!(
            PaymentReactions {
                pay_within: PAY_WITHIN
            }
            .wants(&newer.event_type)
        );
    }
    assert_eq!(told.shop.row(order(ORDER)).stage, Stage::Placed);
}

#[test]
fn what_cannot_be_read_is_a_fault_and_changes_nothing() {
    let told = Told::new();
    let half = FeedEvent {
        data: r#"{"order_id":"ord_"}"#.to_owned(),
        ..told.reserved()
    };
    assert!(matches!(told.react(&half), Err(Fault::Corrupt(_))));
    let without_action = FeedEvent {
        private: None,
        ..told.requires_action()
    };
    assert!(matches!(
        told.react(&without_action),
        Err(Fault::Corrupt(_))
    ));
    insta::assert_snapshot!(told.shop.events(), @"");
}

#[test]
fn an_order_event_goes_to_its_locations_lane_and_the_catalogue_to_the_first() {
    let told = Told::new();
    let inventory = InventoryReactions {
        pay_within: PAY_WITHIN,
    };
    let payments = PaymentReactions {
        pay_within: PAY_WITHIN,
    };
    let here = Route::One(LaneKey::of(here().as_bytes()));
    assert_eq!(inventory.route(&told.reserved()).unwrap(), here);
    assert_eq!(payments.route(&told.captured()).unwrap(), here);
    let tea = told.inventory.event("product:tea", 1, &product("tea", 1));
    assert_eq!(inventory.route(&tea).unwrap(), Route::One(LaneKey::ZERO));
    let nowhere = FeedEvent {
        data: "{}".to_owned(),
        ..told.captured()
    };
    assert!(payments.route(&nowhere).is_err());
}

#[test]
fn what_does_not_concern_orders_is_skipped() {
    let inventory = InventoryReactions {
        pay_within: PAY_WITHIN,
    };
    for skipped in [
        StockReceived::TYPE,
        StockAdjusted::TYPE,
        StockReturned::TYPE,
    ] {
        assert!(!inventory.wants(skipped), "{skipped}");
    }
    let payments = PaymentReactions {
        pay_within: PAY_WITHIN,
    };
    assert!(!payments.wants(PaymentInitiated::TYPE));
}

#[test]
fn a_stretch_comes_to_the_same_as_its_events_one_by_one() {
    let day = |told: &Told| {
        [
            told.authorized(),
            told.captured(),
            told.reserved(),
            told.reserved(),
            told.sold(),
            told.captured(),
        ]
    };
    let expected = {
        let told = Told::new();
        for event in day(&told) {
            told.react(&event).unwrap();
        }
        (told.shop.row(order(ORDER)), told.shop.events())
    };
    for length in [2, 3] {
        let told = Told::new();
        // Each feed for itself, as they are followed.
        for stretch in day(&told).chunk_by(|a, b| of_inventory(a) == of_inventory(b)) {
            for stretch in stretch.chunks(length) {
                told.react_all(stretch).unwrap();
            }
        }
        let found = (told.shop.row(order(ORDER)), told.shop.events());
        assert_eq!(found, expected, "in stretches of {length}");
    }
}

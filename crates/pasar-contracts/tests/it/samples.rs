//! One instance of every event, with every optional field present.

use std::collections::BTreeMap;

use pasar_contracts::{
    api::{orders::CancelReason, relay::DisableReason, users::Role},
    event::Event,
    events::{inventory::*, orders::*, payments::*, relay::*, users::*},
};
use pasar_types::{
    id::{Id, Kind},
    money::{Currency, Money, TaxRate},
    quantity::Quantity,
    sku::Sku,
    time::Timestamp,
};

pub(crate) struct Sample {
    pub(crate) event_type: &'static str,
    pub(crate) text: String,
    pub(crate) read_back: fn(&str) -> bool,
}

fn sample<E: Event>(event: &E) -> Sample {
    Sample {
        event_type: E::TYPE,
        text: serde_json::to_string(event).unwrap(),
        read_back: |text| {
            serde_json::from_str::<E>(text).is_ok_and(|event| serde_json::to_string(&event).is_ok())
        },
    }
}

fn id<K: Kind>(number: u8) -> Id<K> {
    let mut bytes = [0; 16];
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    bytes[15] = number;
    Id::from_bytes(bytes)
}

fn rupiah(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::IDR)
}

fn sku() -> Sku {
    "kopi-susu".parse().unwrap()
}

fn two() -> Quantity {
    Quantity::new(2).unwrap()
}

fn rate() -> TaxRate {
    TaxRate::from_basis_points(1100).unwrap()
}

const TIME: Timestamp = Timestamp::from_micros(1_795_000_000_123_456);

pub(crate) fn all() -> Vec<Sample> {
    [
        of_users(),
        of_inventory(),
        of_payments(),
        of_orders(),
        of_relay(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_users() -> Vec<Sample> {
    let (user_id, session_id, api_key_id) = (id(1), id(2), id(3));
    vec![
        sample(&UserRegistered {
            user_id,
            roles: vec![Role::Customer],
        }),
        sample(&UserUpdated { user_id }),
        sample(&UserRolesChanged {
            user_id,
            roles: vec![Role::Staff, Role::Admin],
        }),
        sample(&UserPasswordChanged { user_id }),
        sample(&UserDeleted { user_id }),
        sample(&SessionStarted {
            user_id,
            session_id,
        }),
        sample(&SessionEnded {
            user_id,
            session_id,
            reason: SessionEnd::RefreshTokenReused,
        }),
        sample(&ApiKeyCreated {
            user_id,
            api_key_id,
            scopes: vec!["publish:client".into()],
        }),
        sample(&ApiKeyRevoked {
            user_id,
            api_key_id,
        }),
    ]
}

fn of_inventory() -> Vec<Sample> {
    let (location_id, order_id, reservation_id) = (id(4), id(5), id(6));
    let names = BTreeMap::from([("id".to_owned(), "Kopi susu".to_owned())]);
    vec![
        sample(&ProductChanged {
            sku: sku(),
            name: "Milk coffee".into(),
            names,
            price: rupiah(2_500_000),
            tax_rate: rate(),
            category: Some("coffee".into()),
            track_stock: true,
            orderable: true,
            sold_out_at: vec![],
        }),
        sample(&LocationChanged {
            location_id,
            name: "Kemang".into(),
            time_zone: "Asia/Jakarta".into(),
            cut_off_minutes: 240,
            currency: Currency::IDR,
            starts_unpaid: false,
            is_default: true,
        }),
        sample(&StockReceived {
            sku: sku(),
            location_id,
            quantity: two(),
            on_hand: 12,
        }),
        sample(&StockAdjusted {
            sku: sku(),
            location_id,
            change: -3,
            on_hand: 9,
            reason: "spilled".into(),
        }),
        sample(&StockReserved {
            order_id,
            location_id,
            reservation_id,
            expires_at: TIME,
        }),
        sample(&StockRefused {
            order_id,
            location_id,
            shortages: vec![Shortage {
                sku: sku(),
                requested: 3,
                available: 1,
            }],
        }),
        sample(&StockExpired {
            order_id,
            location_id,
            reservation_id,
        }),
        sample(&StockReleased {
            order_id,
            location_id,
            undone: ReleaseKind::SaleRestocked,
        }),
        sample(&StockSold {
            order_id,
            location_id,
            reservation_id,
        }),
        sample(&StockReturned {
            order_id,
            location_id,
            lines: vec![ReservedLine {
                sku: sku(),
                quantity: two(),
            }],
        }),
    ]
}

fn of_payments() -> Vec<Sample> {
    let payment = PaymentRef {
        payment_id: id(7),
        order_id: id(5),
        location_id: id(4),
    };
    let (amount, reason) = (rupiah(5_000_000), "card_declined".to_owned());
    let of = || payment.clone();
    vec![
        sample(&PaymentInitiated {
            payment: of(),
            amount,
            method: "sandbox".into(),
        }),
        sample(&PaymentRequiresAction {
            payment: of(),
            expires_at: TIME,
        }),
        sample(&PaymentDue {
            payment: of(),
            amount,
        }),
        sample(&PaymentAuthorized {
            payment: of(),
            amount,
        }),
        sample(&PaymentDeclined {
            payment: of(),
            reason: reason.clone(),
        }),
        sample(&PaymentCaptured {
            payment: of(),
            amount,
        }),
        sample(&PaymentCaptureFailed {
            payment: of(),
            reason: reason.clone(),
        }),
        sample(&PaymentVoided {
            payment: of(),
            reason: VoidReason::Requested,
        }),
        sample(&PaymentRefunded {
            payment: of(),
            refund_id: id(8),
            amount,
            refunded_total: amount,
            in_full: true,
        }),
        sample(&PaymentRefundFailed {
            payment: of(),
            refund_id: id(8),
            amount,
            reason,
        }),
    ]
}

fn of_orders() -> Vec<Sample> {
    let order = OrderRef {
        order_id: id(5),
        location_id: id(4),
        number: 42,
        customer_id: Some(id(1)),
    };
    let of = || order.clone();
    let mut samples = vec![
        sample(&OrderPlaced {
            order: of(),
            lines: vec![PlacedLine {
                sku: sku(),
                quantity: two(),
                unit_price: rupiah(2_500_000),
                tax_rate: rate(),
                total: rupiah(5_000_000),
            }],
            total: rupiah(5_000_000),
            method: "sandbox".into(),
            deadline: TIME,
        }),
        sample(&OrderActionRequired {
            order: of(),
            expires_at: TIME,
        }),
        sample(&OrderSecured { order: of() }),
        sample(&OrderConfirmed {
            order: of(),
            paid: true,
        }),
        sample(&OrderCancelling {
            order: of(),
            reason: CancelReason::OutOfStock,
            restock: true,
            by_staff: false,
        }),
        sample(&OrderCancelled {
            order: of(),
            reason: CancelReason::OutOfStock,
            shortages: vec![Shortage {
                sku: sku(),
                requested: 3,
                available: 1,
            }],
        }),
        sample(&OrderPreparing { order: of() }),
        sample(&OrderReady { order: of() }),
        sample(&OrderCollected { order: of() }),
        sample(&OrderAbandoned { order: of() }),
        sample(&OrderRefundRequested {
            order: of(),
            refund_id: id(8),
            amount: rupiah(2_500_000),
            restock: vec![ReservedLine {
                sku: sku(),
                quantity: two(),
            }],
            reason: "cold".into(),
        }),
    ];
    macro_rules! recorded {
        ($($event:ident),*) => { $(samples.push(sample(&$event { order: of() }));)* };
    }
    recorded!(
        OrderStockReserved,
        OrderStockRefused,
        OrderStockExpired,
        OrderStockReleased,
        OrderStockSold,
        OrderPaymentAuthorized,
        OrderPaymentDeclined,
        OrderPaymentCaptured,
        OrderPaymentCaptureFailed,
        OrderPaymentVoided,
        OrderRefunded,
        OrderRefundFailed
    );
    samples
}

fn of_relay() -> Vec<Sample> {
    let subscription_id = id(9);
    let kind = || "rest".to_owned();
    vec![
        sample(&SubscriptionCreated {
            subscription_id,
            kind: kind(),
        }),
        sample(&SubscriptionChanged {
            subscription_id,
            kind: kind(),
        }),
        sample(&SubscriptionPaused { subscription_id }),
        sample(&SubscriptionResumed { subscription_id }),
        sample(&SubscriptionDisabled {
            subscription_id,
            reason: DisableReason::Failing,
        }),
        sample(&SubscriptionDeleted { subscription_id }),
        sample(&SubscriptionOverrun {
            subscription_id,
            after: 40,
            upto: 50,
        }),
        sample(&MessageDeadLettered {
            subscription_id,
            topic: "client".into(),
            message_id: "greeting-1".into(),
            position: 42,
            attempts: 24,
        }),
    ]
}

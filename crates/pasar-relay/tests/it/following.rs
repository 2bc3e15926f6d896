//! Services' events in the log: each once, in order, without what only services may read.

use std::{fs, time::Duration};

use pasar_contracts::{
    event::Service,
    events::{
        orders::{OrderPlaced, OrderRef, OrderSecured, PaymentToken},
        payments::{NextAction, PaymentRef, PaymentRequiresAction},
        relay::SubscriptionPaused,
    },
};
use pasar_store::{
    cause::{Actor, Cause},
    lane::{Class, LaneKey},
};
use pasar_types::{
    id::{FlowId, LocationId, OrderId, PaymentId, SubscriptionId},
    money::{Currency, Money},
};

use crate::shop::Shop;

fn order(number: u8) -> OrderRef {
    OrderRef {
        order_id: OrderId::from_bytes([number; 16]),
        location_id: LocationId::from_bytes([2; 16]),
        number: number.into(),
        customer_id: None,
    }
}

fn secured(number: u8) -> OrderSecured {
    OrderSecured {
        order: order(number),
    }
}

#[tokio::test]
async fn events_stand_in_the_log_in_their_order_and_once_across_a_restart() {
    let mut shop = Shop::open().await;
    for number in 1..=3 {
        shop.orders
            .push(&format!("ord_{number}"), 1, &secured(number));
    }
    shop.caught_up().await;
    shop.restart().await;
    for number in 4..=6 {
        shop.orders
            .push(&format!("ord_{number}"), 1, &secured(number));
    }
    shop.caught_up().await;
    let log = shop.log();
    let positions: Vec<i64> = log.iter().map(|message| message.position).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5, 6]);
    for (message, number) in log.iter().zip(1_u8..) {
        let data = serde_json::to_string(&secured(number)).unwrap();
        assert_eq!((message.topic.as_str(), &message.data), ("orders", &data));
    }
}

#[tokio::test]
async fn what_a_feed_tells_twice_stands_in_the_log_once() {
    let shop = Shop::open().await;
    let event = shop.orders.push("ord_1", 1, &secured(1));
    shop.caught_up().await;
    shop.orders.push_again(&event);
    shop.orders.push("ord_2", 1, &secured(2));
    shop.caught_up().await;
    let log = shop.log();
    let positions: Vec<i64> = log.iter().map(|message| message.position).collect();
    assert_eq!(positions, [1, 2], "{log:#?}");
    assert_eq!(log[0].id, event.id.to_string());
}

#[tokio::test]
async fn private_parts_are_nowhere_in_the_database() {
    let shop = Shop::open().await;
    let (token, url) = ("tok_canary_59c1", "https://pay.test/canary-77f0");
    let money = Money::new(2_500, Currency::IDR);
    let now = shop.orders.now();
    let placed = OrderPlaced {
        order: order(1),
        lines: Vec::new(),
        total: money,
        method: "sandbox".to_owned(),
        deadline: now + Duration::from_secs(900),
    };
    let token = PaymentToken {
        token: token.to_owned(),
    };
    shop.orders.push_private("ord_1", 1, &placed, &token);
    let action = PaymentRequiresAction {
        payment: PaymentRef {
            payment_id: PaymentId::from_bytes([1; 16]),
            order_id: OrderId::from_bytes([1; 16]),
            location_id: LocationId::from_bytes([2; 16]),
        },
        expires_at: now,
    };
    let next = NextAction::Redirect {
        url: url.to_owned(),
        expires_at: now,
    };
    shop.payments.push_private("ord_1", 1, &action, &next);
    shop.caught_up().await;
    assert_eq!(shop.log().len(), 2);
    if pasar_testkit::fresh::is_on_server() {
        // Its files are not ours to read; the rows are the same.
        return;
    }
    let mut found_data = false;
    for file in fs::read_dir(&shop.test.host.data).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        };
        assert!(!holds(&token.token) && !holds(url), "{}", path.display());
        found_data |= holds("order.placed.v1");
    }
    assert!(found_data, "the files that were searched hold no message");
}

/// Copying an event writes no event: the relay's own feed ends where it ended.
#[tokio::test]
async fn following_its_own_feed_does_not_feed_it() {
    let shop = Shop::open().await;
    for version in 1..=2 {
        let cause = Cause::new(Actor::Operator, FlowId::from_bytes([3; 16]));
        let subscription_id = SubscriptionId::from_bytes([4; 16]);
        shop.store
            .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
                ctx.emit(
                    &subscription_id.to_string(),
                    version,
                    &SubscriptionPaused { subscription_id },
                )
            })
            .await
            .unwrap();
        shop.caught_up().await;
        assert_eq!(shop.store.head(), version);
        assert_eq!(shop.followed(Service::Relay), version);
        assert_eq!(shop.log().len(), usize::try_from(version).unwrap());
    }
}

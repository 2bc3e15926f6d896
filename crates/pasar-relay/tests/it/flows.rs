//! `GET /v1/flows/{id}`: causes before effects, what was delivered where, what is still to come, and who sees it.

use pasar_chassis::identity::Identity;
use pasar_contracts::{
    api::{
        flows::{DeliveryState, Flow, FlowStep, Waiting, WaitingFrom},
        users::Role,
    },
    event::{Event, Service},
    events::{
        orders::{OrderRef, OrderSecured},
        payments::{PaymentAuthorized, PaymentInitiated, PaymentRef},
    },
};
use pasar_store::{
    cause::{Actor, Cause},
    lane::{Class, LaneKey},
    value::ToValue,
};
use pasar_testkit::{client::Answer, feed::FakeFeed, identities};
use pasar_types::{
    id::{ApiKeyId, FlowId, LocationId, OrderId, PaymentId, RequestId, SubscriptionId, UserId},
    money::{Currency, Money},
};
use serde_json::json;

use crate::shop::Shop;

const FLOW: FlowId = FlowId::from_bytes([9; 16]);
const ORDER: OrderId = OrderId::from_bytes([1; 16]);
const SUBSCRIPTION: SubscriptionId = SubscriptionId::from_bytes([7; 16]);

fn customer() -> UserId {
    identities::customer(1).user_id().unwrap()
}

fn order() -> OrderRef {
    OrderRef {
        order_id: ORDER,
        location_id: LocationId::from_bytes([2; 16]),
        number: 1,
        customer_id: Some(customer()),
    }
}

fn payment() -> PaymentRef {
    PaymentRef {
        payment_id: PaymentId::from_uuid(ORDER.uuid()),
        order_id: ORDER,
        location_id: LocationId::from_bytes([2; 16]),
    }
}

/// Publishes an event in the flow, caused by what is named; answers its id.
fn publish<E: Event>(feed: &FakeFeed, version: i64, event: &E, cause: &str) -> String {
    let mut event = feed.event(&ORDER.to_string(), version, event);
    event.flow = FLOW;
    event.causation = Some(cause.to_owned());
    event.actor = Actor::User(customer()).to_string();
    feed.push_again(&event).id.to_string()
}

/// An order's flow in which payments' events reach the log before what caused them.
async fn order_flow(shop: &Shop) -> Vec<String> {
    let amount = Money::new(1_000, Currency::IDR);
    let request = RequestId::from_uuid(FLOW.uuid()).to_string();
    let mut first = shop
        .orders
        .event(&ORDER.to_string(), 1, &OrderSecured { order: order() });
    first.flow = FLOW;
    first.causation = Some(request);
    first.actor = Actor::User(customer()).to_string();
    let initiated = PaymentInitiated {
        payment: payment(),
        amount,
        method: "sandbox".to_owned(),
    };
    let initiated = publish(&shop.payments, 1, &initiated, &first.id.to_string());
    let authorized = PaymentAuthorized {
        payment: payment(),
        amount,
    };
    let authorized = publish(&shop.payments, 2, &authorized, &initiated);
    shop.caught_up().await;
    shop.orders.push_again(&first);
    shop.caught_up().await;
    assert_eq!(shop.log()[0].topic, "payments");
    vec![first.id.to_string(), initiated, authorized]
}

async fn get(shop: &Shop, id: &str, identity: Identity) -> Answer {
    shop.client
        .get(&format!("/v1/flows/{id}"))
        .as_(identity)
        .send()
        .await
}

async fn flow(shop: &Shop, id: &str, identity: Identity) -> Flow {
    get(shop, id, identity).await.expect(200).json()
}

/// Messages by their ids, deliveries by their attempts.
fn steps(flow: &Flow) -> Vec<String> {
    flow.steps
        .iter()
        .map(|step| match step {
            FlowStep::Message(message) => message.id.clone(),
            FlowStep::Delivery(delivery) => {
                let attempt = &delivery.attempt;
                format!("{} #{}", attempt.message_id, attempt.attempt)
            }
        })
        .collect()
}

async fn execute(shop: &Shop, sql: &'static str, params: Vec<Box<dyn ToValue + Send>>) {
    let cause = Cause::new(Actor::Operator, FLOW);
    let rows = shop
        .store
        .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
            let params: Vec<&dyn ToValue> = params
                .iter()
                .map(|param| &**param as &dyn ToValue)
                .collect();
            ctx.execute(sql, &params)
        })
        .await
        .unwrap();
    assert!(rows > 0, "nothing was written by {sql}");
}

/// A subscription to everything that stands before the first message.
async fn subscribe(shop: &Shop, owner: &str, ordering: &str, state: &'static str) {
    let spec = json!({
        "name": "kitchen printer", "topics": ["*"], "ordering": ordering,
        "destination": { "kind": "rest", "url": "https://kitchen.test/hook" },
    });
    execute(
        shop,
        "INSERT INTO subscription (id, owner, state, spec, secret_places, created_at, version, keyversion)
         VALUES (?1, ?2, ?3, ?4, '[]', 0, 1, 1)",
        vec![
            Box::new(SUBSCRIPTION),
            Box::new(owner.to_owned()),
            Box::new(state),
            Box::new(spec.to_string()),
        ],
    )
    .await;
    execute(
        shop,
        "INSERT INTO progress (subscription, position, attached) VALUES (?1, 0, 0)",
        vec![Box::new(SUBSCRIPTION)],
    )
    .await;
}

async fn attempt(shop: &Shop, position: i64, number: i64, delivered: bool) {
    execute(
        shop,
        "INSERT INTO attempt (subscription, position, attempt, at, took_us, delivered, status, detail)
         VALUES (?1, ?2, ?3, ?4, 1500, ?5, 503, 'printer is out of paper')",
        vec![
            Box::new(SUBSCRIPTION),
            Box::new(position),
            Box::new(number),
            Box::new(shop.orders.now()),
            Box::new(i64::from(delivered)),
        ],
    )
    .await;
}

async fn retry(shop: &Shop, position: i64, held: bool) {
    execute(
        shop,
        "INSERT INTO retry (subscription, position, key, attempts, due, held, since, last_error)
         VALUES (?1, ?2, 'ord', 1, ?3, ?4, 0, 'printer is out of paper')",
        vec![
            Box::new(SUBSCRIPTION),
            Box::new(position),
            Box::new(shop.orders.now()),
            Box::new(i64::from(held)),
        ],
    )
    .await;
}

/// Of deliveries: position, state, the one before it, and whether the error is told.
fn deliveries(flow: &Flow) -> Vec<(i64, DeliveryState, Option<i64>, bool)> {
    flow.waiting_for
        .iter()
        .filter_map(|waiting| match waiting {
            Waiting::Delivery(delivery) => Some((
                delivery.position,
                delivery.state,
                delivery.behind,
                delivery.last_error.is_some(),
            )),
            Waiting::Event(_) => None,
        })
        .collect()
}

#[tokio::test]
async fn a_flow_is_found_by_any_id_in_it_and_causes_stand_before_effects() {
    let shop = Shop::open().await;
    let ids = order_flow(&shop).await;
    subscribe(&shop, "operator", "none", "active").await;
    attempt(&shop, 2, 1, false).await;
    attempt(&shop, 2, 2, true).await;
    let payment = PaymentId::from_uuid(ORDER.uuid()).to_string();
    let request = RequestId::from_uuid(FLOW.uuid()).to_string();
    for id in [
        &FLOW.to_string(),
        &ORDER.to_string(),
        &payment,
        &request,
        &ids[1],
    ] {
        let flow = flow(&shop, id, identities::staff()).await;
        assert_eq!(flow.id, FLOW, "{id}");
        let delivered = |number| format!("{} #{number}", ids[2]);
        let wanted = [
            ids[0].clone(),
            ids[1].clone(),
            ids[2].clone(),
            delivered(1),
            delivered(2),
        ];
        assert_eq!(steps(&flow), wanted, "{id}");
        let Waiting::Event(event) = &flow.waiting_for[0] else {
            panic!("{flow:#?}");
        };
        assert_eq!(event.from, WaitingFrom::Payments);
        assert_eq!(event.key, ORDER.to_string());
    }
    get(&shop, "evt_nothing", identities::staff())
        .await
        .expect(404);
}

#[tokio::test]
async fn whoever_sent_a_message_sees_what_became_of_it_and_others_do_not() {
    let shop = Shop::open().await;
    let owner = UserId::from_bytes([5; 16]);
    let mut sender = Identity::user(owner, [Role::Customer]);
    sender.actor = Actor::ApiKey {
        key: ApiKeyId::from_bytes([6; 16]),
        owner,
    };
    sender.scopes = vec!["publish:client".to_owned()];
    let message = json!({ "data": { "x": 1 }, "id": "greeting-1" });
    let call = shop.client.post("/v1/messages").as_(sender.clone());
    call.json(&message).send().await.expect(202);
    subscribe(&shop, "user:somebody", "none", "active").await;
    attempt(&shop, 1, 1, false).await;
    retry(&shop, 1, false).await;
    let own = flow(&shop, "greeting-1", sender.clone()).await;
    assert_eq!(steps(&own), ["greeting-1", "greeting-1 #1"]);
    // The other's answer is not theirs to read.
    let FlowStep::Delivery(delivery) = &own.steps[1] else {
        panic!("{own:#?}");
    };
    assert_eq!(
        (delivery.attempt.status, &delivery.attempt.detail),
        (Some(503), &None)
    );
    let retrying = DeliveryState::Retrying;
    assert_eq!(deliveries(&own), [(1, retrying, None, false)]);
    // Nor is it of use to ask as another customer, or as nobody.
    assert_eq!(
        get(&shop, "greeting-1", identities::customer(2))
            .await
            .problem(),
        "not-found"
    );
    assert_eq!(
        get(&shop, "greeting-1", identities::anonymous())
            .await
            .problem(),
        "unauthenticated"
    );
    let staff = flow(&shop, "greeting-1", identities::staff()).await;
    assert_eq!(deliveries(&staff), [(1, retrying, None, true)]);
    let FlowStep::Delivery(delivery) = &staff.steps[1] else {
        panic!("{staff:#?}");
    };
    assert_eq!(
        delivery.attempt.detail.as_deref(),
        Some("printer is out of paper")
    );
    assert_eq!(delivery.destination.as_deref(), Some("rest"));
    assert_eq!(delivery.subscription.as_deref(), Some("kitchen printer"));
}

#[tokio::test]
async fn a_customer_sees_the_events_of_their_own_order_and_no_deliveries() {
    let shop = Shop::open().await;
    let ids = order_flow(&shop).await;
    subscribe(&shop, "operator", "none", "active").await;
    attempt(&shop, 3, 1, true).await;
    let own = flow(&shop, &ORDER.to_string(), identities::customer(1)).await;
    assert_eq!(steps(&own), [ids[0].clone()]);
    assert!(deliveries(&own).is_empty(), "{own:#?}");
    assert!(matches!(own.waiting_for[0], Waiting::Event(_)), "{own:#?}");
    let other = get(&shop, &ORDER.to_string(), identities::customer(2)).await;
    assert_eq!(other.problem(), "not-found");
}

#[tokio::test]
async fn what_is_not_delivered_says_why() {
    let shop = Shop::open().await;
    order_flow(&shop).await;
    subscribe(&shop, "operator", "key", "active").await;
    attempt(&shop, 1, 1, false).await;
    retry(&shop, 1, false).await;
    retry(&shop, 2, true).await;
    let staff = identities::staff;
    let states = deliveries(&flow(&shop, &FLOW.to_string(), staff()).await);
    assert_eq!(
        states,
        [
            (1, DeliveryState::Retrying, None, true),
            (2, DeliveryState::Held, Some(1), true),
            (3, DeliveryState::InFlight, None, false),
        ]
    );
    execute(
        &shop,
        "UPDATE subscription SET state = 'paused'",
        Vec::new(),
    )
    .await;
    execute(
        &shop,
        "INSERT INTO dead_letter (subscription, position, attempts, last_error, since)
         VALUES (?1, 1, 24, 'printer is out of paper', 0)",
        vec![Box::new(SUBSCRIPTION)],
    )
    .await;
    execute(&shop, "DELETE FROM retry WHERE position = 1", Vec::new()).await;
    let states = deliveries(&flow(&shop, &FLOW.to_string(), staff()).await);
    let states: Vec<_> = states.iter().map(|(at, state, ..)| (*at, *state)).collect();
    assert_eq!(
        states,
        [
            (1, DeliveryState::DeadLetter),
            (2, DeliveryState::Paused),
            (3, DeliveryState::Paused),
        ]
    );
    // Past it: nothing is on its way any more.
    execute(&shop, "UPDATE progress SET position = 3", Vec::new()).await;
    let states = deliveries(&flow(&shop, &FLOW.to_string(), staff()).await);
    assert_eq!(states.len(), 2, "{states:?}");
}

#[tokio::test]
async fn a_long_flow_comes_in_pages_and_large_data_is_left_out() {
    let shop = Shop::open().await;
    let ids = order_flow(&shop).await;
    let mut large = shop.payments.event(
        "other",
        1,
        &PaymentInitiated {
            payment: payment(),
            amount: Money::new(1, Currency::IDR),
            method: "m".repeat(10_000),
        },
    );
    large.flow = FLOW;
    let large = shop.payments.push_again(&large).id.to_string();
    shop.caught_up().await;
    let path = format!("/v1/flows/{FLOW}?limit=3");
    let staff = identities::staff;
    let first = shop.client.get(&path).as_(staff()).send().await.expect(200);
    let page: Flow = first.json();
    assert_eq!(steps(&page), ids);
    let cursor = page.next_cursor.unwrap();
    assert!(first.header("link").unwrap().contains(&cursor));
    let next = format!("{path}&cursor={cursor}");
    let last: Flow = shop
        .client
        .get(&next)
        .as_(staff())
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!((steps(&last), last.next_cursor), (vec![large], None));
    let FlowStep::Message(message) = &last.steps[0] else {
        panic!("{:#?}", last.steps);
    };
    assert!(message.data.is_none() && message.data_bytes > 10_000);
    for wrong in ["limit=0", "limit=201", "cursor=x", "page=1"] {
        let path = format!("/v1/flows/{FLOW}?{wrong}");
        shop.client.get(&path).as_(staff()).send().await.expect(422);
    }
    assert_eq!(shop.followed(Service::Payments), 3);
}

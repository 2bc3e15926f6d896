//! Two instances on one database: one follows and keeps the deadlines, both take orders and tell of them.

use std::time::Duration;

use pasar_contracts::events::orders::{OrderCancelling, OrderConfirmed};
use pasar_testkit::probe::soon;
use serde_json::json;

use crate::counter::{Counter, TEA, ann, ben, product, tea};

#[tokio::test]
async fn an_instance_tells_what_the_other_one_did_to_an_order() {
    let [first, mut second] = Counter::open_two().await;
    let id = second.place(ann(), &tea()).await;
    let path = format!("/v1/orders/{id}/events");
    let mut stream = second.client.get(&path).as_(ann()).stream().await;
    let waiting = {
        let call = second.client.get(&format!("/v1/orders/{id}")).as_(ann());
        call.header("prefer", "wait=60").send()
    };
    // The first one is on duty: it follows, and takes what these tell.
    first.reserve(id);
    first.pay(id);
    assert_eq!(
        soon("the order settled", waiting).await.value()["state"],
        "confirmed"
    );
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "order.confirmed") {
        names.push(stream.next().await.unwrap().event.unwrap());
    }
    // Which of stock and money comes first is not for us to say.
    assert_eq!(names[0], "order.placed");
    assert!(names.len() >= 4, "{names:?}");
    second.next::<OrderConfirmed>(id).await;
    assert_eq!(first.state(id).await, second.state(id).await);
}

#[tokio::test]
async fn an_instance_that_does_not_follow_waits_for_the_catalogue_of_the_one_that_does() {
    let [first, second] = Counter::open_two().await;
    for number in 0..20 {
        let sku = format!("bun-{number}");
        first
            .inventory
            .push(&format!("product:{sku}"), 1, &product(&sku, TEA));
        let mut order = tea();
        order["lines"] = json!([{"sku": sku, "quantity": 1}]);
        second.place(ann(), &order).await;
    }
}

#[tokio::test]
async fn a_deadline_is_kept_by_whoever_is_on_duty_then() {
    let [first, mut second] = Counter::open_two().await;
    let kept = second.place(ann(), &tea()).await;
    first.reserve(kept);
    first.pay(kept);
    second.next::<OrderConfirmed>(kept).await;
    let missed = first.place(ben(), &tea()).await;
    let holder = async || {
        second
            .store
            .lease("background")
            .await
            .unwrap()
            .unwrap()
            .holder
    };
    let before = holder().await;
    // The clock of the first one stands still: it has fallen silent.
    let relieved = async {
        while holder().await == before {
            second.host.advance(Duration::from_millis(250));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon("the duty goes over", relieved).await;
    second.host.advance(Duration::from_secs(3_600));
    second.next::<OrderCancelling>(missed).await;
    assert!(second.state(missed).await.starts_with("cancelling"));
    assert!(second.state(kept).await.starts_with("confirmed"));
}

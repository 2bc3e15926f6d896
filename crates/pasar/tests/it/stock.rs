//! Stock under pressure: never oversold, never lost, never stuck.

use futures_util::future::join_all;
use serde_json::json;

use crate::{api::order_of, system::System};

#[tokio::test(flavor = "multi_thread")]
async fn of_200_buyers_of_the_last_unit_one_gets_it_and_199_are_told_why() {
    let system = System::start();
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("last-cake", 1).await;
    let cake = order_of(&[("last-cake", 1)], "tok_ok");
    let buyers = (0..200).map(|_| kiosk.order(30, &cake));
    let mut confirmed = 0;
    for answer in join_all(buyers).await {
        let order = answer.expect(201);
        if order["state"] == "confirmed" {
            confirmed += 1;
            continue;
        }
        let id = order["id"].as_str().unwrap();
        let order = staff.settled(id).await;
        assert_eq!(order["state"], "cancelled", "{order:#}");
        assert_eq!(order["cancellation"]["reason"], "out_of_stock");
        let shortage = json!([{ "sku": "last-cake", "requested": 1, "available": 0 }]);
        assert_eq!(order["cancellation"]["shortages"], shortage);
        assert!(matches!(
            order["payment"]["state"].as_str(),
            Some("voided" | "refunded")
        ));
    }
    assert_eq!(confirmed, 1);
    system.quiet().await;
    assert_eq!(staff.stock("last-cake").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn crossed_orders_for_scarce_stock_all_settle_and_none_gets_half() {
    let system = System::start();
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("left", 10).await;
    staff.product("right", 10).await;
    let buyers = (0..40).map(|n| {
        let lines = if n % 2 == 0 {
            [("left", 1), ("right", 1)]
        } else {
            [("right", 1), ("left", 1)]
        };
        let kiosk = kiosk.clone();
        async move { kiosk.order(30, &order_of(&lines, "tok_ok")).await }
    });
    let mut confirmed = 0;
    for answer in join_all(buyers).await {
        let order = answer.expect(201);
        let order = staff.settled(order["id"].as_str().unwrap()).await;
        confirmed += i64::from(order["state"] == "confirmed");
    }
    assert_eq!(confirmed, 10);
    system.quiet().await;
    assert_eq!(staff.stock("left").await, (0, 0));
    assert_eq!(staff.stock("right").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_shortage_holds_nothing_and_names_what_is_short() {
    let system = System::start();
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("plenty", 5).await;
    staff.product("scarce", 1).await;
    let lines = [("plenty", 2), ("scarce", 3)];
    let order = kiosk
        .order(10, &order_of(&lines, "tok_ok"))
        .await
        .expect(201);
    let order = staff.settled(order["id"].as_str().unwrap()).await;
    assert_eq!(order["state"], "cancelled");
    let shortages = json!([{ "sku": "scarce", "requested": 3, "available": 1 }]);
    assert_eq!(order["cancellation"]["shortages"], shortages);
    system.quiet().await;
    assert_eq!(staff.stock("plenty").await, (5, 0));
    assert_eq!(staff.stock("scarce").await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_order_is_cancelled_with_its_reason_and_its_stock_is_back() {
    let system = System::start();
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("tea", 3).await;
    let order = kiosk
        .order(10, &order_of(&[("tea", 2)], "tok_declined"))
        .await
        .expect(201);
    let order = staff.settled(order["id"].as_str().unwrap()).await;
    assert_eq!(order["state"], "cancelled");
    assert_eq!(order["cancellation"]["reason"], "payment_declined");
    assert_eq!(order["payment"]["state"], "declined");
    system.quiet().await;
    assert_eq!(staff.stock("tea").await, (3, 0));
}

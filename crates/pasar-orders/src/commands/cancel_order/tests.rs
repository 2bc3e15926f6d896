use std::fmt::Write as _;

use crate::{
    commands::Moved,
    process::Stage,
    shop::{Shop, here, order},
};

/// given → command → outcome, events, rows
#[track_caller]
fn check(shop: &Shop, id: pasar_types::id::OrderId, by_staff: bool, restock: bool) -> String {
    let moved = shop.cancel(id, by_staff, restock);
    format!("{moved:?}\n{}{}", shop.events(), shop.shown(id))
}

#[test]
fn an_owner_cancels_until_the_kitchen_starts_and_staff_until_it_is_collected() {
    let shop = Shop::open();
    let mut text = String::new();
    for (n, stage) in (1..).zip(Stage::ALL) {
        let cancelled = |id: u8, by_staff| {
            let id = shop.at(id, stage);
            match shop.cancel(id, by_staff, false) {
                Moved::Done => shop.row(id).stage.as_str(),
                Moved::Forbidden { .. } => "forbidden",
                other => panic!("{other:?}"),
            }
        };
        let (owner, staff) = (cancelled(n, false), cancelled(100 + n, true));
        writeln!(
            text,
            "{:<11} owner: {owner:<11} staff: {staff}",
            stage.as_str()
        )
        .unwrap();
    }
    insta::assert_snapshot!(text, @"
    placed      owner: cancelling  staff: cancelling
    stock_held  owner: cancelling  staff: cancelling
    money_held  owner: cancelling  staff: cancelling
    secured     owner: cancelling  staff: cancelling
    confirmed   owner: cancelling  staff: cancelling
    preparing   owner: forbidden   staff: cancelling
    ready       owner: forbidden   staff: cancelling
    collected   owner: forbidden   staff: forbidden
    abandoned   owner: forbidden   staff: forbidden
    cancelling  owner: cancelling  staff: cancelling
    cancelled   owner: cancelled   staff: cancelled
    ");
}

#[test]
fn cancelling_tells_who_asked_and_stops_the_deadline() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::StockHeld);
    insta::assert_snapshot!(check(&shop, id, false, false), @r#"
    Done
    order.cancelling.v1 v3 {"by_staff":false,"number":1,"reason":"cancelled_by_customer","restock":true}
    cancelling stock=reserved payment=pending captured=0 refunded=0 refunding=0
    cancellation {"reason":"cancelled_by_customer","restock":true,"by_staff":false}
    "#);
}

#[test]
fn goods_the_kitchen_has_begun_with_return_only_if_staff_says_so() {
    let shop = Shop::open();
    let kept = shop.at(1, Stage::Preparing);
    insta::assert_snapshot!(check(&shop, kept, true, false), @r#"
    Done
    order.cancelling.v1 v6 {"by_staff":true,"number":1,"reason":"cancelled_by_staff","restock":false}
    cancelling stock=reserved payment=captured captured=5000000 refunded=0 refunding=0
    cancellation {"reason":"cancelled_by_staff","restock":false,"by_staff":true}
    "#);
    let restocked = shop.at(2, Stage::Ready);
    insta::assert_snapshot!(check(&shop, restocked, true, true), @r#"
    Done
    order.cancelling.v1 v7 {"by_staff":true,"number":2,"reason":"cancelled_by_staff","restock":true}
    cancelling stock=reserved payment=captured captured=5000000 refunded=0 refunding=0
    cancellation {"reason":"cancelled_by_staff","restock":true,"by_staff":true}
    "#);
}

#[test]
fn only_staff_cancels_paid_cash() {
    let shop = Shop::open();
    let unpaid = shop.cash_at(1, here(), false);
    insta::assert_snapshot!(check(&shop, unpaid, false, false), @r#"
    Done
    order.cancelling.v1 v4 {"by_staff":false,"number":1,"reason":"cancelled_by_customer","restock":true}
    cancelling stock=reserved payment=due captured=0 refunded=0 refunding=0 cash
    cancellation {"reason":"cancelled_by_customer","restock":true,"by_staff":false}
    "#);
    let paid = shop.cash_at(2, here(), true);
    insta::assert_snapshot!(check(&shop, paid, false, false), @"
    Forbidden { state: Confirmed, paid: true }
    confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 cash settled
    ");
    insta::assert_snapshot!(check(&shop, paid, true, false), @r#"
    Done
    order.cancelling.v1 v5 {"by_staff":true,"number":2,"reason":"cancelled_by_staff","restock":true}
    cancelling stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 cash
    cancellation {"reason":"cancelled_by_staff","restock":true,"by_staff":true}
    "#);
}

#[test]
fn cancelling_again_is_done_and_tells_nothing() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Cancelling);
    assert_eq!(shop.cancel(id, false, false), Moved::Done);
    let id = shop.at(2, Stage::Cancelled);
    assert_eq!(shop.cancel(id, true, false), Moved::Done);
    insta::assert_snapshot!(shop.events(), @"");
    assert_eq!(shop.cancel(order(9), true, false), Moved::Unknown);
}

use crate::{
    commands::{Moved, move_order::Step},
    process::Stage,
    shop::{Shop, here, there},
};

/// given → command → outcome, events, rows
#[track_caller]
fn check(shop: &Shop, id: pasar_types::id::OrderId, step: Step) -> String {
    let moved = shop.step(id, step);
    format!("{moved:?}\n{}{}", shop.events(), shop.shown(id))
}

#[test]
fn a_confirmed_order_is_started_called_and_collected() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Confirmed);
    insta::assert_snapshot!(check(&shop, id, Step::Start), @r#"
    Done
    order.preparing.v1 v5 {"number":1}
    preparing stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    "#);
    insta::assert_snapshot!(check(&shop, id, Step::Ready), @r#"
    Done
    order.ready.v1 v6 {"number":1}
    ready stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    timer cut_off 2026-11-20T21:00:00Z
    "#);
    insta::assert_snapshot!(check(&shop, id, Step::Collect), @r#"
    Done
    order.collected.v1 v7 {"number":1}
    collected stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    "#);
}

#[test]
fn a_move_that_the_state_forbids_tells_the_state_and_changes_nothing() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Secured);
    insta::assert_snapshot!(check(&shop, id, Step::Start), @"
    Forbidden { state: Placed, paid: false }
    secured stock=reserved payment=authorized captured=0 refunded=0 refunding=0
    timer deadline 2026-11-20T02:15:00Z
    ");
    let id = shop.at(2, Stage::Collected);
    insta::assert_snapshot!(check(&shop, id, Step::Collect), @"
    Forbidden { state: Collected, paid: true }
    collected stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    ");
}

#[test]
fn the_kitchen_starts_unpaid_orders_only_where_the_location_says_so() {
    let shop = Shop::open();
    let id = shop.cash_at(1, here(), false);
    insta::assert_snapshot!(check(&shop, id, Step::Start), @"
    Forbidden { state: Confirmed, paid: false }
    confirmed stock=reserved payment=due captured=0 refunded=0 refunding=0 cash settled
    timer pay_by 2026-11-20T02:15:00Z
    ");
    let id = shop.cash_at(2, there(), false);
    insta::assert_snapshot!(check(&shop, id, Step::Start), @r#"
    Done
    order.preparing.v1 v4 {"number":1}
    preparing stock=reserved payment=due captured=0 refunded=0 refunding=0 cash settled
    "#);
}

#[test]
fn an_unpaid_order_is_not_handed_over() {
    let shop = Shop::open();
    let id = shop.cash_at(1, there(), false);
    shop.step(id, Step::Start);
    shop.step(id, Step::Ready);
    shop.events();
    insta::assert_snapshot!(check(&shop, id, Step::Collect), @"
    Forbidden { state: Ready, paid: false }
    ready stock=reserved payment=due captured=0 refunded=0 refunding=0 cash settled
    timer cut_off 2026-11-20T11:00:00Z
    ");
    shop.fact(id, crate::shop::captured());
    insta::assert_snapshot!(check(&shop, id, Step::Collect), @r#"
    Done
    order.payment_captured.v1 v6 {"number":1}
    order.collected.v1 v7 {"number":1}
    collected stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 cash settled
    "#);
}

#[test]
fn an_order_that_is_not_there_is_unknown() {
    let shop = Shop::open();
    assert_eq!(
        shop.step(crate::shop::order(9), Step::Start),
        Moved::Unknown
    );
}

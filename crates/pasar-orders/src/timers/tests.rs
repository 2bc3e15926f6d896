use std::time::Duration;

use crate::{
    commands::move_order::Step,
    fact::Fact,
    process::Stage,
    shop::{Shop, captured, here},
};

/// What fires, what it tells and what then stands there.
#[track_caller]
fn check(shop: &Shop, id: pasar_types::id::OrderId) -> String {
    let fired = shop.fire_timers();
    format!("{fired} fired\n{}{}", shop.events(), shop.shown(id))
}

#[test]
fn an_order_that_is_not_secured_in_time_is_cancelled_and_not_a_moment_before() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::StockHeld);
    shop.clock
        .advance(Duration::from_secs(900) - Duration::from_micros(1));
    insta::assert_snapshot!(check(&shop, id), @"
    0 fired
    stock_held stock=reserved payment=pending captured=0 refunded=0 refunding=0
    timer deadline 2026-11-20T02:15:00Z
    ");
    shop.clock.advance(Duration::from_micros(1));
    insta::assert_snapshot!(check(&shop, id), @r#"
    1 fired
    order.cancelling.v1 v3 {"by_staff":false,"number":1,"reason":"deadline_passed","restock":true}
    cancelling stock=reserved payment=pending captured=0 refunded=0 refunding=0
    cancellation {"reason":"deadline_passed","restock":true,"by_staff":false}
    "#);
}

#[test]
fn a_confirmed_order_has_no_deadline() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Confirmed);
    shop.clock.advance(Duration::from_secs(100_000));
    insta::assert_snapshot!(check(&shop, id), @"
    0 fired
    confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    ");
}

#[test]
fn cash_that_is_not_paid_in_time_cancels() {
    let shop = Shop::open();
    let id = shop.cash_at(1, here(), false);
    shop.clock.advance(Duration::from_secs(900));
    insta::assert_snapshot!(check(&shop, id), @r#"
    1 fired
    order.cancelling.v1 v4 {"by_staff":false,"number":1,"reason":"not_paid","restock":true}
    cancelling stock=reserved payment=due captured=0 refunded=0 refunding=0 cash
    cancellation {"reason":"not_paid","restock":true,"by_staff":false}
    "#);
    let paid = shop.cash_at(2, here(), true);
    shop.clock.advance(Duration::from_secs(900));
    insta::assert_snapshot!(check(&shop, paid), @"
    0 fired
    confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 cash settled
    ");
}

#[test]
fn an_order_that_nobody_collects_is_abandoned_at_the_cut_off() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Ready);
    insta::assert_snapshot!(check(&shop, id), @"
    0 fired
    ready stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    timer cut_off 2026-11-20T21:00:00Z
    ");
    shop.clock.set("2026-11-20T21:00:00Z".parse().unwrap());
    insta::assert_snapshot!(check(&shop, id), @r#"
    1 fired
    order.abandoned.v1 v7 {"number":1}
    abandoned stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    "#);
}

#[test]
fn a_deadline_that_fires_late_does_not_undo_what_came_before_it() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Secured);
    let key = crate::commands::timer_key(id, here());
    let due = shop.row(id).deadline.unwrap();
    shop.fact(id, captured());
    shop.step(id, Step::Start);
    shop.events();
    // As if it had been read before the order was confirmed.
    shop.write(move |ctx| super::fire(ctx, crate::order::DEADLINE, &key, due, Duration::ZERO));
    insta::assert_snapshot!(check(&shop, id), @"
    0 fired
    preparing stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    ");
    let ignored = shop.fact(id, Fact::PayByPassed);
    assert_eq!(ignored, crate::order::Effect::Unchanged);
}

#[test]
fn a_timer_that_cannot_be_read_is_a_fault_and_names_no_lane_of_its_own() {
    let shop = Shop::open();
    for (kind, key) in [("deadline", "nonsense"), ("tea_time", "ord_x/loc_x")] {
        let fired =
            shop.try_write(move |ctx| super::fire(ctx, kind, key, ctx.now(), Duration::ZERO));
        assert!(fired.is_err(), "{kind} {key}");
        assert_eq!(super::lane(kind, key), pasar_store::lane::LaneKey::ZERO);
    }
}

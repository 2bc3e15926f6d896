use super::*;
use crate::{
    commands::record_fact::{Desk, Ended, RefundEnded, record_refund},
    process::Stage,
    shop::{PAY_WITHIN, Shop, USUAL_TOTAL, here, idr, line, order},
};

fn by_amount(minor: i64) -> Refunded {
    Refunded::Amount(idr(minor))
}

fn by_lines(lines: Vec<OrderLineInput>, restock: bool) -> Refunded {
    Refunded::Lines { lines, restock }
}

fn run(shop: &Shop, order: OrderId, what: Refunded) -> Outcome {
    let command = RefundOrder {
        order,
        what,
        reason: "cold".to_owned(),
        pay_within: PAY_WITHIN,
    };
    shop.write(move |ctx| refund_order(ctx, &command))
}

/// given → command → outcome, events, rows
#[track_caller]
fn check(shop: &Shop, order: OrderId, what: Refunded) -> String {
    let outcome = match run(shop, order, what) {
        Outcome::Requested { .. } => "requested".to_owned(),
        other => format!("{other:?}"),
    };
    let mut text = format!("{outcome}\n{}{}", shop.events(), shop.shown(order));
    let row = shop
        .store
        .read_now(|tx| crate::queries::find(tx, order))
        .unwrap();
    for refund in row.into_iter().flat_map(|row| row.refunds) {
        text.push_str(&format!(
            "\nrefund {} {} lines={} restock={} {:?}",
            refund.amount.amount_minor,
            refund.state.as_str(),
            refund.lines.len(),
            refund.restock,
            refund.reason
        ));
    }
    text
}

#[test]
fn an_amount_is_requested_and_not_given_back_twice() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Collected);
    insta::assert_snapshot!(check(&shop, id, by_amount(3_000_000)), @r#"
    requested
    order.refund_requested.v1 v8 {"amount":{"amount_minor":3000000,"currency":"IDR"},"number":1,"reason":"cold"}
    collected stock=reserved payment=captured captured=5000000 refunded=0 refunding=3000000 settled
    refund 3000000 requested lines=0 restock=false "cold"
    "#);
    insta::assert_snapshot!(check(&shop, id, by_amount(2_000_001)), @r#"
    Exceeds { refundable: Money { amount_minor: 2000000, currency: IDR } }
    collected stock=reserved payment=captured captured=5000000 refunded=0 refunding=3000000 settled
    refund 3000000 requested lines=0 restock=false "cold"
    "#);
    insta::assert_snapshot!(check(&shop, id, by_amount(2_000_000)), @r#"
    requested
    order.refund_requested.v1 v9 {"amount":{"amount_minor":2000000,"currency":"IDR"},"number":1,"reason":"cold"}
    collected stock=reserved payment=captured captured=5000000 refunded=0 refunding=5000000 settled
    refund 3000000 requested lines=0 restock=false "cold"
    refund 2000000 requested lines=0 restock=false "cold"
    "#);
}

#[test]
fn lines_are_given_back_at_their_price_and_restocked_if_told() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Preparing);
    let one_tea = by_lines(vec![line("tea", 1)], true);
    insta::assert_snapshot!(check(&shop, id, one_tea), @r#"
    requested
    order.refund_requested.v1 v6 {"amount":{"amount_minor":1500000,"currency":"IDR"},"number":1,"reason":"cold","restock":[{"quantity":1,"sku":"tea"}]}
    preparing stock=reserved payment=captured captured=5000000 refunded=0 refunding=1500000 settled
    refund 1500000 requested lines=1 restock=true "cold"
    "#);
}

#[test]
fn more_of_a_product_than_the_order_has_left_is_refused() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Confirmed);
    let teas = |count| by_lines(vec![line("tea", count)], false);
    assert!(matches!(run(&shop, id, teas(1)), Outcome::Requested { .. }));
    let skus = vec!["tea".parse().unwrap()];
    assert_eq!(run(&shop, id, teas(2)), Outcome::NotInOrder { skus });
    assert!(matches!(run(&shop, id, teas(1)), Outcome::Requested { .. }));
    let skus = vec!["pie".parse().unwrap()];
    let pie = by_lines(vec![line("pie", 1)], false);
    assert_eq!(run(&shop, id, pie), Outcome::NotInOrder { skus });
}

#[test]
fn a_refund_that_failed_can_be_asked_for_again() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Confirmed);
    let all = || by_lines(vec![line("tea", 2), line("bun", 1)], false);
    let Outcome::Requested { refund } = run(&shop, id, all()) else {
        panic!("it was not requested");
    };
    let failed = RefundEnded {
        refund,
        amount: idr(USUAL_TOTAL),
        ended: Ended::Failed,
    };
    shop.write(move |ctx| record_refund(ctx, &mut Desk::default(), id, failed, PAY_WITHIN));
    assert_eq!(shop.row(id).refundable(), idr(USUAL_TOTAL));
    assert!(matches!(run(&shop, id, all()), Outcome::Requested { .. }));
}

#[test]
fn only_what_was_captured_can_be_given_back() {
    let shop = Shop::open();
    let unpaid = shop.cash_at(1, here(), false);
    insta::assert_snapshot!(check(&shop, unpaid, by_amount(1)), @"
    Forbidden { state: Confirmed, paid: false }
    confirmed stock=reserved payment=due captured=0 refunded=0 refunding=0 cash settled
    timer pay_by 2026-11-20T02:15:00Z
    ");
    let secured = shop.at(2, Stage::Secured);
    insta::assert_snapshot!(check(&shop, secured, by_amount(1)), @"
    Forbidden { state: Placed, paid: false }
    secured stock=reserved payment=authorized captured=0 refunded=0 refunding=0
    timer deadline 2026-11-20T02:15:00Z
    ");
    let cancelling = shop.at(3, Stage::Cancelling);
    insta::assert_snapshot!(check(&shop, cancelling, by_amount(1)), @r#"
    Forbidden { state: Cancelling, paid: false }
    cancelling stock=pending payment=pending captured=0 refunded=0 refunding=0
    cancellation {"reason":"deadline_passed","restock":true,"by_staff":false}
    "#);
    assert_eq!(run(&shop, order(9), by_amount(1)), Outcome::Unknown);
}

#[test]
fn another_currency_is_not_what_was_captured() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Confirmed);
    let euro = Refunded::Amount(Money::new(1, "EUR".parse().unwrap()));
    let refundable = idr(USUAL_TOTAL);
    assert_eq!(run(&shop, id, euro), Outcome::Exceeds { refundable });
}

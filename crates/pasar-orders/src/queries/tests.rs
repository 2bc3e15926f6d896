use super::*;
use crate::{
    commands::{move_order::Step, place_order::PlaceOrder},
    shop::{Shop, ann, here, order, there, usual},
};

/// Numbers of the listed orders, page by page, by walking from the first to the last.
fn walk(shop: &Shop, filter: &OrderFilter, limit: usize) -> Vec<u8> {
    let mut filter = filter.clone();
    let mut all = Vec::new();
    loop {
        let page = shop.store.read_now(|tx| list(tx, &filter, limit)).unwrap();
        let Some(last) = page.last() else {
            return all;
        };
        filter.after = Some(last.order.id);
        all.extend(page.iter().map(|row| row.order.id.as_bytes()[0]));
    }
}

/// Orders 1 to 12, three of each: placed here, confirmed here (Ann's), preparing there, cancelled.
fn busy() -> Shop {
    let shop = Shop::open();
    for n in 1..=12 {
        let command = PlaceOrder {
            location: if n % 4 == 2 { there() } else { here() },
            customer: (n % 4 == 1).then(ann),
            ..usual(n)
        };
        shop.place(command);
        let stage = match n % 4 {
            0 => Stage::Placed,
            1 => Stage::Confirmed,
            2 => Stage::Preparing,
            _ => Stage::Cancelled,
        };
        shop.lead(order(n), stage);
    }
    shop
}

#[test]
fn every_list_is_whole_and_ordered_whatever_the_page() {
    let shop = busy();
    let check = |filter: OrderFilter, expected: &[u8]| {
        for limit in [1, 2, 5, 100] {
            assert_eq!(
                walk(&shop, &filter, limit),
                expected,
                "{filter:?} by {limit}"
            );
        }
    };
    let all = OrderFilter::default;
    let state = |state| OrderFilter {
        state: Some(state),
        ..all()
    };
    check(all(), &[12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    check(state(OrderState::Placed), &[12, 8, 4]);
    check(state(OrderState::Confirmed), &[9, 5, 1]);
    check(state(OrderState::Preparing), &[10, 6, 2]);
    check(state(OrderState::Cancelled), &[11, 7, 3]);
    check(state(OrderState::Ready), &[]);
    let at = |location, filter| OrderFilter {
        location: Some(location),
        ..filter
    };
    check(at(there(), all()), &[10, 6, 2]);
    check(at(here(), all()), &[12, 11, 9, 8, 7, 5, 4, 3, 1]);
    check(at(here(), state(OrderState::Placed)), &[12, 8, 4]);
    check(at(there(), state(OrderState::Placed)), &[]);
    check(at(there(), state(OrderState::Preparing)), &[10, 6, 2]);
    let anns = |filter| OrderFilter {
        customer: Some(ann()),
        ..filter
    };
    check(anns(all()), &[9, 5, 1]);
    check(anns(state(OrderState::Confirmed)), &[9, 5, 1]);
    check(anns(state(OrderState::Placed)), &[]);
    check(anns(at(there(), all())), &[]);
}

#[test]
fn a_number_finds_the_orders_that_have_it_on_the_days_looked_at() {
    let shop = busy();
    let days = vec!["2026-11-20".to_owned()];
    let found = |number, days: &[String], filter: &OrderFilter| -> Vec<u8> {
        let rows = shop
            .store
            .read_now(|tx| by_number(tx, number, days, filter));
        rows.unwrap()
            .iter()
            .map(|row| row.order.id.as_bytes()[0])
            .collect()
    };
    let all = OrderFilter::default();
    assert_eq!(found(1, &days, &all), [2, 1]);
    assert_eq!(found(9, &days, &all), [12]);
    assert_eq!(found(10, &days, &all), [0_u8; 0]);
    assert_eq!(found(1, &["2026-11-19".to_owned()], &all), [0_u8; 0]);
    let anns = OrderFilter {
        customer: Some(ann()),
        ..OrderFilter::default()
    };
    assert_eq!(found(1, &days, &anns), [1]);
    let there = OrderFilter {
        location: Some(there()),
        ..OrderFilter::default()
    };
    assert_eq!(found(1, &days, &there), [2]);
}

#[test]
fn the_board_calls_the_oldest_first_and_only_its_own_location() {
    let shop = busy();
    shop.step(order(6), Step::Ready);
    let boards = |location| {
        let board = shop.store.read_now(|tx| board(tx, location)).unwrap();
        (board.preparing, board.ready)
    };
    assert_eq!(boards(there()), (vec![1, 3], vec![2]));
    assert_eq!(boards(here()), (vec![], vec![]));
}

#[test]
fn what_is_in_flight_is_counted() {
    let shop = busy();
    let count = || shop.store.read_now(count_unsettled).unwrap();
    assert_eq!(count(), 3);
    shop.cancel(order(1), true, false);
    assert_eq!(count(), 4, "a cancelling order is in flight again");
}

/// The plan of a statement that is run often or on many rows.
fn plan(shop: &Shop, sql: &str) -> String {
    let explain = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
    let steps = shop
        .store
        .read_now(|tx| tx.query_all(explain, &[], |row| row.get::<String>(3)));
    steps.unwrap().join("\n")
}

#[test]
fn no_list_reads_more_than_its_index_finds() {
    if pasar_testkit::fresh::is_on_server() {
        // The other engine plans by what is in the tables.
        return;
    }
    let shop = Shop::open();
    insta::assert_snapshot!(plan(&shop, OF_CUSTOMER), @"SEARCH orders USING INDEX orders_by_customer (customer_id=? AND id<?)");
    insta::assert_snapshot!(plan(&shop, IN_SETTLED_STATE), @"SEARCH orders USING INDEX orders_by_stage (stage=? AND id<?)");
    insta::assert_snapshot!(plan(&shop, IN_UNSETTLED_STATE), @"
    SEARCH orders USING INDEX sqlite_autoindex_orders_1 (id=?)
    LIST SUBQUERY 1
    SCAN orders USING INDEX orders_unsettled
    ");
    insta::assert_snapshot!(plan(&shop, ALL), @"SEARCH orders USING INDEX sqlite_autoindex_orders_1 (id<?)");
    insta::assert_snapshot!(plan(&shop, AT_LOCATION), @"SEARCH orders USING INDEX orders_by_number (location_id=?)");
    insta::assert_snapshot!(plan(&shop, AT_LOCATION_AFTER), @"
    SEARCH orders USING INDEX orders_by_number (location_id=? AND day<?)
    SCALAR SUBQUERY 1
    SEARCH orders USING INDEX sqlite_autoindex_orders_1 (id=?)
    REUSE SUBQUERY 1
    ");
    insta::assert_snapshot!(plan(&shop, BY_NUMBER), @"SEARCH orders USING INDEX orders_by_number (location_id=? AND day=? AND number=?)");
    insta::assert_snapshot!(plan(&shop, ON_BOARD), @"SEARCH orders USING INDEX orders_by_stage (stage=?)");
    insta::assert_snapshot!(plan(&shop, UNSETTLED), @"SCAN orders USING INDEX orders_unsettled");
    insta::assert_snapshot!(plan(&shop, crate::tables::orders::UNSETTLED_OF), @"
    CO-ROUTINE found
    SEARCH orders USING INDEX orders_unsettled (customer_id=?)
    SCAN found
    ");
}

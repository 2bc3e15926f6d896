use pasar_contracts::events::inventory::{LocationChanged, ProductChanged};
use pasar_store::cause::Actor;
use pasar_types::money::Currency;

use super::*;
use crate::{
    fact::Fact,
    shop::{Shop, USUAL_TOTAL, ann, here, idr, line, location, order, product, there, usual},
};

/// given → command → outcome, events, rows
#[track_caller]
fn check(shop: &Shop, command: PlaceOrder) -> String {
    let id = command.id;
    let outcome = said(&shop.place(command));
    let rows = shop.store.read_now(|tx| orders::read(tx, id)).unwrap();
    let rows = rows.map_or("no row".to_owned(), |_| shop.shown(id));
    format!("{outcome}\n{}{rows}", shop.events())
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Placed(row) => format!(
            "placed #{} total {} tax {}",
            row.order.number, row.order.total.amount_minor, row.tax.amount_minor
        ),
        other => format!("{other:?}"),
    }
}

fn number(shop: &Shop, command: PlaceOrder) -> i64 {
    match shop.place(command) {
        Outcome::Placed(row) => row.order.number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_priced_numbered_and_told_with_its_token_in_private() {
    let shop = Shop::open();
    insta::assert_snapshot!(check(&shop, usual(1)), @r#"
    placed #1 total 5000000 tax 495495
    order.placed.v1 v1 {"deadline":"2026-11-20T02:15:00Z","lines":[{"quantity":2,"sku":"tea","tax_rate":1100,"total":{"amount_minor":3000000,"currency":"IDR"},"unit_price":{"amount_minor":1500000,"currency":"IDR"}},{"quantity":1,"sku":"bun","tax_rate":1100,"total":{"amount_minor":2000000,"currency":"IDR"},"unit_price":{"amount_minor":2000000,"currency":"IDR"}}],"method":"sandbox","number":1,"total":{"amount_minor":5000000,"currency":"IDR"}} private {"token":"tok_ok"}
    placed stock=pending payment=pending captured=0 refunded=0 refunding=0
    timer deadline 2026-11-20T02:15:00Z
    "#);
}

#[test]
fn cash_needs_no_token_and_a_note_is_not_told() {
    let shop = Shop::open();
    let command = PlaceOrder {
        method: "cash".to_owned(),
        token: None,
        note: Some("for Ann".to_owned()),
        ..usual(1)
    };
    insta::assert_snapshot!(check(&shop, command), @r#"
    placed #1 total 5000000 tax 495495
    order.placed.v1 v1 {"deadline":"2026-11-20T02:15:00Z","lines":[{"quantity":2,"sku":"tea","tax_rate":1100,"total":{"amount_minor":3000000,"currency":"IDR"},"unit_price":{"amount_minor":1500000,"currency":"IDR"}},{"quantity":1,"sku":"bun","tax_rate":1100,"total":{"amount_minor":2000000,"currency":"IDR"},"unit_price":{"amount_minor":2000000,"currency":"IDR"}}],"method":"cash","number":1,"total":{"amount_minor":5000000,"currency":"IDR"}}
    placed stock=pending payment=pending captured=0 refunded=0 refunding=0
    timer deadline 2026-11-20T02:15:00Z
    "#);
    let row = shop
        .store
        .read_now(|tx| crate::queries::find(tx, order(1)))
        .unwrap();
    assert_eq!(row.unwrap().note.as_deref(), Some("for Ann"));
}

#[test]
fn a_total_that_is_not_the_expected_one_is_refused_with_the_new_one() {
    let shop = Shop::open();
    let expecting = |minor| PlaceOrder {
        expected_total: Some(idr(minor)),
        ..usual(1)
    };
    insta::assert_snapshot!(check(&shop, expecting(USUAL_TOTAL - 1)), @"
    Refused(PriceChanged { total: Money { amount_minor: 5000000, currency: IDR } })
    no row
    ");
    insta::assert_snapshot!(said(&shop.place(expecting(USUAL_TOTAL))), @"placed #1 total 5000000 tax 495495");
}

#[test]
fn an_unknown_product_is_refused_only_when_the_catalogue_is_current() {
    let shop = Shop::open();
    let command = PlaceOrder {
        lines: vec![line("tea", 1), line("durian", 1)],
        ..usual(1)
    };
    insta::assert_snapshot!(check(&shop, command.clone()), @"
    NotNow(CatalogueBehind)
    no row
    ");
    let current = PlaceOrder {
        catalogue_is_current: true,
        ..command
    };
    insta::assert_snapshot!(check(&shop, current), @"
    Refused(UnknownSku { skus: [durian] })
    no row
    ");
}

#[test]
fn a_catalogue_that_catches_up_lets_the_same_key_place_the_order() {
    let shop = Shop::open();
    let command = PlaceOrder {
        lines: vec![line("durian", 1)],
        ..usual(1)
    };
    let put_off = shop.place_with("k", command.clone());
    assert_eq!(put_off, Outcome::NotNow(NotNow::CatalogueBehind));
    shop.write(|ctx| catalogue::put_product(ctx, 1, &product("durian", 700)));
    insta::assert_snapshot!(said(&shop.place_with("k", command)), @"placed #1 total 700 tax 69");
}

#[test]
fn what_cannot_be_sold_here_now_is_refused_by_name() {
    let shop = Shop::open();
    shop.write(|ctx| {
        let sold_out_here = ProductChanged {
            sold_out_at: vec![here()],
            ..product("pie", 100)
        };
        let withdrawn = ProductChanged {
            orderable: false,
            ..product("soup", 100)
        };
        let mut dollars = product("gum", 100);
        dollars.price.currency = "USD".parse::<Currency>().unwrap();
        catalogue::put_product(ctx, 1, &sold_out_here)?;
        catalogue::put_product(ctx, 1, &withdrawn)?;
        catalogue::put_product(ctx, 1, &dollars)
    });
    let wanted = PlaceOrder {
        lines: vec![
            line("tea", 1),
            line("pie", 1),
            line("soup", 1),
            line("gum", 1),
        ],
        ..usual(1)
    };
    insta::assert_snapshot!(check(&shop, wanted), @"
    Refused(NotOrderable { skus: [pie, soup, gum] })
    no row
    ");
    let elsewhere = PlaceOrder {
        lines: vec![line("pie", 1)],
        location: there(),
        ..usual(2)
    };
    insta::assert_snapshot!(said(&shop.place(elsewhere)), @"placed #1 total 100 tax 10");
}

#[test]
fn a_total_beyond_all_amounts_and_an_unknown_location_are_refused() {
    let shop = Shop::open();
    shop.write(|ctx| catalogue::put_product(ctx, 1, &product("gold", 1_000_000_000_000_000)));
    let dear = PlaceOrder {
        lines: vec![line("gold", 2)],
        ..usual(1)
    };
    insta::assert_snapshot!(check(&shop, dear), @"
    Refused(TotalOutOfRange)
    no row
    ");
    let nowhere = PlaceOrder {
        location: LocationId::from_bytes([77; 16]),
        catalogue_is_current: true,
        ..usual(2)
    };
    insta::assert_snapshot!(check(&shop, nowhere), @"
    Refused(UnknownLocation)
    no row
    ");
}

#[test]
fn the_same_key_places_one_order_and_another_request_under_it_is_refused() {
    let shop = Shop::open();
    insta::assert_snapshot!(said(&shop.place_with("k", usual(1))), @"placed #1 total 5000000 tax 495495");
    let again = shop.place_with("k", usual(2));
    assert_eq!(again, Outcome::PlacedBefore(order(1)));
    let other = PlaceOrder {
        method: "cash".to_owned(),
        ..usual(3)
    };
    assert_eq!(shop.place_with("k", other), Outcome::KeyReused);
    assert_eq!(shop.events().lines().count(), 1);
}

#[test]
fn a_key_belongs_to_who_used_it() {
    let shop = Shop::open();
    let place = |actor, n| {
        let fingerprint = Fingerprint::of(&[b"same"]);
        let key: IdempotencyKey = "k".parse().unwrap();
        let placed = shop.write_as(actor, move |ctx| {
            place_order(ctx, &usual(n), &key, fingerprint)
        });
        matches!(placed.unwrap(), Outcome::Placed(_))
    };
    assert!(place(Actor::User(ann()), 1));
    assert!(place(Actor::User(UserId::from_bytes([12; 16])), 2));
    assert!(!place(Actor::User(ann()), 3));
}

#[test]
fn a_refusal_is_repeated_to_the_same_key_even_when_it_would_be_taken_now() {
    let shop = Shop::open();
    let command = PlaceOrder {
        expected_total: Some(idr(1)),
        ..usual(1)
    };
    let refused = shop.place_with("k", command.clone());
    let total = idr(USUAL_TOTAL);
    assert_eq!(refused, Outcome::Refused(Refusal::PriceChanged { total }));
    let cheap = |name| ProductChanged {
        price: idr(0),
        ..product(name, 0)
    };
    shop.write(move |ctx| {
        catalogue::put_product(ctx, 2, &cheap("tea"))?;
        catalogue::put_product(
            ctx,
            2,
            &ProductChanged {
                price: idr(1),
                ..cheap("bun")
            },
        )
    });
    assert_eq!(shop.place_with("k", command.clone()), refused);
    insta::assert_snapshot!(said(&shop.place_with("other", command)), @"placed #1 total 1 tax 0");
}

#[test]
fn a_customer_with_too_many_unsettled_orders_waits_and_the_key_stays_free() {
    let shop = Shop::open();
    let of_ann = |n| PlaceOrder {
        customer: Some(ann()),
        most_unsettled: Some(2),
        ..usual(n)
    };
    number(&shop, of_ann(1));
    number(&shop, of_ann(2));
    let refused = Outcome::NotNow(NotNow::TooManyUnsettled);
    assert_eq!(shop.place_with("k", of_ann(3)), refused);
    let unlimited = PlaceOrder {
        most_unsettled: None,
        ..of_ann(4)
    };
    number(&shop, unlimited);
    assert_eq!(shop.place_with("k", of_ann(3)), refused);
    for n in [1, 2] {
        shop.fact(order(n), Fact::StockReserved);
        shop.fact(order(n), Fact::Due);
    }
    insta::assert_snapshot!(said(&shop.place_with("k", of_ann(3))), @"placed #4 total 5000000 tax 495495");
}

#[test]
fn numbers_begin_again_at_each_locations_own_cut_off() {
    let shop = Shop::open();
    let at = |n, location| {
        number(
            &shop,
            PlaceOrder {
                location,
                ..usual(n)
            },
        )
    };
    let set = |time: &str| shop.clock.set(time.parse().unwrap());
    assert_eq!([at(1, here()), at(2, there()), at(3, here())], [1, 1, 2]);
    // Midnight in Auckland; in Jakarta it is 18:00.
    set("2026-11-20T11:00:00Z");
    assert_eq!([at(4, here()), at(5, there())], [3, 1]);
    // 03:59:59 in Jakarta still belongs to the day before; 04:00 does not.
    set("2026-11-20T20:59:59Z");
    assert_eq!(at(6, here()), 4);
    set("2026-11-20T21:00:00Z");
    assert_eq!([at(7, here()), at(8, there())], [1, 2]);
}

#[test]
fn the_clock_change_gives_no_number_twice() {
    let shop = Shop::open();
    let berlin = LocationId::from_bytes([3; 16]);
    shop.write(move |ctx| catalogue::put_location(ctx, 1, &location(berlin, "Europe/Berlin", 150)));
    let mut given = Vec::new();
    // Every ten minutes of the night in which 02:30 happens twice.
    let start = "2026-10-24T23:00:00Z"
        .parse::<pasar_types::time::Timestamp>()
        .unwrap();
    for n in 1..24_u8 {
        shop.clock
            .set(start + Duration::from_secs(600 * u64::from(n)));
        given.push(number(
            &shop,
            PlaceOrder {
                location: berlin,
                ..usual(n)
            },
        ));
    }
    // 02:30 is at 00:30Z for the first time, with the ninth order.
    let expected: Vec<i64> = (1..9).chain(1..16).collect();
    assert_eq!(given, expected);
}

#[test]
fn a_newer_copy_of_the_catalogue_is_not_overwritten_by_an_older_one() {
    let shop = Shop::open();
    shop.write(|ctx| {
        catalogue::put_product(ctx, 3, &product("tea", 300))?;
        catalogue::put_product(ctx, 2, &product("tea", 200))?;
        catalogue::put_location(ctx, 3, &location(here(), "Asia/Makassar", 60))?;
        let older = LocationChanged {
            starts_unpaid: true,
            ..location(here(), "Asia/Jakarta", 240)
        };
        catalogue::put_location(ctx, 2, &older)
    });
    let tea = PlaceOrder {
        lines: vec![line("tea", 1)],
        ..usual(1)
    };
    insta::assert_snapshot!(said(&shop.place(tea)), @"placed #1 total 300 tax 30");
    let location = shop
        .store
        .read_now(|tx| catalogue::location(tx, here()))
        .unwrap();
    assert!(!location.unwrap().starts_unpaid);
}

//! Holds an order's units, all lines or none. Decided once an order, whatever comes again.

use pasar_contracts::events::inventory::{Shortage, StockRefused, StockReserved};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{
    id::{LocationId, OrderId},
    time::Timestamp,
};

use crate::{
    desk::{Desk, Hold},
    stock::{self, Line, ReservationState},
    tables::reservations::{self, Reservation},
    timers,
};

#[derive(Clone, Debug)]
pub struct ReserveStock {
    pub order: OrderId,
    pub location: LocationId,
    /// As ordered: a product may stand in several lines.
    pub lines: Vec<Line>,
    /// When the safety net takes it back; later than the order's own deadline.
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Reserved,
    Insufficient(Vec<Shortage>),
    /// The order's stock was decided before: nothing changes and nothing is told again.
    AlreadyDecided,
}

pub fn reserve_stock(ctx: &mut Context<'_>, command: &ReserveStock) -> Result<Outcome, Fault> {
    let mut desk = Desk::default();
    let outcome = reserve_at(ctx, &mut desk, command)?;
    desk.write(ctx)?;
    Ok(outcome)
}

/// The same; the stock is written with the desk.
pub(crate) fn reserve_at(
    ctx: &mut Context<'_>,
    desk: &mut Desk,
    command: &ReserveStock,
) -> Result<Outcome, Fault> {
    if desk.reservation(ctx, command.order)?.is_some() {
        return Ok(Outcome::AlreadyDecided);
    }
    let asked = stock::merged(command.lines.iter().cloned());
    let mut held = Vec::with_capacity(asked.len());
    let mut shortages = Vec::new();
    for line in asked {
        match desk.hold(ctx, command.location, &line)? {
            Hold::Held => held.push(line),
            Hold::NotCounted => {}
            Hold::Short { available } => shortages.push(Shortage {
                sku: line.sku,
                requested: line.quantity,
                available,
            }),
        }
    }
    if shortages.is_empty() {
        desk.keep(reserved(ctx, command, held)?);
        return Ok(Outcome::Reserved);
    }
    for line in &held {
        desk.let_go(command.location, line);
    }
    desk.keep(refused(ctx, command, &shortages)?);
    Ok(Outcome::Insufficient(shortages))
}

fn reserved(
    ctx: &mut Context<'_>,
    command: &ReserveStock,
    held: Vec<Line>,
) -> Result<Reservation, Fault> {
    let reservation = Reservation {
        order: command.order,
        id: ctx.new_id(),
        location: command.location,
        state: ReservationState::Held,
        lines: held,
        expires_at: Some(command.expires_at),
        flow: ctx.cause().flow,
        keyversion: 1,
    };
    reservations::insert(ctx, &reservation)?;
    let key = command.order.to_string();
    timers::set_expiry(ctx, &key, command.expires_at)?;
    let event = StockReserved {
        order_id: command.order,
        location_id: command.location,
        reservation_id: reservation.id,
        expires_at: command.expires_at,
    };
    ctx.emit(&key, reservation.keyversion, &event)?;
    Ok(reservation)
}

fn refused(
    ctx: &mut Context<'_>,
    command: &ReserveStock,
    shortages: &[Shortage],
) -> Result<Reservation, Fault> {
    let reservation = Reservation {
        order: command.order,
        id: ctx.new_id(),
        location: command.location,
        state: ReservationState::Refused,
        lines: Vec::new(),
        expires_at: None,
        flow: ctx.cause().flow,
        keyversion: 1,
    };
    reservations::insert(ctx, &reservation)?;
    let event = StockRefused {
        order_id: command.order,
        location_id: command.location,
        shortages: shortages.to_vec(),
    };
    ctx.emit(&command.order.to_string(), reservation.keyversion, &event)?;
    Ok(reservation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, order};

    #[test]
    fn all_lines_are_held_and_the_same_product_counts_once() {
        let shop = Shop::open();
        shop.stocked("cake", 5);
        shop.stocked("tea", 5);
        shop.events();
        let outcome = shop.reserve(order(1), &[("tea", 2), ("cake", 1), ("tea", 1)]);
        assert_eq!(outcome, Outcome::Reserved);
        insta::assert_snapshot!(shop.rows(), @r#"
        stock cake on_hand 5 reserved 1 moved 1
        stock tea on_hand 5 reserved 3 moved 1
        movement cake #1 intake +5 -> 5 - by operator
        movement tea #1 intake +5 -> 5 - by operator
        reservation of order-1 held v1 [{"sku":"cake","quantity":1},{"sku":"tea","quantity":3}]
        "#);
        insta::assert_snapshot!(shop.events(), @r#"stock.reserved.v1 order-1 v1 {"order_id":"order-1","location_id":"here","reservation_id":"rsv","expires_at":"2026-01-01T00:25:00Z"}"#);
        insta::assert_snapshot!(shop.timers(), @"reservation_expiry order-1 at 2026-01-01T00:25:00Z");
    }

    #[test]
    fn a_partial_shortage_gives_back_what_was_held_and_names_each_shortage() {
        let shop = Shop::open();
        shop.stocked("cake", 5);
        shop.stocked("scone", 0);
        shop.stocked("tea", 2);
        shop.events();
        shop.reserve(
            order(1),
            &[
                ("cake", 1),
                ("tea", 2),
                ("tea", 1),
                ("scone", 1),
                ("gone", 1),
            ],
        );
        insta::assert_snapshot!(shop.rows(), @r"
        stock cake on_hand 5 reserved 0 moved 1
        stock tea on_hand 2 reserved 0 moved 1
        movement cake #1 intake +5 -> 5 - by operator
        movement tea #1 intake +2 -> 2 - by operator
        reservation of order-1 refused v1 []
        ");
        insta::assert_snapshot!(shop.events(), @r#"stock.refused.v1 order-1 v1 {"order_id":"order-1","location_id":"here","shortages":[{"sku":"gone","requested":1,"available":0},{"sku":"scone","requested":1,"available":0},{"sku":"tea","requested":3,"available":2}]}"#);
        assert_eq!(shop.timers(), "");
    }

    #[test]
    fn an_order_is_decided_once() {
        let shop = Shop::open();
        shop.stocked("tea", 1);
        assert_eq!(shop.reserve(order(1), &[("tea", 1)]), Outcome::Reserved);
        assert!(matches!(
            shop.reserve(order(2), &[("tea", 1)]),
            Outcome::Insufficient(_)
        ));
        let before = (shop.rows(), shop.timers());
        shop.events();
        assert_eq!(
            shop.reserve(order(1), &[("tea", 1)]),
            Outcome::AlreadyDecided
        );
        assert_eq!(
            shop.reserve(order(2), &[("tea", 1)]),
            Outcome::AlreadyDecided
        );
        assert_eq!((shop.rows(), shop.timers()), before);
        assert_eq!(shop.events(), "");
    }

    #[test]
    fn what_nobody_counts_is_never_short_and_touches_no_stock() {
        let shop = Shop::open();
        shop.stocked("water", 3);
        shop.product("water", false);
        let before = shop.stock_rows();
        assert_eq!(
            shop.reserve(order(1), &[("water", 1_000)]),
            Outcome::Reserved
        );
        assert_eq!(shop.stock_rows(), before);
        shop.sell(order(1));
        assert_eq!(shop.stock_rows(), before);
    }

    #[test]
    fn what_is_sold_out_today_is_refused_even_if_it_is_in_stock_or_not_counted() {
        let shop = Shop::open();
        shop.stocked("tea", 3);
        shop.product("water", false);
        shop.sold_out("tea");
        shop.sold_out("water");
        let outcome = shop.reserve(order(1), &[("tea", 1), ("water", 1)]);
        let Outcome::Insufficient(shortages) = outcome else {
            panic!("{outcome:?}")
        };
        let short: Vec<_> = shortages
            .iter()
            .map(|s| (s.sku.as_str(), s.available))
            .collect();
        assert_eq!(short, [("tea", 0), ("water", 0)]);
    }

    #[test]
    fn crossed_orders_for_scarce_stock_end_with_one_of_them() {
        for (first, second) in [(1, 2), (2, 1)] {
            let shop = Shop::open();
            shop.stocked("a", 1);
            shop.stocked("b", 1);
            let lines = |n| {
                if n == 1 {
                    [("a", 1), ("b", 1)]
                } else {
                    [("b", 1), ("a", 1)]
                }
            };
            assert_eq!(shop.reserve(order(first), &lines(first)), Outcome::Reserved);
            assert!(matches!(
                shop.reserve(order(second), &lines(second)),
                Outcome::Insufficient(_)
            ));
        }
    }
}

//! Undoes what an order's stock came to, and always answers: also when there was nothing to undo. A
//! tombstone refuses a reservation that would come later.

use pasar_contracts::events::inventory::{ReleaseKind, StockReleased};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{LocationId, OrderId};

use super::ledger;
use crate::{
    stock::{self, Line, ReservationState},
    tables::{
        reservations::{self, Reservation},
        stock as rows,
    },
    timers,
};

#[derive(Clone, Copy, Debug)]
pub struct ReleaseStock {
    pub order: OrderId,
    pub location: LocationId,
    /// Whether goods that were sold go back to stock.
    pub restock: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Released(ReleaseKind),
    /// It was answered before: nothing changes and nothing is told again.
    AlreadyReleased,
}

pub fn release_stock(ctx: &mut Context<'_>, command: ReleaseStock) -> Result<Outcome, Fault> {
    let key = command.order.to_string();
    let Some(reservation) = reservations::find(ctx, command.order)? else {
        insert_tombstone(ctx, command)?;
        return answer(ctx, command, &key, 1, ReleaseKind::Nothing);
    };
    let Some((undone, next)) = reservation.state.on_cancelling(command.restock) else {
        return Ok(Outcome::AlreadyReleased);
    };
    match undone {
        ReleaseKind::Reservation => {
            for line in &reservation.lines {
                rows::release(ctx, reservation.location, line)?;
            }
            if let Some(expires_at) = reservation.expires_at {
                timers::cancel_expiry(ctx, &key, expires_at)?;
            }
        }
        ReleaseKind::SaleRestocked => {
            let returned: Vec<Line> = reservations::returned(ctx, command.order)?
                .into_iter()
                .flat_map(|(_, lines)| lines)
                .collect();
            let back = stock::outstanding(&reservation.lines, &returned);
            ledger::put_back(ctx, &reservation, &back, None)?;
        }
        ReleaseKind::SaleKept | ReleaseKind::Nothing => {}
    }
    let keyversion = reservations::change_state(ctx, &reservation, next)?;
    answer(ctx, command, &key, keyversion, undone)
}

fn insert_tombstone(ctx: &mut Context<'_>, command: ReleaseStock) -> Result<(), Fault> {
    let tombstone = Reservation {
        order: command.order,
        id: ctx.new_id(),
        location: command.location,
        state: ReservationState::Released,
        lines: Vec::new(),
        expires_at: None,
        flow: ctx.cause().flow,
        keyversion: 1,
    };
    reservations::insert(ctx, &tombstone)
}

fn answer(
    ctx: &mut Context<'_>,
    command: ReleaseStock,
    key: &str,
    keyversion: i64,
    undone: ReleaseKind,
) -> Result<Outcome, Fault> {
    let event = StockReleased {
        order_id: command.order,
        location_id: command.location,
        undone,
    };
    ctx.emit(key, keyversion, &event)?;
    Ok(Outcome::Released(undone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::reserve_stock,
        shop::{Shop, order, refund},
    };

    #[test]
    fn what_was_held_is_given_back_once() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        shop.reserve(order(1), &[("tea", 2)]);
        shop.events();
        assert_eq!(
            shop.release(order(1), false),
            Outcome::Released(ReleaseKind::Reservation)
        );
        assert_eq!(shop.release(order(1), false), Outcome::AlreadyReleased);
        insta::assert_snapshot!(shop.rows(), @r#"
        stock tea on_hand 5 reserved 0 moved 1
        movement tea #1 intake +5 -> 5 - by operator
        reservation of order-1 released v2 [{"sku":"tea","quantity":2}]
        "#);
        insta::assert_snapshot!(shop.events(), @r#"stock.released.v1 order-1 v2 {"order_id":"order-1","location_id":"here","undone":"reservation"}"#);
        assert_eq!(shop.timers(), "");
    }

    #[test]
    fn releasing_what_is_not_known_yet_refuses_it_later() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        shop.events();
        assert_eq!(
            shop.release(order(1), false),
            Outcome::Released(ReleaseKind::Nothing)
        );
        let late = shop.reserve(order(1), &[("tea", 2)]);
        assert_eq!(late, reserve_stock::Outcome::AlreadyDecided);
        insta::assert_snapshot!(shop.rows(), @r"
        stock tea on_hand 5 reserved 0 moved 1
        movement tea #1 intake +5 -> 5 - by operator
        reservation of order-1 released v1 []
        ");
        insta::assert_snapshot!(shop.events(), @r#"stock.released.v1 order-1 v1 {"order_id":"order-1","location_id":"here","undone":"nothing"}"#);
        assert_eq!(shop.timers(), "");
    }

    #[test]
    fn what_was_refused_or_expired_still_answers() {
        let shop = Shop::open();
        shop.stocked("tea", 1);
        shop.reserve(order(1), &[("tea", 2)]);
        shop.reserve(order(2), &[("tea", 1)]);
        shop.expire(order(2));
        shop.events();
        assert_eq!(
            shop.release(order(1), true),
            Outcome::Released(ReleaseKind::Nothing)
        );
        assert_eq!(
            shop.release(order(2), true),
            Outcome::Released(ReleaseKind::Nothing)
        );
        insta::assert_snapshot!(shop.rows(), @r#"
        stock tea on_hand 1 reserved 0 moved 1
        movement tea #1 intake +1 -> 1 - by operator
        reservation of order-1 released v2 []
        reservation of order-2 released v3 [{"sku":"tea","quantity":1}]
        "#);
        insta::assert_snapshot!(shop.events(), @r#"
        stock.released.v1 order-1 v2 {"order_id":"order-1","location_id":"here","undone":"nothing"}
        stock.released.v1 order-2 v3 {"order_id":"order-2","location_id":"here","undone":"nothing"}
        "#);
    }

    #[test]
    fn a_sale_returns_to_stock_only_if_told_to() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        for n in [1, 2] {
            shop.reserve(order(n), &[("tea", 2)]);
            shop.sell(order(n));
        }
        shop.events();
        assert_eq!(
            shop.release(order(1), true),
            Outcome::Released(ReleaseKind::SaleRestocked)
        );
        assert_eq!(
            shop.release(order(2), false),
            Outcome::Released(ReleaseKind::SaleKept)
        );
        assert_eq!(shop.release(order(2), true), Outcome::AlreadyReleased);
        insta::assert_snapshot!(shop.rows(), @r#"
        stock tea on_hand 3 reserved 0 moved 4
        movement tea #1 intake +5 -> 5 - by operator
        movement tea #2 sale -2 -> 3 - by -
        movement tea #3 sale -2 -> 1 - by -
        movement tea #4 return +2 -> 3 cancelled by -
        reservation of order-1 restocked v3 [{"sku":"tea","quantity":2}]
        reservation of order-2 sale_kept v3 [{"sku":"tea","quantity":2}]
        "#);
        insta::assert_snapshot!(shop.events(), @r#"
        stock.released.v1 order-1 v3 {"order_id":"order-1","location_id":"here","undone":"sale_restocked"}
        stock.released.v1 order-2 v3 {"order_id":"order-2","location_id":"here","undone":"sale_kept"}
        "#);
    }

    #[test]
    fn what_a_refund_brought_back_does_not_come_back_again() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        shop.reserve(order(1), &[("tea", 3)]);
        shop.sell(order(1));
        shop.return_stock(order(1), refund(1), &[("tea", 2)]);
        shop.release(order(1), true);
        insta::assert_snapshot!(shop.stock_rows(), @"stock tea on_hand 5 reserved 0 moved 4");
    }
}

//! Turns an order's reservation into a sale. The goods leave the books.

use pasar_contracts::events::inventory::StockSold;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::OrderId;

use super::ledger;
use crate::{
    desk::Desk,
    stock::{ReservationState, Sale},
    tables::{
        reservations::{self, Reservation},
        stock as rows,
    },
    timers,
};

#[derive(Clone, Copy, Debug)]
pub struct SellStock {
    pub order: OrderId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sold,
    /// It was sold before: nothing changes and nothing is told again.
    AlreadySold,
}

/// Faults when nothing was ever held for the order, or when what expired is gone: orders cannot have
/// confirmed that, so somebody must look.
pub fn sell_stock(ctx: &mut Context<'_>, command: SellStock) -> Result<Outcome, Fault> {
    let mut desk = Desk::default();
    let outcome = sell_at(ctx, &mut desk, command)?;
    desk.write(ctx)?;
    Ok(outcome)
}

/// The same; the stock is written with the desk.
pub(crate) fn sell_at(
    ctx: &mut Context<'_>,
    desk: &mut Desk,
    command: SellStock,
) -> Result<Outcome, Fault> {
    let order = command.order;
    let mut reservation = desk.reservation(ctx, order)?.cloned().ok_or_else(|| {
        Fault::Bug(format!(
            "order {order} is confirmed, but no stock was decided"
        ))
    })?;
    let key = order.to_string();
    match reservation.state.on_confirmed() {
        Sale::Done => return Ok(Outcome::AlreadySold),
        Sale::Impossible => {
            return Err(Fault::Bug(format!(
                "order {order} is confirmed, but its stock is {}",
                reservation.state.as_str()
            )));
        }
        Sale::Consume => {
            for line in &reservation.lines {
                let moved = desk.sell(ctx, reservation.location, line)?;
                ledger::sold(ctx, &reservation, line, moved)?;
            }
            if let Some(expires_at) = reservation.expires_at {
                timers::cancel_expiry(ctx, &key, expires_at)?;
            }
        }
        Sale::TakeAgain => {
            // It is found by what the tables hold.
            desk.write(ctx)?;
            take_again(ctx, &reservation)?;
        }
    }
    reservation.keyversion = reservations::change_state(ctx, &reservation, ReservationState::Sold)?;
    reservation.state = ReservationState::Sold;
    let event = StockSold {
        order_id: order,
        location_id: reservation.location,
        reservation_id: reservation.id,
    };
    ctx.emit(&key, reservation.keyversion, &event)?;
    desk.keep(reservation);
    Ok(Outcome::Sold)
}

/// Sells what had expired, as far as it is still there.
fn take_again(ctx: &Context<'_>, reservation: &Reservation) -> Result<(), Fault> {
    for line in &reservation.lines {
        let moved = rows::sell_unheld(ctx, reservation.location, line)?.ok_or_else(|| {
            Fault::Bug(format!(
                "order {} was confirmed after its reservation expired, and {} is no longer there",
                reservation.order, line.sku
            ))
        })?;
        ledger::sold(ctx, reservation, line, moved)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, order};

    #[test]
    fn what_was_held_is_sold_once_and_entered_in_the_ledger() {
        let shop = Shop::open();
        shop.stocked("cake", 5);
        shop.stocked("tea", 5);
        shop.reserve(order(1), &[("tea", 2), ("cake", 1)]);
        shop.events();
        assert_eq!(shop.sell(order(1)), Outcome::Sold);
        assert_eq!(shop.sell(order(1)), Outcome::AlreadySold);
        insta::assert_snapshot!(shop.rows(), @r#"
        stock cake on_hand 4 reserved 0 moved 2
        stock tea on_hand 3 reserved 0 moved 2
        movement cake #1 intake +5 -> 5 - by operator
        movement cake #2 sale -1 -> 4 - by -
        movement tea #1 intake +5 -> 5 - by operator
        movement tea #2 sale -2 -> 3 - by -
        reservation of order-1 sold v2 [{"sku":"cake","quantity":1},{"sku":"tea","quantity":2}]
        "#);
        insta::assert_snapshot!(shop.events(), @r#"stock.sold.v1 order-1 v2 {"order_id":"order-1","location_id":"here","reservation_id":"rsv"}"#);
        assert_eq!(shop.timers(), "");
    }

    #[test]
    fn an_order_without_stock_cannot_be_sold() {
        let shop = Shop::open();
        shop.stocked("tea", 1);
        let sell = |n| shop.try_run(move |ctx| sell_stock(ctx, SellStock { order: order(n) }));
        assert!(matches!(sell(1), Err(Fault::Bug(_))), "never heard of");
        shop.reserve(order(2), &[("tea", 2)]);
        assert!(matches!(sell(2), Err(Fault::Bug(_))), "refused");
        shop.reserve(order(3), &[("tea", 1)]);
        shop.release(order(3), false);
        assert!(matches!(sell(3), Err(Fault::Bug(_))), "released");
    }

    #[test]
    fn a_sale_after_the_expiry_takes_the_units_again_if_they_are_there() {
        let shop = Shop::open();
        shop.stocked("tea", 1);
        shop.reserve(order(1), &[("tea", 1)]);
        shop.expire(order(1));
        assert_eq!(shop.sell(order(1)), Outcome::Sold);
        assert!(
            shop.rows().contains("tea on_hand 0 reserved 0"),
            "{}",
            shop.rows()
        );

        let shop = Shop::open();
        shop.stocked("tea", 1);
        shop.reserve(order(1), &[("tea", 1)]);
        shop.expire(order(1));
        shop.reserve(order(2), &[("tea", 1)]);
        let before = shop.rows();
        let late = shop.try_run(|ctx| sell_stock(ctx, SellStock { order: order(1) }));
        assert!(matches!(late, Err(Fault::Bug(_))));
        assert_eq!(shop.rows(), before, "the other order keeps what it holds");
    }
}

//! Takes back goods of a refunded order: once a refund, and never more than was sold.

use pasar_contracts::events::inventory::{ReservedLine, StockReturned};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{
    id::{OrderId, RefundId},
    quantity::{MAX_QUANTITY, Quantity},
};

use super::ledger;
use crate::{
    stock::{self, Line, ReservationState},
    tables::reservations,
};

#[derive(Clone, Debug)]
pub struct ReturnStock {
    pub order: OrderId,
    pub refund: RefundId,
    /// As refunded: a product may stand in several lines.
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Returned(Vec<Line>),
    /// This refund brought its goods back before.
    AlreadyReturned,
    /// Nobody counts them, they are back already, or they were never sold.
    NothingToReturn,
}

pub fn return_stock(ctx: &mut Context<'_>, command: &ReturnStock) -> Result<Outcome, Fault> {
    let order = command.order;
    let sold = reservations::find(ctx, order)?
        .filter(|reservation| reservation.state == ReservationState::Sold);
    let before = reservations::returned(ctx, order)?;
    if before.iter().any(|(refund, _)| *refund == command.refund) {
        return Ok(Outcome::AlreadyReturned);
    }
    let Some(reservation) = sold else {
        return Ok(Outcome::NothingToReturn);
    };
    let returned: Vec<Line> = before.into_iter().flat_map(|(_, lines)| lines).collect();
    let outstanding = stock::outstanding(&reservation.lines, &returned);
    let asked = stock::merged(command.lines.iter().cloned());
    let back = stock::returnable(&asked, &outstanding);
    if back.is_empty() {
        return Ok(Outcome::NothingToReturn);
    }
    reservations::insert_return(ctx, order, command.refund, &back)?;
    ledger::put_back(ctx, &reservation, &back, Some(command.refund))?;
    let keyversion = reservations::change_state(ctx, &reservation, ReservationState::Sold)?;
    let event = StockReturned {
        order_id: order,
        location_id: reservation.location,
        lines: reserved_lines(&back)?,
    };
    ctx.emit(&order.to_string(), keyversion, &event)?;
    Ok(Outcome::Returned(back))
}

/// A merged line may hold more than one line can say: then it is told in parts.
fn reserved_lines(lines: &[Line]) -> Result<Vec<ReservedLine>, Fault> {
    let mut told = Vec::with_capacity(lines.len());
    for line in lines {
        let mut left = line.quantity;
        while left > 0 {
            let part = left.min(MAX_QUANTITY);
            let quantity = Quantity::new(part).map_err(|error| Fault::Bug(error.to_string()))?;
            told.push(ReservedLine {
                sku: line.sku.clone(),
                quantity,
            });
            left -= part;
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, order, refund};

    #[test]
    fn a_refund_brings_its_goods_back_once() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        shop.reserve(order(1), &[("tea", 3)]);
        shop.sell(order(1));
        shop.events();
        let first = shop.return_stock(order(1), refund(1), &[("tea", 1), ("tea", 1)]);
        assert!(matches!(first, Outcome::Returned(_)));
        let again = shop.return_stock(order(1), refund(1), &[("tea", 1), ("tea", 1)]);
        assert_eq!(again, Outcome::AlreadyReturned);
        insta::assert_snapshot!(shop.rows(), @r#"
        stock tea on_hand 4 reserved 0 moved 3
        movement tea #1 intake +5 -> 5 - by operator
        movement tea #2 sale -3 -> 2 - by -
        movement tea #3 return +2 -> 4 refund-1 by -
        reservation of order-1 sold v3 [{"sku":"tea","quantity":3}]
        "#);
        insta::assert_snapshot!(shop.events(), @r#"stock.returned.v1 order-1 v3 {"order_id":"order-1","location_id":"here","lines":[{"sku":"tea","quantity":2}]}"#);
    }

    #[test]
    fn no_more_comes_back_than_was_sold() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        shop.product("water", false);
        shop.reserve(order(1), &[("tea", 3), ("water", 1)]);
        shop.sell(order(1));
        shop.return_stock(order(1), refund(1), &[("tea", 2), ("water", 1)]);
        shop.return_stock(order(1), refund(2), &[("tea", 2)]);
        let last = shop.return_stock(order(1), refund(3), &[("tea", 1)]);
        assert_eq!(last, Outcome::NothingToReturn);
        insta::assert_snapshot!(shop.stock_rows(), @"stock tea on_hand 5 reserved 0 moved 4");
    }

    #[test]
    fn what_was_not_sold_does_not_come_back() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        let unknown = shop.return_stock(order(1), refund(1), &[("tea", 1)]);
        assert_eq!(unknown, Outcome::NothingToReturn);
        shop.reserve(order(2), &[("tea", 1)]);
        let held = shop.return_stock(order(2), refund(2), &[("tea", 1)]);
        assert_eq!(held, Outcome::NothingToReturn);
    }

    #[test]
    fn more_than_one_line_can_say_is_told_in_parts() {
        let line = Line {
            sku: "tea".parse().unwrap(),
            quantity: MAX_QUANTITY + 1,
        };
        let told = reserved_lines(&[line]).unwrap();
        let quantities: Vec<_> = told.iter().map(|line| line.quantity.get()).collect();
        assert_eq!(quantities, [MAX_QUANTITY, 1]);
    }
}

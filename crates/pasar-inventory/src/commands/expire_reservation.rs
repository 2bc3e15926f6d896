//! Takes back a reservation that outlived its order's deadline: the late safety net. The state of the
//! row decides between this and a sale; whoever comes second finds it changed.

use pasar_contracts::events::inventory::StockExpired;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::OrderId;

use crate::{
    stock::ReservationState,
    tables::{reservations, stock as rows},
};

#[derive(Clone, Copy, Debug)]
pub struct ExpireReservation {
    pub order: OrderId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Expired,
    /// It was sold, released or expired before.
    NotHeld,
}

pub fn expire_reservation(
    ctx: &mut Context<'_>,
    command: ExpireReservation,
) -> Result<Outcome, Fault> {
    let held = reservations::find(ctx, command.order)?
        .filter(|reservation| reservation.state == ReservationState::Held);
    let Some(reservation) = held else {
        return Ok(Outcome::NotHeld);
    };
    ctx.join_flow(reservation.flow);
    for line in &reservation.lines {
        rows::release(ctx, reservation.location, line)?;
    }
    let keyversion = reservations::change_state(ctx, &reservation, ReservationState::Expired)?;
    let event = StockExpired {
        order_id: command.order,
        location_id: reservation.location,
        reservation_id: reservation.id,
    };
    ctx.emit(&command.order.to_string(), keyversion, &event)?;
    Ok(Outcome::Expired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, order};

    #[test]
    fn an_expired_reservation_returns_its_stock_once_in_the_flow_of_its_order() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        shop.reserve(order(1), &[("tea", 2)]);
        let flow = shop.last_event().flow;
        shop.events();
        assert_eq!(shop.expire(order(1)), Outcome::Expired);
        assert_eq!(shop.last_event().flow, flow);
        assert_eq!(shop.expire(order(1)), Outcome::NotHeld);
        insta::assert_snapshot!(shop.rows(), @r#"
        stock tea on_hand 5 reserved 0 moved 1
        movement tea #1 intake +5 -> 5 - by operator
        reservation of order-1 expired v2 [{"sku":"tea","quantity":2}]
        "#);
        insta::assert_snapshot!(shop.events(), @r#"stock.expired.v1 order-1 v2 {"order_id":"order-1","location_id":"here","reservation_id":"rsv"}"#);
    }

    #[test]
    fn what_was_sold_or_released_does_not_expire() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        shop.reserve(order(1), &[("tea", 1)]);
        shop.sell(order(1));
        shop.reserve(order(2), &[("tea", 1)]);
        shop.release(order(2), false);
        shop.events();
        for n in [1, 2, 3] {
            assert_eq!(shop.expire(order(n)), Outcome::NotHeld);
        }
        assert_eq!(shop.events(), "");
    }
}

//! Enters into the ledger what orders take from stock and what comes back of it.

use pasar_contracts::api::inventory::{Movement, MovementKind};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::RefundId;

use crate::{
    stock::Line,
    tables::{
        movements,
        reservations::Reservation,
        stock::{self, Moved},
    },
};

/// Enters that a line was sold.
pub(super) fn sold(
    ctx: &Context<'_>,
    reservation: &Reservation,
    line: &Line,
    moved: Moved,
) -> Result<(), Fault> {
    let movement = Movement {
        number: moved.number,
        kind: MovementKind::Sale,
        change: -line.quantity,
        on_hand: moved.on_hand,
        order_id: Some(reservation.order),
        reason: None,
        actor: None,
        at: ctx.now(),
    };
    movements::insert(ctx, reservation.location, &line.sku, &movement)
}

/// Puts sold lines back and enters that they came: by a refund, or because the order was cancelled.
pub(super) fn put_back(
    ctx: &Context<'_>,
    reservation: &Reservation,
    lines: &[Line],
    refund: Option<RefundId>,
) -> Result<(), Fault> {
    for line in lines {
        let moved = stock::put_back(ctx, reservation.location, line)?;
        let movement = Movement {
            number: moved.number,
            kind: MovementKind::Return,
            change: line.quantity,
            on_hand: moved.on_hand,
            order_id: Some(reservation.order),
            reason: Some(
                refund.map_or_else(|| "cancelled".to_owned(), |refund| refund.to_string()),
            ),
            actor: None,
            at: ctx.now(),
        };
        movements::insert(ctx, reservation.location, &line.sku, &movement)?;
    }
    Ok(())
}

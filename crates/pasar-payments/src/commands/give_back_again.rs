//! A cancelled order's refund was refused and has rested: ask for it again.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;

use super::change;

/// The timer's kind; its key is the payment's id.
pub const TIMER: &str = "give_back_again";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveBackAgain {
    pub payment_id: PaymentId,
}

pub fn give_back_again(ctx: &mut Context<'_>, command: GiveBackAgain) -> Result<(), Fault> {
    let payment = change::load_known(ctx, command.payment_id)?;
    change::store(ctx, payment)
}

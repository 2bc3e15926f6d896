//! What happens when a timer of this service is due. Its key is the payment's id.

use pasar_store::{context::Context, fault::Fault, lane::LaneKey};
use pasar_types::id::PaymentId;

use crate::commands::{
    give_back_again::{self, GiveBackAgain, give_back_again},
    look_up_payment::{self, LookUpPayment, look_up_payment},
};

pub(crate) fn lane(key: &str) -> LaneKey {
    key.parse::<PaymentId>()
        .map_or(LaneKey::ZERO, |payment| LaneKey::of(payment.as_bytes()))
}

pub(crate) fn fire(ctx: &mut Context<'_>, kind: &str, key: &str) -> Result<(), Fault> {
    let payment_id: PaymentId = key
        .parse()
        .map_err(|error| Fault::Corrupt(format!("key of timer {kind}: {error}")))?;
    match kind {
        look_up_payment::TIMER => look_up_payment(ctx, LookUpPayment { payment_id }).map(|_| ()),
        give_back_again::TIMER => give_back_again(ctx, GiveBackAgain { payment_id }),
        other => Err(Fault::Corrupt(format!("unknown timer {other}"))),
    }
}

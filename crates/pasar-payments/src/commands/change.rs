//! What every command does around its own fact: load the payment, publish, ask the provider for what
//! is due next, store.

use pasar_contracts::{
    api::payments::{Operation, RefundState, Token},
    event::Event,
    events::payments::{PaymentRefunded, PaymentVoided, VoidReason},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{PaymentId, RefundId};

use crate::{
    desk::Desk,
    effects::work::Work,
    ledger::Posting,
    payment::{Next, Payment},
    tables::{self, refund::Refund},
};

/// The payment, whose flow the command joins.
pub(super) fn load(ctx: &mut Context<'_>, id: PaymentId) -> Result<Option<Payment>, Fault> {
    load_from(ctx, &mut Desk::default(), id)
}

pub(super) fn load_from(
    ctx: &mut Context<'_>,
    desk: &mut Desk,
    id: PaymentId,
) -> Result<Option<Payment>, Fault> {
    let payment = desk.take(ctx, id)?;
    if let Some(payment) = &payment {
        ctx.join_flow(payment.flow);
    }
    Ok(payment)
}

/// The payment that an order's event or an effect speaks of: it must be known.
pub(super) fn load_known(ctx: &mut Context<'_>, id: PaymentId) -> Result<Payment, Fault> {
    load(ctx, id)?.ok_or_else(|| not_known(id))
}

pub(super) fn not_known(id: PaymentId) -> Fault {
    Fault::Corrupt(format!("{id} is not known here"))
}

/// Publishes a change under the payment's next version.
pub(super) fn tell<E: Event>(
    ctx: &mut Context<'_>,
    payment: &mut Payment,
    event: &E,
) -> Result<(), Fault> {
    payment.keyversion += 1;
    ctx.emit(&payment.order_id().to_string(), payment.keyversion, event)
}

pub(super) fn tell_voided(
    ctx: &mut Context<'_>,
    payment: &mut Payment,
    reason: VoidReason,
) -> Result<(), Fault> {
    let event = PaymentVoided {
        payment: payment.reference(),
        reason,
    };
    tell(ctx, payment, &event)
}

/// Ends the effect whose result this is. A stale worker's does not count, its fact still does.
pub(super) fn end_effect(
    ctx: &mut Context<'_>,
    payment: &mut Payment,
    effect: Option<i64>,
) -> Result<(), Fault> {
    if let Some(id) = effect
        && ctx.finish_effect(id)?
    {
        payment.in_flight = None;
    }
    Ok(())
}

/// Books a refund that was paid out, and publishes it.
pub(super) fn book_refund(
    ctx: &mut Context<'_>,
    payment: &mut Payment,
    refund: RefundId,
    amount_minor: i64,
) -> Result<(), Fault> {
    payment.refund(amount_minor);
    let posting = Posting::refund(payment, refund, amount_minor);
    tables::ledger::post(ctx, &posting)?;
    let event = PaymentRefunded {
        payment: payment.reference(),
        refund_id: refund,
        amount: payment.money(amount_minor),
        refunded_total: payment.money(payment.refunded_minor),
        in_full: payment.refunded_minor == payment.captured_minor,
    };
    tell(ctx, payment, &event)
}

/// Gives back all that is left of paid cash, as staff states.
pub(super) fn hand_back(ctx: &mut Context<'_>, payment: &mut Payment) -> Result<RefundId, Fault> {
    let amount_minor = payment.refundable_minor();
    let now = ctx.now();
    let refund = Refund {
        id: ctx.new_id(),
        amount_minor,
        state: RefundState::Succeeded,
        reason: None,
        requested_at: now,
        ended_at: Some(now),
    };
    tables::refund::insert(ctx, payment.id, &refund)?;
    payment.refunding_minor += amount_minor;
    book_refund(ctx, payment, refund.id, amount_minor)?;
    Ok(refund.id)
}

/// Stores the payment, and with it the effect that is due next.
pub(super) fn store(ctx: &mut Context<'_>, mut payment: Payment) -> Result<(), Fault> {
    match payment.next(ctx.now()) {
        Next::Nothing => {}
        Next::Capture => ask(ctx, &mut payment, Operation::Capture, None)?,
        Next::Void => ask(ctx, &mut payment, Operation::Void, None)?,
        Next::GiveBack => {
            let refund = Refund {
                id: ctx.new_id(),
                amount_minor: payment.refundable_minor(),
                state: RefundState::Requested,
                reason: None,
                requested_at: ctx.now(),
                ended_at: None,
            };
            tables::refund::insert(ctx, payment.id, &refund)?;
            payment.refunding_minor += refund.amount_minor;
            ask_refund(ctx, &mut payment, &refund)?;
        }
        Next::Refund => {
            let refund = tables::refund::oldest_requested(ctx, payment.id)?.ok_or_else(|| {
                Fault::Corrupt(format!("{} counts a refund that is not there", payment.id))
            })?;
            ask_refund(ctx, &mut payment, &refund)?;
        }
    }
    tables::payment::update(ctx, &payment)
}

/// Asks the provider for an operation on the whole amount.
pub(super) fn ask(
    ctx: &mut Context<'_>,
    payment: &mut Payment,
    operation: Operation,
    token: Option<Token>,
) -> Result<(), Fault> {
    let work = Work {
        token,
        ..work(ctx, payment, operation)
    };
    enqueue(ctx, payment, &work)
}

fn ask_refund(ctx: &mut Context<'_>, payment: &mut Payment, refund: &Refund) -> Result<(), Fault> {
    let work = Work {
        amount: payment.money(refund.amount_minor),
        refund_id: Some(refund.id),
        ..work(ctx, payment, Operation::Refund)
    };
    enqueue(ctx, payment, &work)
}

fn work(ctx: &Context<'_>, payment: &Payment, operation: Operation) -> Work {
    Work {
        payment_id: payment.id,
        operation,
        method: payment.method.clone(),
        amount: payment.amount,
        token: None,
        refund_id: None,
        intended_at: ctx.now(),
    }
}

/// Enqueues the one effect of a payment, in the queue that has its id.
fn enqueue(ctx: &mut Context<'_>, payment: &mut Payment, work: &Work) -> Result<(), Fault> {
    payment.in_flight = Some(work.operation);
    ctx.enqueue_effect(&payment.id.to_string(), work.operation.as_str(), work)?;
    Ok(())
}

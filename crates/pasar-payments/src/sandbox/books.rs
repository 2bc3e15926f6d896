//! What the sandbox does with each request, in its own transactions.

use std::{sync::Arc, time::Duration};

use pasar_contracts::api::payments::{ActionOutcome, Operation, ProviderAnswer, ProviderRequest};
use pasar_store::{context::Context, fault::Fault, tx::Tx};
use pasar_types::{id::PaymentId, money::Money, time::Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{
    charge::{Action, Behaviour, Charge, State},
    tables,
};

/// The key that a capture by the customer's own action is booked under.
const ACTION_KEY: &str = "action";

/// What the sandbox grants its customers.
#[derive(Clone, Debug)]
pub struct Terms {
    pub action_lifetime: Duration,
    pub public_url: Arc<str>,
}

/// An answer, and whether it reaches whoever asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub answer: ProviderAnswer,
    /// It took effect, but nobody hears of it.
    pub lost: bool,
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Acted {
    Done {
        payment_id: PaymentId,
        answer: ProviderAnswer,
    },
    /// It was done before, or its time is over.
    TooLate,
    NotFound,
}

/// One line of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookEntry {
    pub reference: PaymentId,
    pub state: String,
    pub amount: Money,
    pub authorizations: i64,
    pub captures: i64,
    pub captured_minor: i64,
    pub refunded_minor: i64,
}

impl Reply {
    const fn heard(answer: ProviderAnswer) -> Self {
        Self {
            answer,
            lost: false,
        }
    }
}

pub(super) fn handle(
    ctx: &mut Context<'_>,
    request: &ProviderRequest,
    terms: &Terms,
) -> Result<Reply, Fault> {
    match request.operation {
        Operation::Authorize => authorize(ctx, request, terms),
        Operation::Capture => capture(ctx, request, terms),
        Operation::Void => void(ctx, request).map(Reply::heard),
        Operation::Refund => refund(ctx, request).map(Reply::heard),
        Operation::LookUp => {
            let now = ctx.now();
            look_up(ctx, request, terms, now)
        }
    }
}

pub(super) fn look_up(
    tx: &Tx<'_>,
    request: &ProviderRequest,
    terms: &Terms,
    now: Timestamp,
) -> Result<Reply, Fault> {
    let answer = match request.refund_id {
        Some(refund) => {
            tables::find_refund(tx, request.reference, refund)?.map(tables::Refund::into_answer)
        }
        None => {
            tables::find(tx, request.reference)?.map(|charge| charge.answer(&terms.public_url, now))
        }
    };
    Ok(Reply::heard(answer.unwrap_or(ProviderAnswer::NotFound)))
}

fn authorize(
    ctx: &mut Context<'_>,
    request: &ProviderRequest,
    terms: &Terms,
) -> Result<Reply, Fault> {
    let now = ctx.now();
    let key = &request.idempotency_key;
    if let Some(mut charge) = tables::find(ctx, request.reference)? {
        // A void that came first refuses it; another key is another authorisation.
        if charge.authorizations > 0 && charge.authorize_key != *key {
            charge.authorizations += 1;
            charge.authorize_key.clone_from(key);
            tables::update(ctx, &charge)?;
        }
        return Ok(Reply::heard(charge.answer(&terms.public_url, now)));
    }
    let token = request.token.as_ref().map_or("", |token| &token.0);
    let behaviour = Behaviour::of_token(token);
    let mut charge = Charge::new(request.reference, behaviour, request.amount, key.clone());
    if charge.state == State::RequiresAction {
        charge.action = Some(Action {
            secret: ctx.random_bytes(),
            expires_at: now + terms.action_lifetime,
        });
    }
    tables::insert(ctx, &charge)?;
    Ok(Reply {
        answer: charge.answer(&terms.public_url, now),
        lost: behaviour == Behaviour::Timeout,
    })
}

fn capture(
    ctx: &mut Context<'_>,
    request: &ProviderRequest,
    terms: &Terms,
) -> Result<Reply, Fault> {
    let now = ctx.now();
    let Some(mut charge) = tables::find(ctx, request.reference)? else {
        return Ok(Reply::heard(ProviderAnswer::NotFound));
    };
    let declined = |reason: &str| {
        Ok(Reply::heard(ProviderAnswer::Declined {
            reason: reason.to_owned(),
        }))
    };
    match charge.state_at(now) {
        State::Authorized if request.amount != charge.amount => declined("amount_mismatch"),
        State::Authorized if charge.behaviour == Behaviour::CaptureFails => {
            declined("capture_refused")
        }
        State::Authorized | State::Captured => {
            let first = charge.captures == 0;
            charge.capture(&request.idempotency_key);
            tables::update(ctx, &charge)?;
            Ok(Reply {
                answer: ProviderAnswer::Captured,
                lost: first && charge.behaviour == Behaviour::CaptureTimeout,
            })
        }
        State::RequiresAction => declined("action_required"),
        State::Declined | State::Voided => Ok(Reply::heard(charge.answer(&terms.public_url, now))),
    }
}

fn void(ctx: &mut Context<'_>, request: &ProviderRequest) -> Result<ProviderAnswer, Fault> {
    let Some(mut charge) = tables::find(ctx, request.reference)? else {
        tables::insert(ctx, &Charge::tombstone(request.reference, request.amount))?;
        return Ok(ProviderAnswer::Voided);
    };
    match charge.state {
        State::Captured => return Ok(ProviderAnswer::Captured),
        State::Declined | State::Voided => {}
        State::Authorized | State::RequiresAction => {
            charge.state = State::Voided;
            tables::update(ctx, &charge)?;
        }
    }
    Ok(ProviderAnswer::Voided)
}

fn refund(ctx: &mut Context<'_>, request: &ProviderRequest) -> Result<ProviderAnswer, Fault> {
    let Some(id) = request.refund_id else {
        return Ok(ProviderAnswer::Declined {
            reason: "refund_id_missing".to_owned(),
        });
    };
    if let Some(known) = tables::find_refund(ctx, request.reference, id)? {
        return Ok(known.into_answer());
    }
    let Some(mut charge) = tables::find(ctx, request.reference)? else {
        return Ok(ProviderAnswer::NotFound);
    };
    let amount_minor = request.amount.amount_minor;
    let left = charge.captured_minor - charge.refunded_minor;
    let reason = if charge.state != State::Captured {
        Some("not_captured")
    } else if charge.behaviour == Behaviour::RefundFails {
        Some("refund_refused")
    } else if request.amount.currency != charge.amount.currency || amount_minor > left {
        Some("exceeds_captured")
    } else {
        charge.refunded_minor += amount_minor;
        tables::update(ctx, &charge)?;
        None
    };
    let refund = tables::Refund {
        reason: reason.map(str::to_owned),
    };
    tables::insert_refund(ctx, request.reference, id, amount_minor, &refund)?;
    Ok(refund.into_answer())
}

pub(super) fn act(
    ctx: &mut Context<'_>,
    payment_id: PaymentId,
    secret: &[u8; 16],
    outcome: ActionOutcome,
) -> Result<Acted, Fault> {
    let Some(mut charge) = tables::find(ctx, payment_id)? else {
        return Ok(Acted::NotFound);
    };
    let told = charge
        .action
        .is_some_and(|action| bool::from(action.secret.ct_eq(secret)));
    if !told {
        return Ok(Acted::NotFound);
    }
    if charge.state_at(ctx.now()) != State::RequiresAction {
        return Ok(Acted::TooLate);
    }
    let answer = match outcome {
        ActionOutcome::Decline => {
            charge.state = State::Declined;
            charge.reason = Some("declined_by_customer".to_owned());
            ProviderAnswer::Declined {
                reason: "declined_by_customer".to_owned(),
            }
        }
        ActionOutcome::Complete if charge.behaviour == Behaviour::Qr => {
            charge.capture(ACTION_KEY);
            ProviderAnswer::Captured
        }
        ActionOutcome::Complete => {
            charge.state = State::Authorized;
            ProviderAnswer::Authorized
        }
    };
    tables::update(ctx, &charge)?;
    Ok(Acted::Done { payment_id, answer })
}

/// Charges with references after one, in their order.
pub(super) fn audit(
    tx: &Tx<'_>,
    after: Option<PaymentId>,
    limit: usize,
) -> Result<Vec<BookEntry>, Fault> {
    let charges = tables::after(tx, after, limit)?;
    let entry = |charge: Charge| BookEntry {
        reference: charge.reference,
        state: charge.state.as_str().to_owned(),
        amount: charge.amount,
        authorizations: charge.authorizations,
        captures: charge.captures,
        captured_minor: charge.captured_minor,
        refunded_minor: charge.refunded_minor,
    };
    Ok(charges.into_iter().map(entry).collect())
}

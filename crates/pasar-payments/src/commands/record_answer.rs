//! A provider answered, or told without being asked: the fact goes to the command that records it.

use pasar_contracts::api::payments::{Operation, ProviderAnswer};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{PaymentId, RefundId};

use super::{
    record_authorization::{self, RecordAuthorization, record_authorization},
    record_capture::{self, RecordCapture, record_capture},
    record_refund::{self, RecordRefund, record_refund},
    record_void::{RecordVoid, record_void},
};
use crate::payment::News;

/// Longest code of a refusal that is kept.
const MAX_REASON_CHARS: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub struct RecordAnswer {
    pub payment_id: PaymentId,
    /// The effect that it ends; absent when the provider told without being asked.
    pub effect: Option<i64>,
    /// What was asked; `look_up` when nothing was.
    pub operation: Operation,
    /// Which refund, when it is about one.
    pub refund_id: Option<RefundId>,
    pub answer: ProviderAnswer,
}

pub fn record_answer(ctx: &mut Context<'_>, command: RecordAnswer) -> Result<News, Fault> {
    let RecordAnswer {
        payment_id,
        effect,
        operation,
        refund_id,
        answer,
    } = command;
    if let Some(refund_id) = refund_id {
        let answer = match answer {
            ProviderAnswer::Refunded => record_refund::Answer::Refunded,
            ProviderAnswer::Declined { reason } => record_refund::Answer::Failed {
                reason: code(&reason),
            },
            _ => return Ok(News::Old),
        };
        let command = RecordRefund {
            payment_id,
            refund_id,
            effect,
            answer,
        };
        return record_refund(ctx, command);
    }
    let authorization = |answer| RecordAuthorization {
        payment_id,
        effect,
        answer,
    };
    let capture = |answer| RecordCapture {
        payment_id,
        effect,
        answer,
    };
    match answer {
        ProviderAnswer::Authorized => {
            record_authorization(ctx, authorization(record_authorization::Answer::Authorized))
        }
        ProviderAnswer::RequiresAction { next_action } => {
            let answer = record_authorization::Answer::RequiresAction { next_action };
            record_authorization(ctx, authorization(answer))
        }
        ProviderAnswer::Declined { reason } if operation == Operation::Capture => {
            let reason = code(&reason);
            record_capture(ctx, capture(record_capture::Answer::Failed { reason }))
        }
        ProviderAnswer::Declined { reason } => {
            let reason = code(&reason);
            let answer = record_authorization::Answer::Declined { reason };
            record_authorization(ctx, authorization(answer))
        }
        ProviderAnswer::Captured => record_capture(ctx, capture(record_capture::Answer::Captured)),
        ProviderAnswer::Voided => record_void(ctx, RecordVoid { payment_id, effect }),
        ProviderAnswer::Refunded | ProviderAnswer::NotFound => Ok(News::Old),
    }
}

/// A provider's reason as a short code.
fn code(reason: &str) -> String {
    let code: String = reason.chars().take(MAX_REASON_CHARS).collect();
    if code.is_empty() {
        "declined".to_owned()
    } else {
        code
    }
}

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
            other => return nothing(effect, operation, &other),
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
        other @ (ProviderAnswer::Refunded | ProviderAnswer::NotFound) => {
            nothing(effect, operation, &other)
        }
    }
}

/// What says nothing that could be recorded. From a notice it is passed over; no effect ends by it.
fn nothing(
    effect: Option<i64>,
    operation: Operation,
    answer: &ProviderAnswer,
) -> Result<News, Fault> {
    match effect {
        None => Ok(News::Old),
        Some(id) => {
            let status = answer.status();
            Err(Fault::Bug(format!(
                "effect {id} ({operation}) ended with {status}"
            )))
        }
    }
}

/// A provider's reason as a short code, without anything that a person could be named by.
fn code(reason: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
    let code: String = reason
        .chars()
        .take(MAX_REASON_CHARS)
        .map(|character| if plain(character) { character } else { '_' })
        .collect();
    if code.is_empty() {
        "declined".to_owned()
    } else {
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_short_code_whatever_the_provider_says() {
        assert_eq!(code("card_declined"), "card_declined");
        assert_eq!(code("Karte von J. Doe\n"), "Karte_von_J._Doe_");
        assert_eq!(code(""), "declined");
        assert_eq!(code(&"x".repeat(1_000)).len(), MAX_REASON_CHARS);
    }
}

//! Requests read into what commands take. A refusal names the field, so that the caller can mend it.

use pasar_chassis::problem::FieldError;
use pasar_contracts::api::orders::{OrderInput, OrderLineInput, RefundInput};
use pasar_types::money::{MAX_AMOUNT_MINOR, Money};

use crate::{commands::refund_order::Refunded, pricing};

/// An order as it was asked for, within all limits.
pub(crate) struct CheckedOrder {
    pub(crate) lines: Vec<OrderLineInput>,
    pub(crate) method: String,
    pub(crate) token: Option<String>,
    pub(crate) expected_total: Option<Money>,
    pub(crate) note: Option<String>,
}

/// A refund as it was asked for, within all limits.
pub(crate) struct CheckedRefund {
    pub(crate) what: Refunded,
    pub(crate) reason: String,
}

const MAX_METHOD: usize = 32;
const MAX_TOKEN: usize = 500;
const MAX_NOTE: usize = 500;
const MAX_REASON: usize = 200;

pub(crate) fn order(input: OrderInput) -> Result<CheckedOrder, FieldError> {
    Ok(CheckedOrder {
        lines: lines(&input.lines)?,
        method: method(input.payment.method)?,
        token: input.payment.token.map(token).transpose()?,
        expected_total: input.expected_total,
        note: input
            .note
            .map(|note| text("note", &note, MAX_NOTE, Kind::Paragraph))
            .transpose()?,
    })
}

pub(crate) fn refund(input: RefundInput) -> Result<CheckedRefund, FieldError> {
    let what = match (input.amount, input.lines) {
        (Some(_), None) if input.restock => {
            return Err(wrong(
                "restock",
                "expected lines whose goods return to stock",
            ));
        }
        (Some(amount), None) if (1..=MAX_AMOUNT_MINOR).contains(&amount.amount_minor) => {
            Refunded::Amount(amount)
        }
        (Some(_), None) => {
            let expected = format!("expected 1 to {MAX_AMOUNT_MINOR}");
            return Err(wrong("amount.amount_minor", expected));
        }
        (None, Some(wanted)) => Refunded::Lines {
            lines: lines(&wanted)?,
            restock: input.restock,
        },
        (Some(_), Some(_)) | (None, None) => {
            return Err(wrong("amount", "expected either an amount or lines"));
        }
    };
    let reason = text("reason", &input.reason, MAX_REASON, Kind::Line)?;
    Ok(CheckedRefund { what, reason })
}

fn lines(lines: &[OrderLineInput]) -> Result<Vec<OrderLineInput>, FieldError> {
    pricing::merge(lines).map_err(|error| wrong("lines", error.to_string()))
}

fn method(method: String) -> Result<String, FieldError> {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    if (1..=MAX_METHOD).contains(&method.len()) && method.bytes().all(plain) {
        Ok(method)
    } else {
        let expected = format!("expected 1 to {MAX_METHOD} of a-z, 0-9, '-' and '_'");
        Err(wrong("payment.method", expected))
    }
}

fn token(token: String) -> Result<String, FieldError> {
    let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    if (1..=MAX_TOKEN).contains(&token.len()) && visible {
        Ok(token)
    } else {
        let expected = format!("expected 1 to {MAX_TOKEN} visible ASCII characters");
        Err(wrong("payment.token", expected))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Line,
    /// May break lines.
    Paragraph,
}

fn text(field: &str, value: &str, max: usize, kind: Kind) -> Result<String, FieldError> {
    let text = value.trim();
    let allowed = |c: char| !c.is_control() || (kind == Kind::Paragraph && c == '\n');
    if text.is_empty() {
        Err(wrong(field, "expected some text"))
    } else if text.chars().count() > max {
        Err(wrong(field, format!("expected at most {max} characters")))
    } else if !text.chars().all(allowed) {
        Err(wrong(field, "expected text without control characters"))
    } else {
        Ok(text.to_owned())
    }
}

fn wrong(field: &str, detail: impl Into<String>) -> FieldError {
    FieldError {
        field: field.to_owned(),
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order_refused(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut body = json!({
            "lines": [{"sku": "tea", "quantity": 1}],
            "payment": {"method": "sandbox", "token": "tok_ok"},
        });
        change(&mut body);
        let refused = order(serde_json::from_value(body).unwrap()).err();
        refused.map_or_else(|| "accepted".to_owned(), |error| error.field)
    }

    #[test]
    fn the_field_that_an_order_is_refused_for_is_named() {
        insta::assert_snapshot!(order_refused(|_| {}), @"accepted");
        insta::assert_snapshot!(order_refused(|o| o["lines"] = json!([])), @"lines");
        insta::assert_snapshot!(order_refused(|o| o["payment"]["method"] = json!("Sand Box")), @"payment.method");
        insta::assert_snapshot!(order_refused(|o| o["payment"]["method"] = json!("")), @"payment.method");
        insta::assert_snapshot!(order_refused(|o| o["payment"]["token"] = json!("a b")), @"payment.token");
        insta::assert_snapshot!(order_refused(|o| o["payment"]["token"] = json!("x".repeat(501))), @"payment.token");
        insta::assert_snapshot!(order_refused(|o| o["note"] = json!("   ")), @"note");
        insta::assert_snapshot!(order_refused(|o| o["note"] = json!("less sugar\nno ice")), @"accepted");
        insta::assert_snapshot!(order_refused(|o| o["note"] = json!("x".repeat(501))), @"note");
    }

    #[test]
    fn a_refund_names_an_amount_or_lines_and_not_both() {
        let refused = |body| match refund(serde_json::from_value(body).unwrap()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.field,
        };
        let amount = json!({"amount_minor": 1, "currency": "IDR"});
        let lines = json!([{"sku": "tea", "quantity": 1}]);
        insta::assert_snapshot!(refused(json!({"amount": amount, "reason": "cold"})), @"accepted");
        insta::assert_snapshot!(refused(json!({"lines": lines, "restock": true, "reason": "cold"})), @"accepted");
        insta::assert_snapshot!(refused(json!({"amount": amount, "lines": lines, "reason": "cold"})), @"amount");
        insta::assert_snapshot!(refused(json!({"reason": "cold"})), @"amount");
        insta::assert_snapshot!(refused(json!({"amount": amount, "restock": true, "reason": "cold"})), @"restock");
        insta::assert_snapshot!(refused(json!({"amount": {"amount_minor": 0, "currency": "IDR"}, "reason": "cold"})), @"amount.amount_minor");
        insta::assert_snapshot!(refused(json!({"amount": amount, "reason": " "})), @"reason");
    }
}

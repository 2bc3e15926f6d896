//! What an answer means for the delivery, and what of it is kept.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use pasar_types::time::Timestamp;

use crate::{
    destination::{Failure, Next, Sent},
    destinations::http_client::{Answer, NoAnswer},
};

/// Bytes of an answer that are kept.
pub(super) const KEPT_BYTES: usize = 1024;
/// No destination is waited for longer, whatever it asks for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes of the shortest text that is kept out: fewer are no secret, and stand in every answer.
const SHORTEST: usize = 4;

/// Texts that are never kept, in the forms in which an answer may repeat them.
pub(super) struct Hidden(Vec<Box<str>>);

impl Hidden {
    pub(super) fn new(texts: &[String]) -> Self {
        let mut forms: Vec<Box<str>> = Vec::new();
        for text in texts.iter().filter(|text| text.len() >= SHORTEST) {
            let quoted = serde_json::Value::from(text.as_str()).to_string();
            // Without the quotes around it.
            let quoted = &quoted[1..quoted.len() - 1];
            forms.extend([text.as_str(), quoted, &quoted.replace('/', "\\/")].map(Into::into));
        }
        // The longest first: one may be a part of another.
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self(forms)
    }

    /// Bytes of an answer to look at, so that nothing hidden is cut in two.
    pub(super) fn reach(&self) -> usize {
        KEPT_BYTES + self.0.first().map_or(0, |longest| longest.len())
    }

    /// The first bytes of an answer as text.
    fn excerpt(&self, body: &[u8]) -> String {
        // Databases do not take NUL in texts.
        let mut text = String::from_utf8_lossy(body).replace('\0', "\u{fffd}");
        for hidden in &self.0 {
            if text.contains(&**hidden) {
                text = text.replace(&**hidden, "(secret)");
            }
        }
        text.truncate(text.floor_char_boundary(KEPT_BYTES));
        text
    }
}

pub(super) fn answered(answer: &Answer, hidden: &Hidden, at: Timestamp) -> Sent {
    let status = answer.status;
    let excerpt = hidden.excerpt(&answer.body);
    if status.is_success() {
        return Sent::Delivered {
            status: Some(status.as_u16()),
            detail: (!excerpt.is_empty()).then_some(excerpt),
        };
    }
    let next = match (status, retry_after(&answer.headers, at)) {
        (StatusCode::GONE, _) => Next::Gone,
        (_, Some(pause)) => Next::RetryAfter(pause),
        (_, None) => Next::Retry,
    };
    let detail = if status.is_redirection() {
        "redirects are not followed; set url to where the call should go".to_owned()
    } else if excerpt.is_empty() {
        status.canonical_reason().unwrap_or("no text").to_owned()
    } else {
        excerpt
    };
    Sent::Failed(Failure {
        status: Some(status.as_u16()),
        detail,
        next,
    })
}

pub(super) fn unanswered(no_answer: NoAnswer) -> Sent {
    let failed = |detail| {
        Sent::Failed(Failure {
            status: None,
            detail,
            next: Next::Retry,
        })
    };
    match no_answer {
        NoAnswer::NotAllowed(why) | NoAnswer::Unusable(why) => failed(why),
        NoAnswer::Timeout(limit) => failed(format!("no answer within {} ms", limit.as_millis())),
        NoAnswer::Unreachable(why) => Sent::Unreachable(why),
    }
}

/// RFC 9110, 10.2.3: seconds, or a date. None if it has passed.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(text).ok()?;
            let since_epoch = until.duration_since(UNIX_EPOCH).ok()?;
            let now = Duration::from_micros(u64::try_from(now.as_micros()).ok()?);
            since_epoch.checked_sub(now)?
        }
    };
    (!pause.is_zero()).then_some(pause.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        // Sun, 06 Nov 1994 08:49:37 GMT
        retry_after(&headers, Timestamp::from_micros(784_111_777_000_000))
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_more_than_a_day() {
        assert_eq!(pause("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            pause("Sun, 06 Nov 1994 08:50:07 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(pause("18446744073709551615"), Some(MAX_RETRY_AFTER));
        assert_eq!(
            pause("Fri, 31 Dec 2049 23:59:59 GMT"),
            Some(MAX_RETRY_AFTER)
        );
        for text in [
            "0",
            "-1",
            "soon",
            "",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "99999999999999999999",
        ] {
            assert_eq!(pause(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_hidden_is_not_kept_in_any_form_nor_in_part() {
        let hidden = Hidden::new(&["tok/\"1".to_owned(), "tok/".to_owned(), "b".to_owned()]);
        let excerpt = |text: &str| hidden.excerpt(text.as_bytes());
        assert_eq!(excerpt("a tok/\"1 b"), "a (secret) b");
        assert_eq!(excerpt(r#"{"a":"tok/\"1"}"#), r#"{"a":"(secret)"}"#);
        assert_eq!(excerpt(r#"{"a":"tok\/\"1"}"#), r#"{"a":"(secret)"}"#);
        let padded = format!("{}tok/\"1", "x".repeat(KEPT_BYTES - 3));
        assert_eq!(
            excerpt(&padded),
            format!("{}(se", "x".repeat(KEPT_BYTES - 3))
        );
        assert!(hidden.reach() >= padded.len());
    }

    #[test]
    fn what_is_kept_is_text_of_at_most_a_kibibyte() {
        let hidden = Hidden::new(&[]);
        assert_eq!(hidden.excerpt(b"a\0\xff"), "a\u{fffd}\u{fffd}");
        let euros = "€".repeat(600);
        assert_eq!(hidden.excerpt(euros.as_bytes()).len(), 1023);
    }
}

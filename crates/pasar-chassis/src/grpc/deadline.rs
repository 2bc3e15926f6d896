//! The deadline of a call (`grpc-timeout`): what is not answered by then is answered so, and a stream ends with it.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use futures_util::{future::BoxFuture, stream};
use http::{HeaderMap, HeaderName};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use pasar_store::clock::Clock;
use pasar_types::time::Timestamp;

use super::{Code, trailers};
use crate::{host::Host, sleeper::Sleeper};

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Digits that the protocol allows.
const MAX_DIGITS: usize = 8;
const LATE: &str = "the call's deadline has passed";

/// Judges time for the calls of a router.
pub(super) struct Timers {
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
}

/// How long the caller waits. `None` if it does not say, and for what cannot be read.
#[must_use]
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

impl Timers {
    pub(super) fn new(host: &Host) -> Self {
        Self {
            clock: Arc::clone(&host.clock),
            sleeper: Arc::clone(&host.sleeper),
        }
    }

    /// An answer, within the deadline of the call if it has one.
    pub(super) async fn within(
        &self,
        timeout: Option<Duration>,
        answer: impl Future<Output = Response>,
    ) -> Response {
        let Some(timeout) = timeout else {
            return answer.await;
        };
        let due = self.clock.now() + timeout;
        let response = tokio::select! {
            biased;
            response = answer => response,
            () = self.until(due) => return late(),
        };
        // An outcome without a message is a head alone, and clients insist on it.
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|body| ending(body, self.until(due)))
    }

    fn until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let (clock, sleeper) = (Arc::clone(&self.clock), Arc::clone(&self.sleeper));
        Box::pin(async move {
            while clock.now() < due {
                sleeper.sleep_until(due).await;
            }
        })
    }
}

fn late() -> Response {
    let mut response = super::stream(stream::empty());
    *response.body_mut() = Body::empty();
    let headers = response.headers_mut();
    headers.extend(trailers(Code::DeadlineExceeded, Some(LATE)));
    response
}

/// A body that ends by then at the latest, and says why.
fn ending(body: Body, late: BoxFuture<'static, ()>) -> Body {
    let frames = stream::unfold(Some((body, late)), async |open| {
        let (mut body, mut late) = open?;
        tokio::select! {
            biased;
            frame = body.frame() => Some((frame?, Some((body, late)))),
            () = &mut late => {
                let end = Frame::trailers(trailers(Code::DeadlineExceeded, Some(LATE)));
                Some((Ok(end), None))
            }
        }
    });
    Body::new(StreamBody::new(frames))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use pasar_contracts::problem::ProblemType;
    use pasar_feed::tasks::Tasks;
    use pasar_store::clock::SystemClock;

    use super::*;
    use crate::{problem::Problem, sleeper::SystemSleeper};

    fn timers() -> Timers {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Timers {
            sleeper: Arc::new(SystemSleeper::new(Arc::clone(&clock))),
            clock,
        }
    }

    const SHORT: Option<Duration> = Some(Duration::from_millis(5));

    #[test]
    fn a_timeout_is_read_in_each_unit() {
        let check = |text: &'static str, expected: Option<Duration>| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, HeaderValue::from_static(text));
            assert_eq!(timeout(&headers), expected, "{text}");
        };
        check("2H", Some(Duration::from_secs(7_200)));
        check("1M", Some(Duration::from_secs(60)));
        check("99999999S", Some(Duration::from_secs(99_999_999)));
        check("250m", Some(Duration::from_millis(250)));
        check("7u", Some(Duration::from_micros(7)));
        check("7n", Some(Duration::from_nanos(7)));
        for unreadable in [
            "",
            "S",
            "1",
            "-1S",
            "+1S",
            "1.5S",
            "999999999S",
            "1s",
            "1 S",
        ] {
            check(unreadable, None);
        }
    }

    #[tokio::test]
    async fn what_is_not_answered_in_time_is_answered_so() {
        let answer = timers().within(SHORT, std::future::pending()).await;
        assert_eq!(answer.headers()["grpc-status"], "4");
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_deadline() {
        let tasks = Tasks::new();
        let endless = async { super::super::stream_until_drain(&tasks, stream::pending()) };
        let answer = timers().within(SHORT, endless).await;
        let end = answer.into_body().collect().await.unwrap();
        assert_eq!(end.trailers().unwrap()["grpc-status"], "4");
    }

    #[tokio::test]
    async fn an_outcome_without_a_message_stays_a_head_alone() {
        let refused = async { super::super::refusal(Problem::new(ProblemType::NotFound)) };
        let answer = timers()
            .within(Some(Duration::from_secs(600)), refused)
            .await;
        assert_eq!(answer.headers()["grpc-status"], "5");
        assert!(answer.body().is_end_stream());
    }

    #[tokio::test]
    async fn what_is_answered_in_time_is_left_alone() {
        let answer = async { super::super::stream(stream::empty()) };
        let long = Some(Duration::from_secs(600));
        let answer = timers().within(long, answer).await;
        let end = answer.into_body().collect().await.unwrap();
        assert_eq!(end.trailers().unwrap()["grpc-status"], "0");
    }
}

//! What the head of a request must be before anything else is looked at.
//!
//! Framing that servers have read in different ways (RFC 9112, section 6) is refused here even where
//! hyper knows which reading is right: a later hop must not have a choice.

use http::{
    HeaderMap, HeaderValue, Method, Version,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use pasar_chassis::problem::Problem;
use pasar_contracts::problem::ProblemType;

use crate::{config::Limits, request_body::BodyKind};

const METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// 400, 405, 413, 414, 415 or 431, if anything.
pub(crate) fn check(parts: &Parts, limits: &Limits, body: BodyKind) -> Result<(), Problem> {
    check_size(parts, limits)?;
    check_target(parts)?;
    let most = match body {
        BodyKind::Whole => limits.body_bytes,
        BodyKind::Lines => u64::MAX,
    };
    check_framing(&parts.headers, most)?;
    match parts.headers.get(CONTENT_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Problem::new(ProblemType::UnsupportedMediaType)
                .detail("the body must not be compressed"))
        }
        _ => Ok(()),
    }
}

fn check_size(parts: &Parts, limits: &Limits) -> Result<(), Problem> {
    let uri = parts
        .uri
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    if uri > limits.uri_bytes {
        return Err(Problem::new(ProblemType::UriTooLong).detail(format!(
            "path and query may have at most {} bytes",
            limits.uri_bytes
        )));
    }
    let lines = parts.headers.iter();
    let bytes: usize = lines
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > limits.header_bytes || parts.headers.len() > limits.headers {
        return Err(Problem::new(ProblemType::HeadersTooLarge).detail(format!(
            "the headers may be at most {} and have at most {} bytes",
            limits.headers, limits.header_bytes
        )));
    }
    Ok(())
}

fn check_target(parts: &Parts) -> Result<(), Problem> {
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(Problem::new(ProblemType::MethodNotAllowed).header(ALLOW, METHODS));
    }
    let is_path = parts.uri.path().starts_with('/');
    if !is_path && parts.method != Method::OPTIONS {
        return Err(invalid("the request target must be a path"));
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(invalid("a request has one Host")),
        (None, None) if parts.version == Version::HTTP_11 => Err(invalid("a request needs a Host")),
        (Some(_) | None, None) => Ok(()),
    }
}

fn check_framing(headers: &HeaderMap, most: u64) -> Result<(), Problem> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if codings.next().is_some()
        || coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(invalid("the only Transfer-Encoding is chunked"));
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(());
    };
    if lengths.next().is_some() || coding.is_some() {
        return Err(invalid("the length of the body must be said once"));
    }
    let digits = length
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|digits| digits.parse::<u64>().ok());
    match length {
        None => Err(invalid("the Content-Length must be a number")),
        Some(length) if length > most => Err(too_large(most)),
        Some(_) => Ok(()),
    }
}

/// What is said of a body that was cut off.
pub(crate) fn body_problem(kind: ProblemType, limits: &Limits) -> Problem {
    match kind {
        ProblemType::PayloadTooLarge => too_large(limits.body_bytes),
        ProblemType::InvalidRequest => {
            invalid("the body ended before it was whole, or cannot be read")
        }
        _ => Problem::new(kind),
    }
}

fn too_large(limit: u64) -> Problem {
    Problem::new(ProblemType::PayloadTooLarge)
        .detail(format!("the body may have at most {limit} bytes"))
        .with("limit_bytes", limit)
}

fn invalid(detail: &'static str) -> Problem {
    Problem::new(ProblemType::InvalidRequest).detail(detail)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check_head(method: &str, target: &str, headers: &[(&'static str, String)]) -> Option<u16> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, &Limits::default(), BodyKind::Whole)
            .err()
            .map(|problem| problem.status().as_u16())
    }

    fn host_and(name: &'static str, value: impl Into<String>) -> Vec<(&'static str, String)> {
        vec![("host", "pasar".into()), (name, value.into())]
    }

    #[test]
    fn a_plain_request_passes() {
        assert_eq!(
            check_head("GET", "/v1/products?q=kopi", &host_and("accept", "*/*")),
            None
        );
        assert_eq!(
            check_head("POST", "/v1/orders", &host_and("content-length", "2")),
            None
        );
        assert_eq!(check_head("OPTIONS", "*", &host_and("accept", "*/*")), None);
    }

    #[test]
    fn ambiguous_framing_is_400() {
        for bad in ["gzip, chunked", "identity", "chunked, chunked", "x"] {
            assert_eq!(
                check_head("POST", "/", &host_and("transfer-encoding", bad)),
                Some(400)
            );
        }
        for bad in ["-1", "+2", "2, 2", "0x2", ""] {
            assert_eq!(
                check_head("POST", "/", &host_and("content-length", bad)),
                Some(400),
                "{bad}"
            );
        }
        let both = [
            host_and("content-length", "2"),
            host_and("transfer-encoding", "chunked"),
        ]
        .concat();
        assert_eq!(check_head("POST", "/", &both[1..]), Some(400));
        assert_eq!(check_head("GET", "/", &[]), Some(400));
        assert_eq!(
            check_head("GET", "/", &host_and("host", "other")),
            Some(400)
        );
    }

    #[test]
    fn what_is_too_large_is_told_so() {
        let long = format!("/{}", "a".repeat(9_000));
        assert_eq!(
            check_head("GET", &long, &host_and("accept", "*/*")),
            Some(414)
        );
        assert_eq!(
            check_head("GET", "/", &host_and("x", "a".repeat(20_000))),
            Some(431)
        );
        assert_eq!(
            check_head("POST", "/", &host_and("content-length", "99999999")),
            Some(413)
        );
        let many: Vec<_> = (0..70).map(|_| ("x", "a".to_owned())).collect();
        assert_eq!(check_head("GET", "/", &many), Some(431));
    }

    #[test]
    fn compressed_bodies_and_tunnels_are_refused() {
        assert_eq!(
            check_head("POST", "/", &host_and("content-encoding", "gzip")),
            Some(415)
        );
        assert_eq!(
            check_head("TRACE", "/", &host_and("accept", "*/*")),
            Some(405)
        );
        assert_eq!(
            check_head("CONNECT", "pasar:80", &host_and("accept", "*/*")),
            Some(405)
        );
    }
}

//! gzip for answers that are worth it: text of known length, whole in memory. Streams never are.
//!
//! What carries a strong ETag is left alone, as its bytes are what the tag names (RFC 9110, 8.8.3.3), and
//! so are answers with tokens, whose length must not tell of their content (BREACH).

use std::io::Write;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, VARY,
    },
};
use http_body::Body as _;
use http_body_util::BodyExt;

/// Below, the frame costs what the compression saves.
pub(crate) const MIN_BYTES: u64 = 1_024;
/// Above, compressing would keep a thread from other requests for milliseconds.
const MAX_BYTES: u64 = 512 * 1024;
/// Answers with tokens or keys.
const SECRET_PREFIXES: [&str; 2] = ["/v1/auth/", "/v1/api-keys"];
const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Whether the client takes gzip (RFC 9110, 12.5.3) and the path may be compressed.
pub(crate) fn is_wanted(headers: &HeaderMap, path: &str) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING);
    accepted.is_some_and(|accepted| accepts_gzip(accepted.as_bytes())) && may_be(path)
}

pub(crate) fn accepts_gzip(accepted: &[u8]) -> bool {
    let accepted = str::from_utf8(accepted).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// Whether answers of this path may be compressed.
pub(crate) fn may_be(path: &str) -> bool {
    !SECRET_PREFIXES
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// The answer, compressed if it is worth it.
pub(crate) async fn compress(response: Response) -> Response {
    let length = response.body().size_hint().exact();
    if !length.is_some_and(|length| (MIN_BYTES..=MAX_BYTES).contains(&length))
        || !is_compressible(response.headers())
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = body.collect().await else {
        return Response::from_parts(parts, Body::empty());
    };
    let whole = whole.to_bytes();
    parts
        .headers
        .append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let body = match gzip(&whole, Compression::fast()) {
        Some(compressed) if compressed.len() < whole.len() => {
            parts.headers.insert(CONTENT_ENCODING, GZIP);
            compressed
        }
        Some(_) | None => whole,
    };
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Body::from(body))
}

/// The bytes, compressed.
pub(crate) fn gzip(bytes: &[u8], level: Compression) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), level);
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn is_compressible(headers: &HeaderMap) -> bool {
    let has_strong_tag = headers
        .get(ETAG)
        .is_some_and(|tag| !tag.as_bytes().starts_with(b"W/"));
    let media_type = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let is_text = (media_type.starts_with(b"text/")
        && !media_type.starts_with(b"text/event-stream"))
        || media_type.starts_with(b"application/json")
        || media_type.starts_with(b"application/problem+json");
    is_text
        && !has_strong_tag
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn wanted(accepted: &'static str, path: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        is_wanted(&headers, path)
    }

    #[test]
    fn gzip_is_used_only_where_it_is_accepted() {
        assert!(wanted("gzip", "/v1/products"));
        assert!(wanted("br, GZIP;q=0.5", "/v1/products"));
        assert!(!wanted("gzip;q=0", "/v1/products"));
        assert!(!wanted("gzip; q=0.000", "/v1/products"));
        assert!(!wanted("br", "/v1/products"));
        assert!(!wanted("gzip", "/v1/auth/login"));
    }

    async fn compressed(
        media_type: &'static str,
        tag: Option<&'static str>,
        length: usize,
    ) -> bool {
        let text = "kopi ".repeat(length / 5);
        let mut response = Response::new(Body::from(text.clone()));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if let Some(tag) = tag {
            response
                .headers_mut()
                .insert(ETAG, HeaderValue::from_static(tag));
        }
        let (parts, body) = compress(response).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        if !parts.headers.contains_key(CONTENT_ENCODING) {
            assert_eq!(body, text);
            return false;
        }
        let mut read = String::new();
        flate2::read::GzDecoder::new(&body[..])
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!(read, text);
        assert_eq!(parts.headers[CONTENT_LENGTH], body.len().to_string());
        true
    }

    #[tokio::test]
    async fn tiny_tagged_binary_and_streamed_answers_stay_as_they_are() {
        assert!(compressed("application/json", None, 2_000).await);
        assert!(compressed("application/problem+json", None, 2_000).await);
        assert!(compressed("text/html; charset=utf-8", Some("W/\"v1\""), 2_000).await);
        assert!(!compressed("application/json", Some("\"v1\""), 2_000).await);
        assert!(!compressed("application/json", None, 1_000).await);
        assert!(!compressed("application/json", None, 600_000).await);
        assert!(!compressed("image/png", None, 2_000).await);
        assert!(!compressed("text/event-stream", None, 2_000).await);
    }
}

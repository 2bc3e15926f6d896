//! Entity tags made of a row's version: `"v12"`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::ETAG};

/// The strong tag of a version.
#[must_use]
pub fn tag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"v{version}\"")).expect("digits and quotes are visible ASCII")
}

/// The version that a tag (without `W/`) names, if it is one of ours.
#[must_use]
pub fn version(tag: &str) -> Option<i64> {
    tag.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok()
}

/// An answer with its version.
pub fn tagged(version: i64, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(ETAG, tag(version));
    response
}

/// 304: the client has this version already.
#[must_use]
pub fn not_modified(version: i64) -> Response {
    tagged(version, StatusCode::NOT_MODIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_back_from_its_tag() {
        assert_eq!(version(tag(12).to_str().unwrap()), Some(12));
        for text in ["v12", "\"12\"", "\"v\"", "", "\"vx\""] {
            assert_eq!(version(text), None, "{text}");
        }
    }
}

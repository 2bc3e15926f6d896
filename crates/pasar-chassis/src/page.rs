//! Pages of a list, by a cursor that says where the last one ended. Opaque to clients: base64url of JSON.

use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderValue, Uri, header::LINK};
use pasar_contracts::api::page::{DEFAULT_LIMIT, MAX_LIMIT, Page, PageQuery};
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::Problem;

/// Where a page ended: the sort key of its last row.
pub struct Cursor;

/// A cursor is a handful of values; a longer text was not made here.
const MAX_CURSOR_LENGTH: usize = 1024;

impl Cursor {
    #[must_use]
    pub fn encode<T: Serialize>(after: &T) -> String {
        let json = serde_json::to_vec(after).expect("a cursor holds plain values only");
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
        (text.len() <= MAX_CURSOR_LENGTH)
            .then(|| BASE64_URL_SAFE_NO_PAD.decode(text).ok())
            .flatten()
            .filter(|json| !json.windows(6).any(|window| window == b"\\u0000"))
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| {
                Problem::invalid_field("cursor", "expected the next_cursor of a page before")
            })
    }
}

/// How many rows a page holds, 1 to 200. Read one more to know whether there is a next page.
pub fn limit(query: &PageQuery) -> Result<usize, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(usize::from(limit))
    } else {
        let expected = format!("expected 1 to {MAX_LIMIT}");
        Err(Problem::invalid_field("limit", expected))
    }
}

/// The cursor of a query, if it has one.
pub fn after<T: DeserializeOwned>(query: &PageQuery) -> Result<Option<T>, Problem> {
    query.cursor.as_deref().map(Cursor::decode).transpose()
}

/// A page of up to `limit` of the rows; where there is one more, the cursor after the last that is kept.
pub fn cut<T, C: Serialize>(
    mut rows: Vec<T>,
    limit: usize,
    after: impl FnOnce(&T) -> C,
) -> Page<T> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows
        .last()
        .filter(|_| more)
        .map(|last| Cursor::encode(&after(last)));
    Page {
        items: rows,
        next_cursor,
    }
}

/// Answers with a page and, if there is a next one, its `Link` (RFC 8288): the same query with the
/// other cursor.
pub fn respond<T: Serialize>(page: Page<T>, uri: &Uri) -> Response {
    let next = page.next_cursor.clone();
    with_link(axum::Json(page).into_response(), next.as_deref(), uri)
}

/// The same for pages that hold more than a list.
#[must_use]
pub fn with_link(mut response: Response, next_cursor: Option<&str>, uri: &Uri) -> Response {
    let link = next_cursor.and_then(|cursor| HeaderValue::try_from(next_link(uri, cursor)).ok());
    if let Some(link) = link {
        response.headers_mut().insert(LINK, link);
    }
    response
}

fn next_link(uri: &Uri, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    for (name, value) in pairs.filter(|(name, _)| name != "cursor") {
        query.append_pair(&name, &value);
    }
    query.append_pair("cursor", cursor);
    format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_forged_one_is_refused() {
        let cursor = Cursor::encode(&("kopi", 7));
        assert_eq!(
            Cursor::decode::<(String, i64)>(&cursor).unwrap(),
            ("kopi".into(), 7)
        );
        for text in [
            "",
            "?",
            "bm9uc2Vuc2U",
            &"A".repeat(5_000),
            &Cursor::encode(&["a\0", "b"]),
        ] {
            let problem = Cursor::decode::<(String, String)>(text).unwrap_err();
            assert_eq!(problem.status().as_u16(), 422, "{text}");
        }
    }

    #[test]
    fn the_link_keeps_the_query_and_replaces_the_cursor() {
        let uri = "/v1/products?q=kopi+susu&cursor=old&limit=2"
            .parse()
            .unwrap();
        let response = respond(cut(vec![1, 2, 3], 2, |last| *last), &uri);
        let link = response.headers()[LINK].to_str().unwrap().to_owned();
        assert_eq!(
            link,
            "</v1/products?q=kopi+susu&limit=2&cursor=Mg>; rel=\"next\""
        );
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = cut(vec![1, 2], 2, |last| *last);
        assert_eq!(page.next_cursor, None);
        let uri = "/v1/products".parse().unwrap();
        assert!(!respond(page, &uri).headers().contains_key(LINK));
    }

    #[test]
    fn a_limit_outside_of_its_range_is_refused() {
        let ask = |limit| {
            super::limit(&PageQuery {
                limit,
                cursor: None,
            })
        };
        assert_eq!(ask(None).unwrap(), 20);
        assert!(ask(Some(0)).is_err());
        assert!(ask(Some(201)).is_err());
    }
}

//! Sessions of pages: with `Prefer: session=cookie`, login and refresh answer with HttpOnly cookies in
//! place of tokens, so that no script can read them and an EventSource needs none in its URL.
//!
//! A cookie is only believed from pages of our own origin: that check, `SameSite` and the `__Host-`
//! prefix each stand against forged requests alone.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE},
    request::Parts,
};
use http_body_util::{BodyExt, Limited};
use pasar_chassis::problem::Problem;
use pasar_contracts::{
    api::users::{RefreshTokenInput, Tokens},
    problem::ProblemType,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::credential::cookie;

/// Holds the access token. `__Host-`: set over HTTPS (or on localhost), for this host and path `/` only.
pub(crate) const SESSION_COOKIE: &str = "__Host-pasar_session";
/// Holds the refresh token.
const REFRESH_COOKIE: &str = "__Host-pasar_refresh";
/// How long browsers keep the refresh token; users decides how long it is good for.
const REFRESH_COOKIE_S: u64 = 30 * 24 * 3_600;
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const PREFERENCE: &str = "session=cookie";
const MAX_TOKENS_BYTES: usize = 64 * 1024;

/// What login and refresh answer with `Prefer: session=cookie`: the tokens are in the cookies.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct CookieSession {
    /// Seconds until the session has to be refreshed.
    #[schema(example = 600)]
    pub(crate) expires_in: u64,
}

/// What a call does to the session of the page that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    LogIn,
    Refresh,
    LogOut,
}

/// Origins whose pages may use the cookie.
pub(crate) struct OwnOrigins(Vec<String>);

impl Step {
    /// Which step this call is, if the page asks for cookies.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        if parts.method != Method::POST {
            return None;
        }
        let step = match parts.uri.path() {
            "/v1/auth/login" => Self::LogIn,
            "/v1/auth/refresh" => Self::Refresh,
            "/v1/auth/logout" => Self::LogOut,
            _ => return None,
        };
        let mut wishes = parts
            .headers
            .get_all(PREFER)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let asked = wishes.any(|wishes| wishes.split(',').any(|wish| wish.trim() == PREFERENCE));
        asked.then_some(step)
    }

    /// The body that users expects, made of the cookie. `None` where the page sends it itself.
    pub(crate) fn body(self, headers: &mut HeaderMap) -> Result<Option<Body>, Problem> {
        if self == Self::LogIn {
            return Ok(None);
        }
        let mut cookies = headers.get_all(COOKIE).iter();
        let refresh_token = cookies
            .find_map(|header| cookie(header, REFRESH_COOKIE))
            .ok_or_else(Problem::unauthenticated)?
            .to_owned();
        let body = serde_json::to_vec(&RefreshTokenInput { refresh_token })
            .map_err(|_| Problem::defect("a refresh token cannot be written as JSON"))?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Ok(Some(body.into()))
    }

    /// Moves the tokens of an answer into cookies, or takes them away when the session is over.
    pub(crate) async fn apply(self, response: Response) -> Result<Response, Problem> {
        let is_over = match self {
            Self::LogIn => false,
            Self::Refresh => response.status() == StatusCode::UNAUTHORIZED,
            Self::LogOut => {
                response.status().is_success() || response.status() == StatusCode::UNAUTHORIZED
            }
        };
        let (mut parts, body) = response.into_parts();
        if is_over {
            for name in [SESSION_COOKIE, REFRESH_COOKIE] {
                set(&mut parts.headers, name, "", 0)?;
            }
        }
        if self == Self::LogOut || !parts.status.is_success() {
            return Ok(Response::from_parts(parts, body));
        }
        let body = Limited::new(body, MAX_TOKENS_BYTES).collect().await;
        let tokens = body
            .ok()
            .and_then(|body| serde_json::from_slice::<Tokens>(&body.to_bytes()).ok());
        let tokens = tokens.ok_or_else(|| Problem::defect("users answered no tokens"))?;
        let expires_in = tokens.expires_in;
        set(
            &mut parts.headers,
            SESSION_COOKIE,
            &tokens.access_token,
            expires_in,
        )?;
        set(
            &mut parts.headers,
            REFRESH_COOKIE,
            &tokens.refresh_token,
            REFRESH_COOKIE_S,
        )?;
        parts
            .headers
            .insert(PREFERENCE_APPLIED, HeaderValue::from_static(PREFERENCE));
        let body = serde_json::to_vec(&CookieSession { expires_in })
            .map_err(|_| Problem::defect("a number cannot be written as JSON"))?;
        parts
            .headers
            .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Ok(Response::from_parts(parts, Body::from(Bytes::from(body))))
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str, max_age_s: u64) -> Result<(), Problem> {
    let cookie =
        format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={max_age_s}");
    let cookie = HeaderValue::try_from(cookie)
        .map_err(|_| Problem::defect("a token is not visible ASCII"))?;
    headers.append(SET_COOKIE, cookie);
    Ok(())
}

impl OwnOrigins {
    pub(crate) fn new(public_url: &str, more: &[String]) -> Self {
        let scheme_end = public_url.find("://").map_or(0, |at| at + 3);
        let end = public_url[scheme_end..]
            .find('/')
            .map_or(public_url.len(), |at| scheme_end + at);
        let own = public_url[..end].to_owned();
        Self(more.iter().cloned().chain([own]).collect())
    }

    /// Whether the cookie counts: 403 for a change that one of our pages did not ask for. What only
    /// reads, and was asked for from elsewhere, is answered as to a stranger.
    pub(crate) fn accepts(&self, method: &Method, headers: &HeaderMap) -> Result<bool, Problem> {
        let reads = method.is_safe();
        let own = match (headers.get(ORIGIN), headers.get(SEC_FETCH_SITE)) {
            (Some(origin), _) => self.contains(origin, headers.get(HOST)),
            (None, Some(site)) => matches!(site.as_bytes(), b"same-origin" | b"none"),
            (None, None) => reads,
        };
        if own || reads {
            return Ok(own);
        }
        Err(Problem::new(ProblemType::Forbidden)
            .detail("a session cookie is accepted from this installation's own pages only"))
    }

    /// Listed, or of the very host that was asked: a foreign page cannot name that as its origin.
    fn contains(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        let host = host.and_then(|host| host.to_str().ok());
        (authority.is_some() && authority == host) || self.0.iter().any(|own| own == origin)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn accepts(method: &Method, headers: &[(&'static str, &'static str)]) -> Result<bool, u16> {
        let origins = OwnOrigins::new("https://kopi.example/shop", &["https://pos.example".into()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        origins
            .accepts(method, &map)
            .map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn a_change_by_cookie_needs_an_own_origin() {
        let host = ("host", "192.168.1.5:8080");
        assert_eq!(
            accepts(
                &Method::POST,
                &[host, ("origin", "http://192.168.1.5:8080")]
            ),
            Ok(true)
        );
        assert_eq!(
            accepts(&Method::POST, &[host, ("origin", "https://kopi.example")]),
            Ok(true)
        );
        assert_eq!(
            accepts(&Method::POST, &[host, ("origin", "https://pos.example")]),
            Ok(true)
        );
        assert_eq!(
            accepts(&Method::POST, &[host, ("sec-fetch-site", "same-origin")]),
            Ok(true)
        );
        for foreign in [
            "https://evil.example",
            "null",
            "",
            "http://192.168.1.5:8080.evil.example",
        ] {
            assert_eq!(
                accepts(&Method::POST, &[host, ("origin", foreign)]),
                Err(403),
                "{foreign}"
            );
        }
        assert_eq!(
            accepts(&Method::DELETE, &[host, ("sec-fetch-site", "same-site")]),
            Err(403)
        );
        assert_eq!(accepts(&Method::POST, &[host]), Err(403));
    }

    #[test]
    fn a_read_from_elsewhere_is_a_strangers() {
        let host = ("host", "kopi.example");
        assert_eq!(accepts(&Method::GET, &[host]), Ok(true));
        assert_eq!(
            accepts(&Method::GET, &[host, ("origin", "https://evil.example")]),
            Ok(false)
        );
        assert_eq!(
            accepts(&Method::GET, &[host, ("sec-fetch-site", "cross-site")]),
            Ok(false)
        );
    }

    #[test]
    fn only_the_preference_makes_a_login_one_by_cookie() {
        let step = |method: &str, path: &str, prefer: &str| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("prefer", prefer);
            Step::of(&request.body(()).unwrap().into_parts().0)
        };
        assert_eq!(
            step("POST", "/v1/auth/login", "wait=5, session=cookie"),
            Some(Step::LogIn)
        );
        assert_eq!(
            step("POST", "/v1/auth/refresh", "session=cookie"),
            Some(Step::Refresh)
        );
        assert_eq!(step("POST", "/v1/auth/login", "session=token"), None);
        assert_eq!(step("GET", "/v1/auth/login", "session=cookie"), None);
        assert_eq!(step("POST", "/v1/orders", "session=cookie"), None);
    }
}

//! What a request proves who it is with: a bearer credential, or the session cookie of a page.

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};

use crate::session_cookie::SESSION_COOKIE;

#[derive(Clone, Debug)]
pub(crate) enum Credential {
    None,
    /// An access token or an API key. The whole header, so that nothing is copied.
    Bearer(HeaderValue),
    /// An access token that a page got as a cookie.
    Cookie(HeaderValue),
    /// Something that is neither.
    Unreadable,
}

/// What a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented<'c> {
    Nothing,
    Bearer(&'c str),
    Cookie(&'c str),
    /// Something that is neither.
    Unreadable,
}

const SCHEME: &str = "Bearer ";

impl Credential {
    /// `Authorization` goes before the cookie.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut authorizations = headers.get_all(AUTHORIZATION).iter();
        match (authorizations.next(), authorizations.next()) {
            (None, _) => {
                let mut cookies = headers.get_all(COOKIE).iter();
                cookies
                    .find(|header| cookie(header, SESSION_COOKIE).is_some())
                    .map_or(Self::None, |header| Self::Cookie(header.clone()))
            }
            (Some(header), None) if bearer(header.as_bytes()).is_some() => {
                Self::Bearer(header.clone())
            }
            (Some(_), _) => Self::Unreadable,
        }
    }

    pub(crate) fn presented(&self) -> Presented<'_> {
        match self {
            Self::None => Presented::Nothing,
            Self::Unreadable => Presented::Unreadable,
            Self::Bearer(header) => Presented::of_header(header.as_bytes()),
            Self::Cookie(header) => {
                let secret = cookie(header, SESSION_COOKIE);
                secret.map_or(Presented::Nothing, Presented::Cookie)
            }
        }
    }
}

impl<'c> Presented<'c> {
    /// By an `Authorization` header.
    pub(crate) fn of_header(value: &'c [u8]) -> Self {
        bearer(value).map_or(Self::Unreadable, Self::Bearer)
    }

    /// The token or key itself.
    pub(crate) const fn secret(self) -> Option<&'c str> {
        match self {
            Self::Nothing | Self::Unreadable => None,
            Self::Bearer(secret) | Self::Cookie(secret) => Some(secret),
        }
    }
}

fn bearer(value: &[u8]) -> Option<&str> {
    let text = str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
    let (scheme, secret) = text.split_at_checked(SCHEME.len())?;
    scheme
        .eq_ignore_ascii_case(SCHEME)
        .then(|| secret.trim_matches(' '))
}

/// A cookie's value (RFC 6265, section 5.4). The first of its name counts.
pub(crate) fn cookie<'h>(header: &'h HeaderValue, name: &str) -> Option<&'h str> {
    let pairs = header.to_str().ok()?.split(';');
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> (&'static str, Option<String>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let credential = Credential::read(&map);
        let secret = credential.presented().secret().map(str::to_owned);
        let kind = match credential {
            Credential::None => "none",
            Credential::Bearer(_) => "bearer",
            Credential::Cookie(_) => "cookie",
            Credential::Unreadable => "unreadable",
        };
        (kind, secret)
    }

    #[test]
    fn the_authorization_header_goes_before_the_cookie() {
        let cookie = ("cookie", "a=b; __Host-pasar_session=fromcookie; c=d");
        assert_eq!(read(&[cookie]), ("cookie", Some("fromcookie".into())));
        assert_eq!(
            read(&[("authorization", "bearer tok"), cookie]),
            ("bearer", Some("tok".into()))
        );
        assert_eq!(read(&[]), ("none", None));
        assert_eq!(
            read(&[("cookie", "x__Host-pasar_session=a")]),
            ("none", None)
        );
    }

    #[test]
    fn two_authorizations_or_another_scheme_are_unreadable() {
        assert_eq!(
            read(&[("authorization", "Basic YTpi")]),
            ("unreadable", None)
        );
        assert_eq!(
            read(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
            ("unreadable", None)
        );
        assert_eq!(read(&[("authorization", "Bearer")]), ("unreadable", None));
    }
}

//! The settings of a `rest` destination: read, checked, and named where they are wrong.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::AUTHORIZATION};
use pasar_chassis::signature::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    destination::InvalidSettings,
    destinations::{
        settings::{invalid, read as read_input},
        tls::{self, MAX_PEM_BYTES},
    },
};

pub(super) const MAX_URL_BYTES: usize = 2_048;
/// Headers of one's own, and bytes of their names and values together.
const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 8 * 1024;
const TIMEOUT_MS: std::ops::RangeInclusive<u32> = 100..=60_000;

/// An HTTP call to a URL.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RestDestination)]
pub(super) struct Input {
    /// `http` or `https`. User and password go into `auth`.
    #[schema(max_length = 2048, example = "https://shop.example/hooks/orders")]
    url: String,
    #[serde(default)]
    #[schema(inline)]
    method: CallMethod,
    /// Headers to send along, 32 and 8 KiB at most. Secret: never shown again.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[schema(inline)]
    auth: Option<Auth>,
    /// What deliveries are signed with (Standard Webhooks): `whsec_` and 24 to 64 bytes in Base64. Made if
    /// absent when the subscription is created. Secret: shown once.
    secret: Option<String>,
    /// The one before, while it is replaced: deliveries carry a signature by each.
    previous_secret: Option<String>,
    /// Certificates (PEM) of authorities to believe beside the public ones.
    #[schema(max_length = 65536)]
    ca: Option<String>,
    /// For one attempt, connecting included; the relay's `attempt_timeout_ms` if absent.
    #[schema(minimum = 100, maximum = 60000)]
    timeout_ms: Option<u32>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum CallMethod {
    #[default]
    Post,
    Put,
    Patch,
}

/// How the relay says who it is. Secret.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Auth {
    Bearer { token: String },
    Basic { username: String, password: String },
}

/// Settings that were found good.
pub(super) struct Settings {
    pub(super) uri: Uri,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) method: Method,
    /// Those of one's own, and `authorization`.
    pub(super) headers: HeaderMap,
    /// The present one first.
    pub(super) secrets: Vec<Secret>,
    pub(super) ca: Option<String>,
    pub(super) timeout: Option<Duration>,
    /// Texts that an answer may repeat and nobody may read.
    pub(super) hidden: Vec<String>,
}

pub(super) fn read(settings: &Map<String, Value>) -> Result<Settings, InvalidSettings> {
    let input: Input = read_input(settings)?;
    let (uri, host, port) = read_url(&input.url)?;
    let mut hidden: Vec<String> = input.headers.values().cloned().collect();
    let mut headers = read_headers(&input.headers)?;
    if let Some(auth) = &input.auth {
        if headers.contains_key(AUTHORIZATION) {
            return Err(invalid(
                "/auth",
                "expected either this or the header authorization",
            ));
        }
        headers.insert(AUTHORIZATION, read_auth(auth, &mut hidden)?);
    }
    let mut secrets = Vec::new();
    for (place, text) in [
        ("/secret", &input.secret),
        ("/previous_secret", &input.previous_secret),
    ] {
        if let Some(text) = text {
            secrets.push(
                text.parse::<Secret>()
                    .map_err(|error| invalid(place, error.to_string()))?,
            );
            hidden.push(text.clone());
        }
    }
    if input.previous_secret.is_some() && input.secret.is_none() {
        return Err(invalid(
            "/previous_secret",
            "expected together with secret only",
        ));
    }
    if let Some(ca) = &input.ca {
        tls::client_config(Some(ca)).map_err(|error| invalid("/ca", error.to_string()))?;
    }
    if input
        .timeout_ms
        .is_some_and(|timeout| !TIMEOUT_MS.contains(&timeout))
    {
        return Err(invalid("/timeout_ms", "expected 100 to 60000"));
    }
    Ok(Settings {
        uri,
        host,
        port,
        method: match input.method {
            CallMethod::Post => Method::POST,
            CallMethod::Put => Method::PUT,
            CallMethod::Patch => Method::PATCH,
        },
        headers,
        secrets,
        ca: input.ca,
        timeout: input.timeout_ms.map(|ms| Duration::from_millis(ms.into())),
        hidden,
    })
}

fn read_url(text: &str) -> Result<(Uri, String, u16), InvalidSettings> {
    let wrong = |why: &str| invalid("/url", why);
    if text.len() > MAX_URL_BYTES {
        return Err(wrong("expected 2048 bytes at most"));
    }
    let url = url::Url::parse(text).map_err(|error| invalid("/url", error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("expected http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("expected no user and password; give them in auth"));
    }
    if url.fragment().is_some() {
        return Err(wrong("expected no fragment (#..), which no server gets"));
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(wrong("expected a host"));
    };
    if port == 0 {
        return Err(wrong("expected a port from 1 to 65535"));
    }
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let uri = Uri::try_from(url.as_str()).map_err(|error| invalid("/url", error.to_string()))?;
    Ok((uri, host, port))
}

fn read_headers(given: &BTreeMap<String, String>) -> Result<HeaderMap, InvalidSettings> {
    let bytes: usize = given
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if given.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(invalid(
            "/headers",
            "expected 32 headers and 8192 bytes at most",
        ));
    }
    let mut headers = HeaderMap::with_capacity(given.len());
    for (text, value) in given {
        let place = format!("/headers/{}", text.replace('~', "~0").replace('/', "~1"));
        let name = HeaderName::from_bytes(text.as_bytes())
            .map_err(|_| invalid(&place, "expected the name of a header"))?;
        if is_ours(name.as_str()) {
            return Err(invalid(
                &place,
                "the relay or the connection sets this header itself",
            ));
        }
        headers.insert(
            name,
            secret_value(value)
                .ok_or_else(|| invalid(&place, "expected visible ASCII characters and spaces"))?,
        );
    }
    Ok(headers)
}

/// Headers that the relay writes, and those that are about the connection (RFC 9110, 7.6.1).
fn is_ours(name: &str) -> bool {
    const PREFIXES: [&str; 4] = ["content-", "webhook-", "ce-", "proxy-"];
    const NAMES: [&str; 9] = [
        "connection",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn read_auth(auth: &Auth, hidden: &mut Vec<String>) -> Result<HeaderValue, InvalidSettings> {
    match auth {
        Auth::Bearer { token } => {
            hidden.push(token.clone());
            let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
            is_token
                .then(|| secret_value(&format!("Bearer {token}")))
                .flatten()
                .ok_or_else(|| invalid("/auth/token", "expected visible ASCII characters"))
        }
        // RFC 7617: the name ends at the first colon.
        Auth::Basic { username, .. } if username.contains(':') => {
            Err(invalid("/auth/username", "expected no colon"))
        }
        Auth::Basic { username, password } => {
            let encoded = BASE64_STANDARD.encode(format!("{username}:{password}"));
            let value = secret_value(&format!("Basic {encoded}"))
                .ok_or_else(|| invalid("/auth", "expected a name and a password"))?;
            hidden.extend([password.clone(), encoded]);
            Ok(value)
        }
    }
}

fn secret_value(text: &str) -> Option<HeaderValue> {
    if text.len() > MAX_HEADER_BYTES {
        return None;
    }
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

// The limit that the schema names is the one that holds.
const _: () = assert!(MAX_PEM_BYTES == 65_536);

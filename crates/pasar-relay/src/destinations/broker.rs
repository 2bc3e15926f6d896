//! What brokers have in common: how one is a kind of destination, where it is and how it is reached (its URL, its
//! certificate, the socket), and what its errors tell the subscription's owner to do.

use std::{io, sync::Arc};

use http::{Uri, uri::PathAndQuery};
use rustls::{ClientConfig, pki_types::ServerName};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use utoipa::{
    PartialSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    destination::{Destination, Failure, InvalidSettings, Kind, Network, Next, Sent},
    destinations::{
        guard::ConnectError,
        settings::{self, check_text, invalid},
        tls::client_config,
    },
};

/// Bytes of a host name, user name, password, or name at the broker.
pub const MAX_TEXT_BYTES: usize = 512;
/// Bytes of what a broker said that are kept.
const MAX_DETAIL_BYTES: usize = 500;

/// A kind of broker: what differs between them. One that is down costs no attempt.
pub(crate) trait Broker: Send + Sync {
    /// As in [`Kind`], as are the next two.
    const NAME: &'static str;
    const SECRETS: &'static [&'static str];
    const CONCURRENCY: u16;
    /// The settings as they are written, and as they are used.
    type Settings: DeserializeOwned + PartialSchema;
    type Read;

    /// Refuses settings that cannot work, naming the field.
    fn read(settings: Self::Settings) -> Result<Self::Read, InvalidSettings>;

    /// Connects when it first sends.
    fn open(read: Self::Read, network: Network) -> Arc<dyn Destination>;
}

impl<B: Broker> Kind for B {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn secrets(&self) -> &'static [&'static str] {
        B::SECRETS
    }

    fn check(&self, settings: &Map<String, Value>) -> Result<(), InvalidSettings> {
        B::read(settings::read(settings)?).map(drop)
    }

    fn open(
        &self,
        settings: &Map<String, Value>,
        network: &Network,
    ) -> Result<Arc<dyn Destination>, InvalidSettings> {
        let read = B::read(settings::read(settings)?)?;
        Ok(B::open(read, network.clone()))
    }

    fn default_concurrency(&self) -> u16 {
        B::CONCURRENCY
    }

    fn outage_is_free(&self) -> bool {
        true
    }

    fn schema(&self) -> RefOr<Schema> {
        B::Settings::schema()
    }
}

/// A scheme, and the port that it means where the URL names none.
pub type Scheme = (&'static str, u16);

#[derive(Clone)]
pub struct Place {
    pub host: String,
    pub port: u16,
    pub tls: Option<Arc<ClientConfig>>,
}

impl Place {
    /// Reads `url`, which holds scheme, host and port only, and `ca`.
    pub fn read(
        url: &str,
        ca: Option<&str>,
        plain: Scheme,
        encrypted: Scheme,
    ) -> Result<Self, InvalidSettings> {
        let refuse = |why: String| Err(invalid("/url", why));
        let shape = format!(
            "expected {}://host:{} or, with TLS, {}://host:{}",
            plain.0, plain.1, encrypted.0, encrypted.1
        );
        let Ok(uri) = url.parse::<Uri>() else {
            return refuse(shape);
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return refuse(shape);
        };
        if authority.as_str().contains('@') {
            return refuse(format!(
                "{shape}, with the credentials in username and password"
            ));
        }
        if url.contains('#')
            || !matches!(
                uri.path_and_query().map(PathAndQuery::as_str),
                None | Some("/")
            )
        {
            return refuse(format!("{shape}, and nothing behind it"));
        }
        let (is_tls, default_port) = match scheme {
            scheme if scheme == plain.0 => (false, plain.1),
            scheme if scheme == encrypted.0 => (true, encrypted.1),
            _ => return refuse(shape),
        };
        // http gives no port for one that is none.
        let behind = authority.as_str().rsplit(']').next().unwrap_or_default();
        if authority.host().is_empty() || (behind.contains(':') && uri.port_u16().is_none()) {
            return refuse(shape);
        }
        Self::at(
            authority.host(),
            uri.port_u16().unwrap_or(default_port),
            is_tls,
            ca,
        )
    }

    /// The same from its parts.
    pub fn at(
        host: &str,
        port: u16,
        is_tls: bool,
        ca: Option<&str>,
    ) -> Result<Self, InvalidSettings> {
        if !is_tls && ca.is_some() {
            return Err(invalid(
                "/ca",
                "expected no certificates for a connection without TLS",
            ));
        }
        let tls = match is_tls {
            true => Some(client_config(ca).map_err(|error| invalid("/ca", error.to_string()))?),
            false => None,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
        })
    }

    /// A connection through the guard, with TLS if asked for.
    pub async fn connect(&self, network: &Network) -> Result<Box<dyn Stream>, Sent> {
        let stream = network
            .guard
            .connect(&self.host, self.port, network.connect_timeout)
            .await
            .map_err(|error| not_connected(&error))?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| failed("the host's name cannot be in a certificate", Next::Retry))?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await
            .map_err(|error| broken(&error))?;
        Ok(Box::new(stream))
    }
}

/// Bytes both ways, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A user's name and password, both or none.
pub fn check_credentials(
    username: Option<&str>,
    password: Option<&str>,
) -> Result<(), InvalidSettings> {
    if let Some(username) = username {
        check_text("/username", username, MAX_TEXT_BYTES)?;
    }
    match (username, password) {
        (None, Some(_)) => Err(invalid("/username", "expected with a password")),
        (_, Some(password)) => check_text("/password", password, MAX_TEXT_BYTES),
        (_, None) => Ok(()),
    }
}

/// The broker did not take it.
#[must_use]
pub fn failed(detail: impl Into<String>, next: Next) -> Sent {
    Sent::Failed(Failure {
        status: None,
        detail: cut(detail.into()),
        next,
    })
}

/// The broker cannot be reached.
#[must_use]
pub fn unreachable(detail: impl Into<String>) -> Sent {
    Sent::Unreachable(cut(detail.into()))
}

/// What the guard or the socket said. An address that is not allowed stays so until a person changes
/// something, so it costs attempts.
#[must_use]
pub fn not_connected(error: &ConnectError) -> Sent {
    match error {
        ConnectError::NotAllowed => failed(error.to_string(), Next::Retry),
        _ => unreachable(error.to_string()),
    }
}

/// A connection that broke, or that TLS refused: the latter is a matter of settings, and costs attempts.
#[must_use]
pub fn broken(error: &io::Error) -> Sent {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => {
            failed(untrusted(&format!("{why}")), Next::Retry)
        }
        Some(error) => failed(
            format!("TLS failed ({error}); check that the port speaks TLS"),
            Next::Retry,
        ),
        None => unreachable(format!("the connection broke: {error}")),
    }
}

/// What to say of a certificate that is not believed.
#[must_use]
pub fn untrusted(why: &str) -> String {
    format!(
        "the broker's certificate is not trusted ({why}); give the certificate of the authority that signed it as ca, and the host as it stands in the certificate"
    )
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_DETAIL_BYTES {
        text.truncate(text.floor_char_boundary(MAX_DETAIL_BYTES));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(String, u16, bool), String> {
        Place::read(url, None, ("mqtt", 1883), ("mqtts", 8883))
            .map(|place| (place.host, place.port, place.tls.is_some()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_says_where_and_whether_encrypted() {
        assert_eq!(
            read("mqtt://a.example"),
            Ok(("a.example".into(), 1883, false))
        );
        assert_eq!(
            read("mqtts://a.example:99/"),
            Ok(("a.example".into(), 99, true))
        );
        assert_eq!(read("mqtt://[::1]:99"), Ok(("::1".into(), 99, false)));
    }

    #[test]
    fn a_url_with_more_than_that_is_refused() {
        for url in [
            "",
            "a.example",
            "a.example:1883",
            "http://a.example",
            "mqtt://",
            "mqtt://a.example/shop",
            "mqtt://a.example?x=1",
            "mqtt://a.example#x",
            "mqtt://a.example:99999",
        ] {
            assert!(
                read(url).unwrap_err().starts_with("destination/url: "),
                "{url}"
            );
        }
        let refused = read("mqtt://me:hunter2@a.example").unwrap_err();
        assert!(refused.ends_with("with the credentials in username and password"));
        assert!(!refused.contains("hunter2"));
    }
}

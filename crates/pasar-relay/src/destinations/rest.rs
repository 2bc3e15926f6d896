//! `rest`: an HTTP call a message, signed as Standard Webhooks say, to an endpoint that the relay's guard lets
//! it reach. What receivers see is described in `docs/webhooks.md`.

mod answers;
mod headers;
mod settings;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use pasar_chassis::signature::Secret;
use rustls::pki_types::ServerName;
use serde_json::{Map, Value};

use self::{answers::Hidden, settings::Settings};
use crate::{
    destination::{Destination, InvalidSettings, Kind, Network, Parcel, Sent},
    destinations::{
        http_client::{Call, Client, Target, Tls},
        settings::{invalid, schema_of},
        tls,
    },
};

/// The kind.
pub struct Rest;

/// An open one.
struct Endpoint {
    client: Client,
    method: Method,
    own_headers: HeaderMap,
    secrets: Vec<Secret>,
    hidden: Hidden,
    timeout: Duration,
}

const DEFAULT_CONCURRENCY: u16 = 32;
/// Other ends close connections after 5 s to 75 s without a request, as they are set up by default.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A secret to sign with, from random bytes.
#[must_use]
pub fn new_secret(bytes: [u8; 32]) -> String {
    Secret::from_bytes(&bytes)
        .expect("32 bytes are between 24 and 64")
        .reveal()
}

impl Kind for Rest {
    fn name(&self) -> &'static str {
        "rest"
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[
            "/headers/*",
            "/auth/token",
            "/auth/password",
            "/secret",
            "/previous_secret",
        ]
    }

    fn check(&self, settings: &Map<String, Value>) -> Result<(), InvalidSettings> {
        settings::read(settings).map(|_| ())
    }

    fn open(
        &self,
        settings: &Map<String, Value>,
        network: &Network,
    ) -> Result<Arc<dyn Destination>, InvalidSettings> {
        let settings = settings::read(settings)?;
        let tls = tls(&settings)?;
        let timeout = settings.timeout.unwrap_or(network.attempt_timeout);
        Ok(Arc::new(Endpoint {
            hidden: Hidden::new(&settings.hidden),
            method: settings.method,
            own_headers: settings.headers,
            secrets: settings.secrets,
            timeout,
            client: Client::new(Target {
                uri: settings.uri,
                host: settings.host,
                port: settings.port,
                tls,
                network: network.clone(),
                connect_timeout: network.connect_timeout.min(timeout),
                idle_timeout: IDLE_TIMEOUT,
            }),
        }))
    }

    fn default_concurrency(&self) -> u16 {
        DEFAULT_CONCURRENCY
    }

    fn outage_is_free(&self) -> bool {
        false
    }

    fn schema(&self) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        schema_of::<settings::Input>(self.name())
    }
}

impl Destination for Endpoint {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        Box::pin(async move {
            let headers = || headers::headers(&self.own_headers, &self.secrets, parcel);
            let call = Call {
                method: &self.method,
                headers: &headers,
                body: &parcel.body,
                timeout: self.timeout,
                keep: self.hidden.reach(),
            };
            match self.client.send(&call).await {
                Ok(answer) => answers::answered(&answer, &self.hidden, parcel.at),
                Err(no_answer) => answers::unanswered(no_answer),
            }
        })
    }
}

fn tls(settings: &Settings) -> Result<Option<Tls>, InvalidSettings> {
    if settings.uri.scheme_str() != Some("https") {
        return Ok(None);
    }
    let name = ServerName::try_from(settings.host.clone())
        .map_err(|error| invalid("/url", error.to_string()))?;
    let shared = tls::client_config(settings.ca.as_deref())
        .map_err(|error| invalid("/ca", error.to_string()))?;
    let mut config = (*shared).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Tls {
        config: Arc::new(config),
        name,
    }))
}

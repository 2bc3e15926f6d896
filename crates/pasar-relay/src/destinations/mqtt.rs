//! MQTT 5 and 3.1.1 with QoS 1: a message counts as delivered once the broker has sent the PUBACK for its own
//! packet.
//!
//! Packets are those of rumqttc; its event loop is not used, as it connects by itself (past the guard, and with
//! an address in place of the name that TLS needs) and keeps what it could not send.

mod connection;
mod packets;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use utoipa::ToSchema;

use self::{
    connection::{Connection, Login},
    packets::{Publication, Version},
};
use crate::{
    destination::{Destination, InvalidSettings, Network, Parcel, Sent},
    destinations::{
        broker::{Broker, MAX_TEXT_BYTES, Place, check_credentials, unreachable},
        link::Link,
        settings::{check_text, invalid},
        template::Template,
    },
};

/// The kind `mqtt`.
pub struct Mqtt;

/// Publishes each message with QoS 1 to a topic of an MQTT broker.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MqttDestination)]
pub(crate) struct Settings {
    /// `mqtt://host:1883` or, with TLS, `mqtts://host:8883`.
    #[schema(example = "mqtts://mqtt.example:8883")]
    url: String,
    /// The topic; may hold `{topic}`, `{type}`, `{key}`. In type and key, `/`, `+` and `#` are
    /// percent-encoded. No wildcards.
    #[schema(example = "shop/{topic}/{key}")]
    topic: String,
    username: Option<String>,
    password: Option<String>,
    /// Certificates (PEM) to trust beside the public ones.
    ca: Option<String>,
    /// The broker picks one if absent. Two connections with one client id throw each other out.
    client_id: Option<String>,
    /// Whether the broker keeps the last message of each topic for new subscribers.
    #[serde(default)]
    retain: bool,
    /// `5` if absent, or `3.1.1`, which carries no attributes beside the body and no reasons.
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(5|3\\.1\\.1)$")]
    version: Version,
    /// The largest packet that the broker takes. With MQTT 5 it says so itself; with 3.1.1 it only closes the
    /// connection, so set it there.
    #[schema(minimum = 1, maximum = 268435455)]
    max_packet_bytes: Option<u32>,
}

/// The most that MQTT can say.
const MOST_PACKET_BYTES: u32 = 268_435_455;

impl Broker for Mqtt {
    const NAME: &'static str = "mqtt";
    const SECRETS: &'static [&'static str] = &["/password"];
    const CONCURRENCY: u16 = 64;
    type Settings = Settings;
    type Read = (Login, Template, bool);

    fn read(settings: Settings) -> Result<Self::Read, InvalidSettings> {
        check_credentials(settings.username.as_deref(), settings.password.as_deref())?;
        check_text("/topic", &settings.topic, MAX_TEXT_BYTES)?;
        let topic = Template::parse(&settings.topic)
            .map_err(|error| invalid("/topic", error.to_string()))?;
        if topic.texts().any(|text| text.contains(['#', '+'])) {
            return Err(invalid("/topic", "expected a topic without # and +"));
        }
        if let Some(client_id) = &settings.client_id {
            check_text("/client_id", client_id, MAX_TEXT_BYTES)?;
        }
        if settings
            .max_packet_bytes
            .is_some_and(|bytes| !(1..=MOST_PACKET_BYTES).contains(&bytes))
        {
            return Err(invalid(
                "/max_packet_bytes",
                format!("expected 1 to {MOST_PACKET_BYTES}"),
            ));
        }
        let login = Login {
            place: Place::read(
                &settings.url,
                settings.ca.as_deref(),
                ("mqtt", 1883),
                ("mqtts", 8883),
            )?,
            username: settings.username,
            password: settings.password,
            client_id: settings.client_id.unwrap_or_default(),
            version: settings.version,
            max_packet_bytes: settings.max_packet_bytes.unwrap_or(MOST_PACKET_BYTES),
        };
        Ok((login, topic, settings.retain))
    }

    fn open((login, topic, retain): Self::Read, network: Network) -> Arc<dyn Destination> {
        Arc::new(Publisher {
            login,
            topic,
            retain,
            network,
            link: Link::default(),
        })
    }
}

/// What type and key may hold in a topic.
const fn is_plain(character: char) -> bool {
    !matches!(character, '/' | '+' | '#')
}

struct Publisher {
    login: Login,
    topic: Template,
    retain: bool,
    network: Network,
    link: Link<Connection>,
}

impl Destination for Publisher {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        Box::pin(async move { self.publish(parcel).await.unwrap_or_else(|sent| sent) })
    }
}

impl Publisher {
    async fn publish(&self, parcel: &Parcel) -> Result<Sent, Sent> {
        let topic = self.topic.fill(&parcel.message, is_plain);
        let publication = Publication::new(self.login.version, topic, self.retain, parcel)?;
        let connection = self
            .link
            .get(
                self.network.connect_timeout,
                Connection::is_open,
                async || self.login.connect(&self.network).await,
            )
            .await?;
        let timeout = self.network.attempt_timeout;
        match tokio::time::timeout(timeout, connection.publish(publication)).await {
            Ok(sent) => Ok(sent),
            Err(_) => {
                self.link.forget(&connection).await;
                Err(unreachable(format!(
                    "no PUBACK within {} ms",
                    timeout.as_millis()
                )))
            }
        }
    }
}

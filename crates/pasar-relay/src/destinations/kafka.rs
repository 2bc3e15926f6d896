//! Kafka, acknowledged by all replicas in sync. Records of one partition travel in batches, one batch in
//! flight, so that their order is the order in which they were given.
//!
//! rskafka has no idempotent producer: a batch whose answer was lost is sent again, and its records may stand
//! twice in the topic, with the same `ce_id`.

mod cluster;
mod failure;
mod partition;
mod partitioner;
mod proxy;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::uri::Authority;
use rskafka::client::{Credentials, SaslConfig};
use serde::Deserialize;
use utoipa::ToSchema;

use self::cluster::{Bootstrap, Cluster};
use crate::{
    destination::{Destination, InvalidSettings, Network, Parcel, Sent},
    destinations::{
        broker::{Broker, MAX_TEXT_BYTES, Place, check_credentials},
        link::Link,
        settings::{check_text, invalid},
        template::Template,
    },
};

/// The kind `kafka`.
pub struct Kafka;

const MAX_BROKERS: usize = 16;

/// Writes each message as a record of a Kafka topic. The message's key is the record's: it picks the
/// partition as Kafka's own clients do (murmur2), so one key stays in order; records without a key go to all
/// partitions in turn.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KafkaDestination)]
pub(crate) struct Settings {
    /// One or more brokers to begin with, `host:port`; they name the others.
    #[schema(example = json!(["kafka.example:9093"]), min_items = 1, max_items = 16)]
    brokers: Vec<String>,
    /// The topic; may hold `{topic}` and `{type}`. It must exist, unless the cluster makes topics by itself.
    #[schema(example = "shop.{topic}")]
    topic: String,
    /// Always this partition, so that the order of all messages is kept (ordering `strict`).
    #[schema(minimum = 0)]
    partition: Option<u16>,
    /// TLS to all brokers.
    #[serde(default)]
    tls: bool,
    /// Certificates (PEM) to trust beside the public ones.
    ca: Option<String>,
    username: Option<String>,
    password: Option<String>,
    /// How the name and password are shown: `PLAIN` if absent, `SCRAM-SHA-256`, `SCRAM-SHA-512`.
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$")]
    sasl: Mechanism,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Mechanism {
    #[default]
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Broker for Kafka {
    const NAME: &'static str = "kafka";
    const SECRETS: &'static [&'static str] = &["/password"];
    const CONCURRENCY: u16 = 256;
    type Settings = Settings;
    type Read = (Bootstrap, Template, Option<i32>);

    fn read(settings: Settings) -> Result<Self::Read, InvalidSettings> {
        if settings.brokers.is_empty() || settings.brokers.len() > MAX_BROKERS {
            return Err(invalid("/brokers", format!("expected 1 to {MAX_BROKERS}")));
        }
        let mut tls = None;
        for (index, broker) in settings.brokers.iter().enumerate() {
            let pointer = format!("/brokers/{index}");
            check_text(&pointer, broker, MAX_TEXT_BYTES)?;
            // rskafka takes what stands before the first colon for the host, so no IPv6 address.
            let is_place = broker.parse::<Authority>().is_ok_and(|authority| {
                authority.port_u16().is_some()
                    && !broker.contains(['@', '['])
                    && !authority.host().is_empty()
            });
            if !is_place {
                return Err(invalid(&pointer, "expected host:port"));
            }
            tls = Place::at("", 0, settings.tls, settings.ca.as_deref())?.tls;
        }
        check_text("/topic", &settings.topic, MAX_TEXT_BYTES)?;
        let topic = Template::parse(&settings.topic)
            .map_err(|error| invalid("/topic", error.to_string()))?;
        if topic.has_key() {
            return Err(invalid(
                "/topic",
                "expected no {key}, as the key picks the partition",
            ));
        }
        if !topic.texts().all(|text| text.chars().all(is_plain)) {
            return Err(invalid(
                "/topic",
                "expected letters, digits, dots, - and _ around the placeholders",
            ));
        }
        let (username, password) = (settings.username, settings.password);
        check_credentials(username.as_deref(), password.as_deref())?;
        if username.is_some() && password.is_none() {
            return Err(invalid("/password", "expected with a username"));
        }
        let sasl = username.clone().zip(password).map(|(name, password)| {
            let credentials = Credentials::new(name, password);
            match settings.sasl {
                Mechanism::Plain => SaslConfig::Plain(credentials),
                Mechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
                Mechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
            }
        });
        let bootstrap = Bootstrap {
            brokers: settings.brokers,
            tls,
            sasl,
            username,
        };
        Ok((bootstrap, topic, settings.partition.map(i32::from)))
    }

    fn open((bootstrap, topic, partition): Self::Read, network: Network) -> Arc<dyn Destination> {
        Arc::new(Producer {
            bootstrap,
            topic,
            partition,
            network,
            link: Link::default(),
        })
    }
}

/// What the name of a topic may hold. What a type holds beyond that becomes `%..`, which no topic has: the
/// failure names it.
const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_')
}

struct Producer {
    bootstrap: Bootstrap,
    topic: Template,
    partition: Option<i32>,
    network: Network,
    link: Link<Cluster>,
}

impl Destination for Producer {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        Box::pin(async move { self.produce(parcel).await.unwrap_or_else(|sent| sent) })
    }
}

impl Producer {
    async fn produce(&self, parcel: &Parcel) -> Result<Sent, Sent> {
        let topic = self.topic.fill(&parcel.message, is_plain);
        let connect = async || Box::pin(self.bootstrap.connect(&self.network)).await;
        let cluster = self
            .link
            .get(self.network.connect_timeout, |_| true, connect)
            .await?;
        let sent = Box::pin(cluster.produce(&topic, self.partition, parcel))
            .await
            .unwrap_or_else(|sent| sent);
        if matches!(sent, Sent::Unreachable(_)) {
            // The next one begins at the brokers of the settings again: the others may have moved.
            self.link.forget(&cluster).await;
        }
        Ok(sent)
    }
}

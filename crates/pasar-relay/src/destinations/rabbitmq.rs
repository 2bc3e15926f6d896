//! RabbitMQ over AMQP 0-9-1, with publisher confirms: a message counts as delivered once the broker has
//! confirmed it and it reached a queue.
//!
//! Each publication in flight has a channel of its own. lapin hands a returned (unroutable) message to
//! whichever confirmation of its channel comes next, so only a channel with one publication tells them apart;
//! and an error that closes a channel hurts no other message.

mod connection;
mod wire;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use serde::Deserialize;
use utoipa::ToSchema;

use self::connection::{Connection, Server};
use crate::{
    destination::{Destination, InvalidSettings, Network, Next, Parcel, Sent},
    destinations::{
        attributes::attributes,
        broker::{Broker, MAX_TEXT_BYTES, Place, check_credentials, failed, unreachable},
        link::Link,
        settings::{check_text, invalid},
        template::Template,
    },
};

/// The kind `rabbitmq`.
pub struct RabbitMq;

/// Bytes of a short string of AMQP: names of exchanges and queues, routing keys.
const MAX_SHORT_BYTES: usize = 255;
const PERSISTENT: u8 = 2;

/// Publishes each message to an exchange of RabbitMQ, or straight to a queue. Messages are persistent; one
/// that reaches no queue fails.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RabbitMqDestination)]
pub(crate) struct Settings {
    /// `amqp://host:5672` or, with TLS, `amqps://host:5671`.
    #[schema(example = "amqps://rabbit.example:5671")]
    url: String,
    #[schema(example = "shop")]
    username: String,
    password: String,
    /// The virtual host; `/` if absent.
    vhost: Option<String>,
    /// Certificates (PEM) to trust beside the public ones.
    ca: Option<String>,
    /// The exchange; it must exist. This or `queue`.
    #[schema(example = "shop")]
    exchange: Option<String>,
    /// The routing key for the exchange; may hold `{topic}`, `{type}`, `{key}`. `{topic}` if absent.
    routing_key: Option<String>,
    /// The queue; it must exist. May hold `{topic}`, `{type}`, `{key}`.
    queue: Option<String>,
}

impl Broker for RabbitMq {
    const NAME: &'static str = "rabbitmq";
    const SECRETS: &'static [&'static str] = &["/password"];
    const CONCURRENCY: u16 = 64;
    type Settings = Settings;
    type Read = (Server, Route);

    fn read(settings: Settings) -> Result<Self::Read, InvalidSettings> {
        check_credentials(Some(&settings.username), Some(&settings.password))?;
        let vhost = settings.vhost.as_deref().unwrap_or("/");
        check_text("/vhost", vhost, MAX_SHORT_BYTES)?;
        let server = Server {
            place: Place::read(
                &settings.url,
                settings.ca.as_deref(),
                ("amqp", 5672),
                ("amqps", 5671),
            )?,
            username: settings.username,
            password: settings.password,
            vhost: vhost.to_owned(),
        };
        let template = |pointer: &str, text: &str| {
            check_text(pointer, text, MAX_TEXT_BYTES)?;
            Template::parse(text).map_err(|error| invalid(pointer, error.to_string()))
        };
        let route = match (&settings.exchange, &settings.queue, &settings.routing_key) {
            (Some(exchange), None, key) => {
                check_text("/exchange", exchange, MAX_SHORT_BYTES)?;
                Route {
                    exchange: exchange.clone(),
                    key: template("/routing_key", key.as_deref().unwrap_or("{topic}"))?,
                }
            }
            (None, Some(queue), None) => Route {
                exchange: String::new(),
                key: template("/queue", queue)?,
            },
            (None, Some(_), Some(_)) => {
                return Err(invalid("/routing_key", "expected only with an exchange"));
            }
            _ => return Err(invalid("/exchange", "expected this or queue, one of them")),
        };
        Ok((server, route))
    }

    fn open((server, route): Self::Read, network: Network) -> Arc<dyn Destination> {
        Arc::new(Publisher {
            server,
            route,
            network,
            link: Link::default(),
        })
    }
}

/// Where messages go. The exchange without a name leads to the queue that is called as the routing key.
pub(crate) struct Route {
    exchange: String,
    key: Template,
}

impl Route {
    /// What to do when a message reaches no queue.
    fn nowhere(&self, key: &str) -> String {
        match self.exchange.as_str() {
            "" => format!("there is no queue {key}; create it, or correct queue"),
            exchange => format!(
                "the exchange {exchange} leads to no queue for the routing key {key}; bind a queue to it, or correct routing_key"
            ),
        }
    }
}

struct Publisher {
    server: Server,
    route: Route,
    network: Network,
    link: Link<Connection>,
}

impl Destination for Publisher {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        Box::pin(async move {
            match self.publish(parcel).await {
                Ok(()) => Sent::Delivered {
                    status: None,
                    detail: None,
                },
                Err(sent) => sent,
            }
        })
    }
}

impl Publisher {
    async fn publish(&self, parcel: &Parcel) -> Result<(), Sent> {
        let filled = self.route.key.fill(&parcel.message, |_| true);
        let key = short(&filled, "the routing key")?;
        let properties = properties(parcel)?;
        let connection = self
            .link
            .get(
                self.network.connect_timeout,
                Connection::is_open,
                async || self.server.connect(&self.network).await,
            )
            .await?;
        let publishing = connection.publish(&self.route, key, &parcel.body, properties);
        let timeout = self.network.attempt_timeout;
        match tokio::time::timeout(timeout, publishing).await {
            Ok(result) => result,
            Err(_) => {
                connection.give_up();
                self.link.forget(&connection).await;
                Err(unreachable(format!(
                    "no confirmation within {} ms; the broker may be blocked by an alarm",
                    timeout.as_millis()
                )))
            }
        }
    }
}

/// The AMQP binding of CloudEvents, for AMQP 0-9-1: attributes are headers called `cloudEvents:..`.
fn properties(parcel: &Parcel) -> Result<BasicProperties, Sent> {
    let message = &parcel.message;
    let mut headers = FieldTable::default();
    for (name, text) in attributes(message) {
        let name = short(&format!("cloudEvents:{name}"), "an attribute's name")?;
        headers.insert(name, AMQPValue::LongString(text.into_owned().into()));
    }
    let seconds = u64::try_from(message.time.as_micros() / 1_000_000).unwrap_or_default();
    Ok(BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type(short(&parcel.content_type, "the content type")?)
        .with_message_id(short(&message.id, "the message's id")?)
        .with_type(short(&message.message_type, "the message's type")?)
        .with_timestamp(seconds)
        .with_app_id("pasar".into())
        .with_headers(headers))
}

fn short(text: &str, what: &str) -> Result<ShortString, Sent> {
    ShortString::try_new(text).map_err(|_| {
        failed(
            format!("{what} has more than the {MAX_SHORT_BYTES} bytes that AMQP allows"),
            Next::Never,
        )
    })
}

//! RabbitMQ as a reader of a queue.

use crate::servers::Server;
use std::future::pending;

use futures_util::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties, Consumer,
    options::{BasicAckOptions, BasicConsumeOptions, QueueDeclareOptions},
    types::FieldTable,
};
use serde_json::{Value, json};

use super::{Access, End, Got};

pub struct Queue(
    Consumer,
    #[expect(dead_code, reason = "kept open")] Connection,
);

impl End for Queue {
    const SERVER: &'static str = "rabbitmq";
    const ALLOWED: Option<&'static str> = None;
    const HAS_ATTRIBUTES: bool = true;
    const IS_DURABLE: bool = true;
    const SURVIVES_KILL: bool = true;
    const CAN_BE_CUT: bool = true;

    fn settings(access: &Access, name: &str) -> Value {
        let mut settings = json!({
            "kind": "rabbitmq",
            "url": access.url("amqp", "amqps"),
            "username": access.user,
            "password": access.password,
            "queue": name,
        });
        if let Some(ca) = &access.ca {
            settings["ca"] = json!(ca);
        }
        settings
    }

    async fn listen(server: &Server, name: &str) -> Self {
        let uri = format!(
            "amqp://{}:{}@127.0.0.1:{}/%2f",
            server.user, server.password, server.port
        );
        let connection = Connection::connect(&uri, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let none = FieldTable::default();
        channel
            .queue_declare(name.into(), durable, none.clone())
            .await
            .unwrap();
        // What is not acknowledged stays in the queue.
        let options = BasicConsumeOptions::default();
        let consumer = channel
            .basic_consume(name.into(), "".into(), options, none)
            .await
            .unwrap();
        Self(consumer, connection)
    }

    async fn next(&mut self) -> Got {
        let Some(Ok(delivery)) = self.0.next().await else {
            return pending().await;
        };
        if delivery.ack(BasicAckOptions::default()).await.is_err() {
            return pending().await;
        }
        let properties = &delivery.properties;
        let headers = properties.headers().clone().unwrap_or_default();
        let attributes = headers.inner().iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("cloudEvents:")?;
            Some((name.to_owned(), value.as_long_string()?.to_string()))
        });
        Got {
            content_type: properties.content_type().clone().unwrap().to_string(),
            attributes: attributes.collect(),
            body: delivery.data,
        }
    }
}

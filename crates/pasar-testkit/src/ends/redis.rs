//! Redis as a subscriber of a channel and as a reader of a stream.

use std::{collections::BTreeMap, future::pending};

use crate::servers::Server;
use futures_util::StreamExt as _;
use redis::{
    AsyncCommands as _, Client, ConnectionAddr, ConnectionInfo, RedisConnectionInfo,
    aio::{MultiplexedConnection, PubSub},
    streams::{StreamReadOptions, StreamReadReply},
};
use serde_json::{Value, json};

use super::{Access, End, Got};

fn client(server: &Server) -> Client {
    Client::open(ConnectionInfo {
        addr: ConnectionAddr::Tcp("127.0.0.1".to_owned(), server.port),
        redis: RedisConnectionInfo {
            username: Some(server.user.clone()),
            password: Some(server.password.clone()),
            ..RedisConnectionInfo::default()
        },
    })
    .unwrap()
}

fn settings(access: &Access) -> Value {
    let mut settings = json!({
        "kind": "redis",
        "url": access.url("redis", "rediss"),
        "username": access.user,
        "password": access.password,
    });
    if let Some(ca) = &access.ca {
        settings["ca"] = json!(ca);
    }
    settings
}

pub struct Channel(PubSub);

impl End for Channel {
    const SERVER: &'static str = "redis";
    const ALLOWED: Option<&'static str> = Some("allowed");
    const HAS_ATTRIBUTES: bool = false;
    const IS_DURABLE: bool = false;
    const SURVIVES_KILL: bool = false;
    const CAN_BE_CUT: bool = true;

    fn settings(access: &Access, name: &str) -> Value {
        let mut settings = settings(access);
        settings["channel"] = json!(name);
        settings["require_subscriber"] = json!(true);
        settings
    }

    async fn listen(server: &Server, name: &str) -> Self {
        let mut pubsub = client(server).get_async_pubsub().await.unwrap();
        pubsub.subscribe(name).await.unwrap();
        Self(pubsub)
    }

    async fn next(&mut self) -> Got {
        let Some(message) = self.0.on_message().next().await else {
            return pending().await;
        };
        let body = message.get_payload_bytes().to_vec();
        Got::body_only(body)
    }
}

pub struct Stream {
    connection: MultiplexedConnection,
    name: String,
    last: String,
}

impl End for Stream {
    const SERVER: &'static str = "redis";
    const ALLOWED: Option<&'static str> = Some("allowed");
    const HAS_ATTRIBUTES: bool = true;
    const IS_DURABLE: bool = true;
    const SURVIVES_KILL: bool = true;
    const CAN_BE_CUT: bool = true;

    fn settings(access: &Access, name: &str) -> Value {
        let mut settings = settings(access);
        settings["stream"] = json!(name);
        settings["maxlen"] = json!(100_000);
        settings
    }

    async fn listen(server: &Server, name: &str) -> Self {
        Self {
            connection: client(server)
                .get_multiplexed_async_connection()
                .await
                .unwrap(),
            name: name.to_owned(),
            last: "0".to_owned(),
        }
    }

    async fn next(&mut self) -> Got {
        let options = StreamReadOptions::default().count(1).block(0);
        let read = self
            .connection
            .xread_options(&[&self.name], &[&self.last], &options)
            .await;
        let Ok::<StreamReadReply, _>(reply) = read else {
            return pending().await;
        };
        let entry = &reply.keys[0].ids[0];
        self.last.clone_from(&entry.id);
        let field = |value: &redis::Value| redis::from_redis_value::<Vec<u8>>(value).unwrap();
        let text = |value: &redis::Value| String::from_utf8(field(value)).unwrap();
        let mut attributes: BTreeMap<_, _> = entry
            .map
            .iter()
            .filter(|(name, _)| *name != "data")
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        Got {
            body: field(&entry.map["data"]),
            content_type: attributes.remove("datacontenttype").unwrap(),
            attributes,
        }
    }
}

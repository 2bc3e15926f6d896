//! NATS as a subscriber of a subject and as a reader of a JetStream stream.

use std::{collections::BTreeMap, future::pending};

use crate::servers::Server;
use async_nats::{
    Client, ConnectOptions, HeaderMap, Subscriber,
    jetstream::{
        self,
        consumer::{AckPolicy, pull},
        stream,
    },
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::{Access, End, Got};

async fn client(server: &Server) -> Client {
    ConnectOptions::new()
        .user_and_password(server.user.clone(), server.password.clone())
        .connect(format!("nats://127.0.0.1:{}", server.port))
        .await
        .unwrap()
}

fn settings(access: &Access, name: &str) -> Value {
    let mut settings = json!({
        "kind": "nats",
        "url": access.url("nats", "tls"),
        "username": access.user,
        "password": access.password,
        "subject": name,
    });
    if let Some(ca) = &access.ca {
        settings["ca"] = json!(ca);
    }
    settings
}

fn got(body: &[u8], headers: &HeaderMap) -> Got {
    let mut got = Got {
        body: body.to_vec(),
        content_type: String::new(),
        attributes: BTreeMap::new(),
    };
    for (name, values) in headers.iter() {
        let value = values[0].as_str().to_owned();
        let name: &str = name.as_ref();
        match name.strip_prefix("ce-") {
            Some(name) => drop(got.attributes.insert(name.to_owned(), value)),
            None if name == "content-type" => got.content_type = value,
            None => {}
        }
    }
    got
}

pub struct Core(
    Subscriber,
    #[expect(dead_code, reason = "kept open")] Client,
);

impl End for Core {
    const SERVER: &'static str = "nats";
    const ALLOWED: Option<&'static str> = Some("allowed.");
    const HAS_ATTRIBUTES: bool = true;
    const IS_DURABLE: bool = false;
    const SURVIVES_KILL: bool = false;
    const CAN_BE_CUT: bool = true;

    fn settings(access: &Access, name: &str) -> Value {
        settings(access, name)
    }

    async fn listen(server: &Server, name: &str) -> Self {
        let client = client(server).await;
        let subscriber = client.subscribe(name.to_owned()).await.unwrap();
        // The server has the subscription once it answers what comes after it.
        let nobody = client.request(client.new_inbox(), "".into()).await;
        assert!(nobody.is_err());
        Self(subscriber, client)
    }

    async fn next(&mut self) -> Got {
        let message = self.0.next().await.unwrap();
        got(&message.payload, &message.headers.unwrap_or_default())
    }
}

pub struct JetStream(pull::Stream);

impl End for JetStream {
    const SERVER: &'static str = "nats";
    const ALLOWED: Option<&'static str> = Some("allowed.");
    const HAS_ATTRIBUTES: bool = true;
    const IS_DURABLE: bool = true;
    const SURVIVES_KILL: bool = true;
    const CAN_BE_CUT: bool = true;

    fn settings(access: &Access, name: &str) -> Value {
        let mut settings = settings(access, name);
        settings["jetstream"] = json!(true);
        settings
    }

    async fn listen(server: &Server, name: &str) -> Self {
        let context = jetstream::new(client(server).await);
        let config = stream::Config {
            name: name.replace('.', "-"),
            subjects: vec![name.to_owned()],
            ..stream::Config::default()
        };
        let stream = context.get_or_create_stream(config).await.unwrap();
        let consumer = stream
            .create_consumer(pull::Config {
                ack_policy: AckPolicy::None,
                ..pull::Config::default()
            })
            .await
            .unwrap();
        Self(consumer.messages().await.unwrap())
    }

    async fn next(&mut self) -> Got {
        let Some(Ok(message)) = self.0.next().await else {
            return pending().await;
        };
        got(
            &message.payload,
            message.headers.as_ref().unwrap_or(&HeaderMap::new()),
        )
    }
}

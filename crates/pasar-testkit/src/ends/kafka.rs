//! Kafka as a reader of a topic with one partition.

use std::{collections::VecDeque, future::pending, time::Duration};

use crate::servers::Server;
use rskafka::{
    client::{
        Client, ClientBuilder, Credentials, SaslConfig,
        error::{Error, ProtocolError},
        partition::{PartitionClient, UnknownTopicHandling},
    },
    record::Record,
};
use serde_json::{Value, json};

use super::{Access, End, Got};

pub struct Topic {
    reader: PartitionClient,
    next: i64,
    read: VecDeque<Record>,
}

const TIMEOUT_MS: i32 = 10_000;
/// rskafka asks again without end where a broker does not answer.
const LISTENS_WITHIN: Duration = Duration::from_mins(1);

async fn client(server: &Server) -> Client {
    let credentials = Credentials::new(server.user.clone(), server.password.clone());
    ClientBuilder::new(vec![format!("127.0.0.1:{}", server.port)])
        .sasl_config(SaslConfig::Plain(credentials))
        .build()
        .await
        .unwrap()
}

impl Topic {
    /// Made unless it is there.
    async fn of(server: &Server, name: &str) -> Self {
        let client = client(server).await;
        let made = client
            .controller_client()
            .unwrap()
            .create_topic(name, 1, 1, TIMEOUT_MS)
            .await;
        match made {
            Ok(())
            | Err(Error::ServerError {
                protocol_error: ProtocolError::TopicAlreadyExists,
                ..
            }) => {}
            Err(error) => panic!("{error}"),
        }
        let reader = client.partition_client(name, 0, UnknownTopicHandling::Retry);
        Self {
            reader: reader.await.unwrap(),
            next: 0,
            read: VecDeque::new(),
        }
    }
}

impl End for Topic {
    const SERVER: &'static str = "kafka";
    const ALLOWED: Option<&'static str> = None;
    const HAS_ATTRIBUTES: bool = true;
    const IS_DURABLE: bool = true;
    const SURVIVES_KILL: bool = true;
    /// The broker names its own address, past any wire.
    const CAN_BE_CUT: bool = false;

    fn settings(access: &Access, name: &str) -> Value {
        let mut settings = json!({
            "kind": "kafka",
            "brokers": [format!("{}:{}", access.host, access.port)],
            "tls": access.is_tls,
            "username": access.user,
            "password": access.password,
            "topic": name,
        });
        if let Some(ca) = &access.ca {
            settings["ca"] = json!(ca);
        }
        settings
    }

    async fn listen(server: &Server, name: &str) -> Self {
        let listening = tokio::time::timeout(LISTENS_WITHIN, Self::of(server, name));
        listening.await.expect("Kafka answers")
    }

    async fn next(&mut self) -> Got {
        while self.read.is_empty() {
            let fetched = self.reader.fetch_records(self.next, 1..4_000_000, 500);
            let Ok((records, _)) = fetched.await else {
                return pending().await;
            };
            for it in records {
                self.next = it.offset + 1;
                self.read.push_back(it.record);
            }
        }
        let record = self.read.pop_front().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let attributes = record
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("ce_")?.to_owned(), text(value))));
        Got {
            content_type: text(&record.headers["content-type"]),
            attributes: attributes.collect(),
            body: record.value.unwrap_or_default(),
        }
    }
}

//! A Kafka cluster that was found: its topics, and their partitions.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rskafka::{
    BackoffConfig,
    client::{Client, ClientBuilder, SaslConfig, partition::UnknownTopicHandling},
};
use rustls::ClientConfig;
use tokio::time::Instant;

use super::{failure::About, partition::Partition, partitioner, proxy::Proxy};
use crate::{
    destination::{Network, Next, Parcel, Sent},
    destinations::{
        broker::{failed, unreachable},
        link::Link,
    },
};

/// Topics of one destination that are known at once; beyond that all are looked up again.
const MAX_TOPICS: usize = 1_000;
/// How long the number of partitions is believed, as in Kafka's own clients (`metadata.max.age.ms`).
const TOPIC_AGE: Duration = Duration::from_secs(5 * 60);
/// rskafka tries again for so long where a connection broke: long enough to replace one that Kafka closed as
/// idle, short enough that an outage is seen as one.
const TRY_AGAIN: BackoffConfig = BackoffConfig {
    init_backoff: Duration::from_millis(10),
    max_backoff: Duration::from_millis(40),
    base: 2.0,
    deadline: Some(Duration::from_millis(60)),
};

pub(crate) struct Bootstrap {
    pub(super) brokers: Vec<String>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) sasl: Option<SaslConfig>,
    pub(super) username: Option<String>,
}

impl Bootstrap {
    pub(super) async fn connect(&self, network: &Network) -> Result<Cluster, Sent> {
        let proxy = Proxy::start(network)
            .await
            .map_err(|error| unreachable(format!("no port for a connection: {error}")))?;
        let mut builder = ClientBuilder::new(self.brokers.clone())
            .client_id("pasar")
            .socks5_proxy(proxy.address())
            .backoff_config(TRY_AGAIN);
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(Arc::clone(tls));
        }
        if let Some(sasl) = &self.sasl {
            builder = builder.sasl_config(sasl.clone());
        }
        let client = Box::pin(builder.build()).await.map_err(|error| {
            About {
                topic: "",
                username: self.username.as_deref(),
                proxy: &proxy,
            }
            .failure(&error)
        })?;
        Ok(Cluster {
            client,
            proxy,
            username: self.username.clone(),
            network: network.clone(),
            topics: Mutex::default(),
        })
    }
}

pub(super) struct Cluster {
    client: Client,
    proxy: Proxy,
    username: Option<String>,
    network: Network,
    topics: Mutex<HashMap<String, Arc<Link<Topic>>>>,
}

struct Topic {
    partitions: Vec<(i32, Link<Partition>)>,
    /// Whose turn it is for a record without a key.
    turn: AtomicUsize,
    read_at: Instant,
}

impl Cluster {
    /// Resolves once all replicas in sync have the record.
    pub(super) async fn produce(
        &self,
        name: &str,
        partition: Option<i32>,
        parcel: &Parcel,
    ) -> Result<Sent, Sent> {
        let link = self.link(name);
        let topic = link
            .get(self.network.connect_timeout, Topic::is_fresh, async || {
                self.topic(name).await
            })
            .await?;
        let (id, link) = topic
            .pick(partition, parcel.message.key.as_deref())
            .ok_or_else(|| {
                failed(
                    format!("the topic {name} has no such partition; correct partition"),
                    Next::Retry,
                )
            })?;
        let open = async || Box::pin(self.partition(name, *id)).await;
        let partition = link
            .get(self.network.connect_timeout, Partition::is_open, open)
            .await?;
        let timeout = self.network.attempt_timeout;
        let sent = tokio::time::timeout(timeout, partition.produce(parcel))
            .await
            .map_err(|_| timed_out(timeout))
            .and_then(|result| result.map_err(|error| self.about(name).failure(&error)));
        if matches!(sent, Err(Sent::Unreachable(_))) {
            link.forget(&partition).await;
        }
        sent
    }

    fn about<'a>(&'a self, topic: &'a str) -> About<'a> {
        About {
            topic,
            username: self.username.as_deref(),
            proxy: &self.proxy,
        }
    }

    fn link(&self, name: &str) -> Arc<Link<Topic>> {
        let mut topics = self.topics.lock();
        if let Some(link) = topics.get(name) {
            return Arc::clone(link);
        }
        if topics.len() >= MAX_TOPICS {
            topics.clear();
        }
        Arc::clone(topics.entry(name.to_owned()).or_default())
    }

    async fn topic(&self, name: &str) -> Result<Topic, Sent> {
        let mut topics = self
            .list()
            .await
            .map_err(|error| self.about(name).failure(&error))?;
        if !topics.contains_key(name) {
            // Asking about it makes it, where the cluster is set so.
            let asked = self
                .client
                .partition_client(name, 0, UnknownTopicHandling::Error)
                .await;
            if let Err(error) = asked {
                return Err(self.about(name).failure(&error));
            }
            topics = self
                .list()
                .await
                .map_err(|error| self.about(name).failure(&error))?;
        }
        let Some(partitions) = topics.remove(name).filter(|list| !list.is_empty()) else {
            return Err(self.about(name).no_topic());
        };
        Ok(Topic {
            partitions: partitions
                .into_iter()
                .map(|id| (id, Link::default()))
                .collect(),
            turn: AtomicUsize::new(0),
            read_at: Instant::now(),
        })
    }

    async fn list(&self) -> Result<HashMap<String, Vec<i32>>, rskafka::client::error::Error> {
        let topics = self.client.list_topics().await?;
        let sorted = |topic: rskafka::topic::Topic| {
            (topic.name, topic.partitions.into_iter().collect::<Vec<_>>())
        };
        let mut topics: HashMap<_, _> = topics.into_iter().map(sorted).collect();
        for partitions in topics.values_mut() {
            partitions.sort_unstable();
        }
        Ok(topics)
    }

    async fn partition(&self, name: &str, id: i32) -> Result<Partition, Sent> {
        let client = self
            .client
            .partition_client(name, id, UnknownTopicHandling::Error)
            .await
            .map_err(|error| self.about(name).failure(&error))?;
        Ok(Partition::start(client, &self.network))
    }
}

fn timed_out(timeout: Duration) -> Sent {
    unreachable(format!(
        "no acknowledgement within {} ms",
        timeout.as_millis()
    ))
}

impl Topic {
    fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < TOPIC_AGE
    }

    fn pick(&self, fixed: Option<i32>, key: Option<&str>) -> Option<&(i32, Link<Partition>)> {
        let count = self.partitions.len();
        match (fixed, key) {
            (Some(id), _) => self.partitions.iter().find(|(other, _)| *other == id),
            (None, Some(key)) => self
                .partitions
                .get(partitioner::place(key.as_bytes(), count)),
            (None, None) => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                self.partitions.get(turn % count)
            }
        }
    }
}

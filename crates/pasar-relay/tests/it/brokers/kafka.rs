use std::collections::BTreeMap;

use futures_util::future::join_all;
use pasar_relay::{
    destination::{Next, Sent},
    destinations::kafka::Kafka,
};
use pasar_testkit::{probe::soon, servers::Server};
use rskafka::{
    client::{Client, ClientBuilder, Credentials, SaslConfig, partition::UnknownTopicHandling},
    record::Record,
};
use serde_json::{Value, json};

use super::*;

const NAME: &str = "kafka";

async fn client(server: &Server) -> Client {
    let credentials = Credentials::new(server.user.clone(), server.password.clone());
    ClientBuilder::new(vec![format!("127.0.0.1:{}", server.port)])
        .sasl_config(SaslConfig::Plain(credentials))
        .build()
        .await
        .unwrap()
}

async fn make_topic(server: &Server, name: &str, partitions: i32) {
    let controller = client(server).await.controller_client().unwrap();
    controller
        .create_topic(name, partitions, 1, 10_000)
        .await
        .unwrap();
}

/// All records of a partition, once there are so many.
async fn records(server: &Server, topic: &str, partition: i32, count: usize) -> Vec<Record> {
    let reader = client(server)
        .await
        .partition_client(topic, partition, UnknownTopicHandling::Retry)
        .await
        .unwrap();
    let mut all = Vec::new();
    let reading = async {
        while all.len() < count {
            let next = i64::try_from(all.len()).unwrap();
            let (some, _) = reader.fetch_records(next, 1..4_000_000, 500).await.unwrap();
            all.extend(some.into_iter().map(|it| it.record));
        }
    };
    soon("records", reading).await;
    all
}

fn got(record: &Record) -> Got {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Got {
        body: record.value.clone().unwrap().into(),
        content_type: text(&record.headers["content-type"]),
        attributes: record
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("ce_")?.to_owned(), text(value))))
            .collect(),
    }
}

fn settings(server: &Server, more: &Value) -> Value {
    let mut settings = json!({
        "kind": NAME,
        "brokers": [format!("127.0.0.1:{}", server.port)],
        "username": server.user,
        "password": server.password,
    });
    settings.as_object_mut().unwrap().extend(object(more));
    settings
}

#[tokio::test]
async fn a_message_becomes_a_record_over_tls_with_its_attributes() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let topic = fresh("shop");
    make_topic(&server, &topic, 1).await;
    let encrypted = json!({
        "brokers": [format!("localhost:{}", server.tls_port)],
        "tls": true,
        "ca": server.ca,
        "topic": topic,
    });
    let destination = open(&Kafka, &settings(&server, &encrypted));
    let sent = destination
        .send(&raw("msg-1", Some("room-1"), "halo"))
        .await;
    let said = Some("partition 0, offset 0".to_owned());
    assert_eq!(
        sent,
        Sent::Delivered {
            status: None,
            detail: said
        }
    );
    let records = records(&server, &topic, 0, 1).await;
    assert_eq!(records[0].key.as_deref(), Some(b"room-1".as_slice()));
    assert_eq!(records[0].timestamp.timestamp_micros(), NOW.as_micros());
    assert_is_raw_halo(&got(&records[0]));
}

#[tokio::test]
async fn a_wrong_mechanism_topic_or_partition_is_named() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let topic = fresh("known");
    make_topic(&server, &topic, 2).await;
    let parcel = raw("msg-1", None, "halo");
    for (wrong, said) in [
        (
            json!({"sasl": "SCRAM-SHA-512"}),
            "correct username, password and sasl",
        ),
        (
            json!({"topic": "no-such-topic"}),
            "there is no topic no-such-topic; create it",
        ),
        (json!({"partition": 2}), "has no such partition"),
    ] {
        let mut wrong = wrong;
        if wrong.get("topic").is_none() {
            wrong["topic"] = topic.as_str().into();
        }
        let destination = open(&Kafka, &settings(&server, &wrong));
        let (detail, next) = failed(destination.send(&parcel).await);
        assert!(detail.contains(said), "{detail}");
        assert_eq!(next, Next::Retry);
    }
}

#[tokio::test]
async fn keys_keep_their_partition_and_order_and_records_without_one_are_spread() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let topic = fresh("keys");
    make_topic(&server, &topic, 3).await;
    let destination = open(&Kafka, &settings(&server, &json!({"topic": topic})));
    let parcels: Vec<_> = (0..600)
        .map(|index| {
            let key = (index % 2 == 0).then(|| format!("key-{}", index % 14));
            raw(&format!("msg-{index}"), key.as_deref(), &index.to_string())
        })
        .collect();
    let sent = join_all(parcels.iter().map(|parcel| destination.send(parcel))).await;
    let mut counts = [0; 3];
    for sent in &sent {
        let Sent::Delivered {
            detail: Some(detail),
            ..
        } = sent
        else {
            panic!("{sent:?}");
        };
        let partition = detail.strip_prefix("partition ").unwrap()[..1].parse::<usize>();
        counts[partition.unwrap()] += 1;
    }
    let mut last: BTreeMap<Vec<u8>, (i32, u32)> = BTreeMap::new();
    let mut without_key = [0; 3];
    for partition in 0..3 {
        let place = usize::try_from(partition).unwrap();
        for record in records(&server, &topic, partition, counts[place]).await {
            let Some(key) = record.key else {
                without_key[place] += 1;
                continue;
            };
            let text = String::from_utf8(record.value.unwrap()).unwrap();
            let index: u32 = text.parse().unwrap();
            if let Some((other, before)) = last.insert(key, (partition, index)) {
                assert_eq!(other, partition);
                assert!(before < index, "{before} stands before {index}");
            }
        }
    }
    assert_eq!(last.len(), 7);
    assert_eq!(without_key, [100; 3]);
}

#[test]
fn settings_that_cannot_work_are_refused_by_their_field() {
    let good = json!({"brokers": ["kafka.example:9093"], "topic": "shop.{topic}", "tls": true,
        "username": "shop", "password": "hunter2", "sasl": "SCRAM-SHA-256"});
    Kafka.check(&object(&good)).unwrap();
    for (change, pointer) in [
        (json!({"brokers": []}), "/brokers"),
        (
            json!({"brokers": ["kafka.example:1", "kafka.example"]}),
            "/brokers/1",
        ),
        (json!({"brokers": ["a:b@kafka.example:1"]}), "/brokers/0"),
        (json!({"topic": "shop {topic}"}), "/topic"),
        (json!({"topic": "{key}"}), "/topic"),
        (json!({"sasl": "GSSAPI"}), "/sasl"),
        (json!({"ca": "not PEM"}), "/ca"),
        (json!({"partition": -1}), "/partition"),
        (json!({"username": null}), "/username"),
        (json!({"password": null}), "/password"),
    ] {
        let mut settings = object(&good);
        settings.extend(object(&change));
        let error = Kafka.check(&settings).unwrap_err();
        assert_eq!(error.pointer, pointer);
        assert!(!error.to_string().contains("hunter2"));
    }
}

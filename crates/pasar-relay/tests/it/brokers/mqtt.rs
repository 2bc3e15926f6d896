use std::time::Duration;

use pasar_contracts::api::relay::Format;
use pasar_relay::{destination::Next, destinations::mqtt::Mqtt};
use pasar_testkit::{probe::soon, servers::Server};
use rumqttc::v5::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions, mqttbytes::QoS, mqttbytes::v5::Publish,
};
use serde_json::{Value, json};

use super::*;

const NAME: &str = "mosquitto";

struct Reader {
    events: EventLoop,
    _client: AsyncClient,
}

impl Reader {
    async fn of(server: &Server, filter: &str) -> Self {
        let mut options = MqttOptions::new(fresh("reader"), "127.0.0.1", server.port);
        options.set_credentials(server.user.clone(), server.password.clone());
        options.set_keep_alive(Duration::from_secs(5));
        let (client, events) = AsyncClient::new(options, 100);
        client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        let mut reader = Self {
            events,
            _client: client,
        };
        let subscribed = reader.incoming(|incoming| match incoming {
            Incoming::SubAck(_) => Some(()),
            _ => None,
        });
        soon("a subscription", subscribed).await;
        reader
    }

    async fn incoming<T>(&mut self, wanted: impl Fn(Incoming) -> Option<T>) -> T {
        loop {
            if let Event::Incoming(incoming) = self.events.poll().await.unwrap()
                && let Some(found) = wanted(incoming)
            {
                return found;
            }
        }
    }

    async fn publish(&mut self) -> Publish {
        let coming = self.incoming(|incoming| match incoming {
            Incoming::Publish(publish) => Some(publish),
            _ => None,
        });
        soon("a publication", coming).await
    }

    async fn next(&mut self) -> Got {
        let publish = self.publish().await;
        let properties = publish.properties.unwrap_or_default();
        Got {
            body: publish.payload,
            content_type: properties.content_type.unwrap_or_default(),
            attributes: properties.user_properties.into_iter().collect(),
        }
    }
}

fn settings(server: &Server, more: &Value) -> Value {
    let mut settings = json!({
        "kind": "mqtt",
        "url": format!("mqtt://127.0.0.1:{}", server.port),
        "username": server.user,
        "password": server.password,
    });
    settings.as_object_mut().unwrap().extend(object(more));
    settings
}

#[tokio::test]
async fn a_message_reaches_a_topic_over_tls_with_its_attributes() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let stem = fresh("shop");
    let mut reader = Reader::of(&server, &format!("{stem}/#")).await;
    let encrypted = json!({
        "url": format!("mqtts://localhost:{}", server.tls_port),
        "ca": server.ca,
        "topic": format!("{stem}/{{topic}}/{{key}}"),
    });
    let destination = open(&Mqtt, &settings(&server, &encrypted));
    assert_delivered(
        &destination
            .send(&raw("msg-1", Some("room-1"), "halo"))
            .await,
    );
    assert_is_raw_halo(&reader.next().await);
    let whole = parcel(message("msg-2", Some("a/+b"), "halo"), Format::Cloudevents);
    assert_delivered(&destination.send(&whole).await);
    let publish = reader.publish().await;
    assert_eq!(
        &publish.topic[..],
        format!("{stem}/client/a%2F%2Bb").as_bytes()
    );
    assert_eq!(
        publish.properties.unwrap().content_type.as_deref(),
        Some("application/cloudevents+json")
    );
}

#[tokio::test]
async fn an_older_broker_gets_the_body_and_keeps_the_last() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let topic = fresh("old");
    let older = json!({"version": "3.1.1", "topic": topic, "retain": true});
    let destination = open(&Mqtt, &settings(&server, &older));
    assert_delivered(&destination.send(&raw("msg-1", None, "halo")).await);
    let mut reader = Reader::of(&server, &topic).await;
    let publish = reader.publish().await;
    assert_eq!(&publish.payload[..], b"halo");
    assert!(publish.retain);
}

#[tokio::test]
async fn an_older_broker_refuses_a_login_too() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let parcel = raw("msg-1", None, "halo");
    let wrong = json!({"password": "hunter2", "version": "3.1.1", "topic": "any"});
    let destination = open(&Mqtt, &settings(&server, &wrong));
    let (detail, next) = failed(destination.send(&parcel).await);
    assert!(detail.contains("correct username and password"), "{detail}");
    assert_eq!(next, Next::Retry);
}

#[tokio::test]
async fn a_limit_that_the_broker_cannot_tell_can_be_set() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let topic = fresh("large");
    let mut reader = Reader::of(&server, &topic).await;
    {
        let with_limit = json!({"max_packet_bytes": 1_000_000, "version": "3.1.1", "topic": topic});
        let destination = open(&Mqtt, &settings(&server, &with_limit));
        let large = raw("msg-large", None, &"x".repeat(2 * 1024 * 1024));
        let small = raw("msg-small", None, "halo");
        let (large, small) = tokio::join!(destination.send(&large), destination.send(&small));
        let (detail, next_step) = failed(large);
        assert!(detail.contains("larger"), "{detail}");
        assert_eq!(next_step, Next::Never);
        assert_delivered(&small);
        assert_eq!(&reader.next().await.body[..], b"halo");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_by_their_field() {
    let good = json!({"url": "mqtt://mqtt.example", "topic": "shop/{topic}", "password": "hunter2",
        "username": "shop"});
    Mqtt.check(&object(&good)).unwrap();
    for (change, pointer) in [
        (json!({"url": "amqp://mqtt.example"}), "/url"),
        (json!({"topic": "shop/#"}), "/topic"),
        (json!({"topic": "shop/+/x"}), "/topic"),
        (json!({"topic": "shop/{id}"}), "/topic"),
        (json!({"version": "4"}), "/version"),
        (json!({"max_packet_bytes": 0}), "/max_packet_bytes"),
        (json!({"username": null}), "/username"),
        (json!({"qos": 2}), "/qos"),
    ] {
        let mut settings = object(&good);
        settings.extend(object(&change));
        let error = Mqtt.check(&settings).unwrap_err();
        assert_eq!(error.pointer, pointer);
        assert!(!error.to_string().contains("hunter2"));
    }
}

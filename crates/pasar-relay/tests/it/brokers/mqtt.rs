use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use pasar_contracts::api::relay::Format;
use pasar_relay::{
    destination::{Next, Sent},
    destinations::mqtt::Mqtt,
};
use pasar_testkit::{
    probe::soon,
    servers::{Server, Wire},
};
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
async fn a_wrong_certificate_password_or_topic_is_named() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let parcel = raw("msg-1", None, "halo");
    for (wrong, said) in [
        (
            json!({"url": format!("mqtts://localhost:{}", server.tls_port), "ca": server.other_ca}),
            "give the certificate of the authority that signed it as ca",
        ),
        (
            json!({"password": "not-it-hunter2"}),
            "correct username and password",
        ),
        (
            json!({"password": "not-it-hunter2", "version": "3.1.1"}),
            "correct username and password",
        ),
        (
            json!({"username": server.limited_user}),
            "limited may not publish to forbidden",
        ),
    ] {
        let mut wrong = wrong;
        wrong["topic"] = "forbidden".into();
        let destination = open(&Mqtt, &settings(&server, &wrong));
        let (detail, next) = failed(destination.send(&parcel).await);
        assert!(detail.contains(said), "{detail}");
        assert!(!detail.contains("hunter2"), "{detail}");
        assert_eq!(next, Next::Retry);
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_never_tried_again_and_hurts_no_other() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let topic = fresh("large");
    let mut reader = Reader::of(&server, &topic).await;
    for limit in [json!({}), json!({"max_packet_bytes": 1_000_000})] {
        let mut with_limit = limit;
        with_limit["topic"] = topic.as_str().into();
        let destination = open(&Mqtt, &settings(&server, &with_limit));
        let large = raw("msg-large", None, &"x".repeat(2 * 1024 * 1024));
        let small = raw("msg-small", None, "halo");
        let (large, small) = tokio::join!(destination.send(&large), destination.send(&small));
        let (detail, next_step) = failed(large);
        assert!(detail.contains("so large"), "{detail}");
        assert_eq!(next_step, Next::Never);
        assert_delivered(&small);
        assert_eq!(&reader.next().await.body[..], b"halo");
    }
}

#[tokio::test]
async fn many_at_once_each_get_their_own_answer() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let topic = fresh("many");
    let mut reader = Reader::of(&server, &topic).await;
    let destination = open(&Mqtt, &settings(&server, &json!({"topic": topic})));
    let parcels: Vec<_> = (0..500)
        .map(|index| raw(&format!("msg-{index}"), None, &index.to_string()))
        .collect();
    let sending = join_all(parcels.iter().map(|parcel| destination.send(parcel)));
    let reading = async {
        let mut came = BTreeSet::new();
        while came.len() < 500 {
            came.insert(reader.next().await.body);
        }
    };
    let (sent, ()) = tokio::join!(sending, reading);
    sent.iter().for_each(assert_delivered);
}

#[tokio::test]
async fn a_wire_that_is_cut_leaves_no_message_without_an_answer() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let wire = Wire::to(server.port).await;
    let topic = fresh("cut");
    let through = json!({"url": format!("mqtt://127.0.0.1:{}", wire.port()), "topic": topic});
    let destination = open(&Mqtt, &settings(&server, &through));
    assert_delivered(&destination.send(&raw("msg-0", None, "0")).await);
    let parcels: Vec<_> = (0..300)
        .map(|index| raw(&format!("msg-{index}"), None, &"x".repeat(20_000)))
        .collect();
    let sending = join_all(parcels.iter().map(|parcel| destination.send(parcel)));
    let cutting = async {
        tokio::task::yield_now().await;
        wire.cut();
    };
    let (sent, ()) = soon("answers to all", async { tokio::join!(sending, cutting) }).await;
    let lost = sent
        .iter()
        .filter(|sent| matches!(sent, Sent::Unreachable(_)))
        .count();
    let delivered = sent
        .iter()
        .filter(|sent| matches!(sent, Sent::Delivered { .. }))
        .count();
    assert!(lost > 0, "nothing was lost");
    assert_eq!(lost + delivered, 300, "{sent:?}");
    wire.mend();
    assert_delivered(&destination.send(&raw("msg-1", None, "1")).await);
}

#[tokio::test]
async fn a_server_that_is_down_is_unreachable_at_once_and_found_again() {
    let Some(server) = Server::alone(NAME).await else {
        return;
    };
    let destination = open(
        &Mqtt,
        &settings(&server, &json!({"topic": fresh("outage")})),
    );
    assert_delivered(&destination.send(&raw("msg-1", None, "before")).await);
    server.stop().await;
    for _ in 0..3 {
        let parcel = raw("msg-2", None, "while down");
        let sent = soon("an answer", destination.send(&parcel)).await;
        assert!(matches!(sent, Sent::Unreachable(_)), "{sent:?}");
    }
    server.start().await;
    assert_delivered(&destination.send(&raw("msg-3", None, "after")).await);
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

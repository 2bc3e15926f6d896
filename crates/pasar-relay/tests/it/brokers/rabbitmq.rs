use futures_util::{StreamExt as _, future::join_all};
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer, ExchangeKind,
    options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use pasar_relay::{destination::Next, destinations::rabbitmq::RabbitMq};
use pasar_testkit::{probe::soon, servers::Server};
use serde_json::{Value, json};

use super::*;

const NAME: &str = "rabbitmq";

struct Reader {
    channel: Channel,
    _connection: Connection,
}

impl Reader {
    async fn of(server: &Server) -> Self {
        let uri = format!(
            "amqp://{}:{}@127.0.0.1:{}/%2f",
            server.user, server.password, server.port
        );
        let connection = Connection::connect(&uri, ConnectionProperties::default())
            .await
            .unwrap();
        Self {
            channel: connection.create_channel().await.unwrap(),
            _connection: connection,
        }
    }

    async fn queue(&self, name: &str) -> Consumer {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        self.channel
            .queue_declare(name.into(), options, FieldTable::default())
            .await
            .unwrap();
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        self.channel
            .basic_consume(name.into(), "".into(), options, FieldTable::default())
            .await
            .unwrap()
    }

    async fn exchange(&self, name: &str) {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        self.channel
            .exchange_declare(
                name.into(),
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            )
            .await
            .unwrap();
    }

    async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        self.channel
            .queue_bind(
                queue.into(),
                exchange.into(),
                key.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
    }
}

async fn next(consumer: &mut Consumer) -> Got {
    let delivery = soon("a delivery", consumer.next()).await.unwrap().unwrap();
    assert_eq!(delivery.properties.delivery_mode(), &Some(2));
    let headers = delivery.properties.headers().clone().unwrap_or_default();
    Got {
        content_type: delivery
            .properties
            .content_type()
            .clone()
            .unwrap()
            .to_string(),
        attributes: headers
            .inner()
            .iter()
            .filter_map(|(name, value)| {
                let name = name.as_str().strip_prefix("cloudEvents:")?;
                Some((name.to_owned(), value.as_long_string()?.to_string()))
            })
            .collect(),
        body: delivery.data.into(),
    }
}

fn settings(server: &Server, more: &Value) -> Value {
    let mut settings = json!({
        "kind": NAME,
        "url": format!("amqp://127.0.0.1:{}", server.port),
        "username": server.user,
        "password": server.password,
    });
    settings.as_object_mut().unwrap().extend(object(more));
    settings
}

#[tokio::test]
async fn a_message_reaches_a_queue_over_tls_with_its_attributes() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let (queue, exchange) = (fresh("queue"), fresh("exchange"));
    let reader = Reader::of(&server).await;
    let mut consumer = reader.queue(&queue).await;
    reader.exchange(&exchange).await;
    reader.bind(&queue, &exchange, "client.room-1").await;
    let encrypted = json!({
        "url": format!("amqps://localhost:{}", server.tls_port),
        "ca": server.ca,
        "exchange": exchange,
        "routing_key": "{topic}.{key}",
    });
    let destination = open(&RabbitMq, &settings(&server, &encrypted));
    assert_delivered(
        &destination
            .send(&raw("msg-1", Some("room-1"), "halo"))
            .await,
    );
    assert_is_raw_halo(&next(&mut consumer).await);
}

#[tokio::test]
async fn a_vhost_exchange_or_queue_that_is_missing_is_named() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let parcel = raw("msg-1", None, "halo");
    for (wrong, said) in [
        (json!({"vhost": "nowhere"}), "correct vhost"),
        (
            json!({"exchange": "no-such-exchange"}),
            "create it, or correct exchange",
        ),
        (
            json!({"queue": "no-such-queue"}),
            "create it, or correct queue",
        ),
    ] {
        let mut wrong = wrong;
        if wrong.get("exchange").is_none() && wrong.get("queue").is_none() {
            wrong["queue"] = "any".into();
        }
        let destination = open(&RabbitMq, &settings(&server, &wrong));
        let (detail, next) = failed(destination.send(&parcel).await);
        assert!(detail.contains(said), "{detail}");
        assert_eq!(next, Next::Retry);
    }
}

#[tokio::test]
async fn of_many_in_flight_exactly_the_unroutable_fail() {
    let Some(server) = Server::shared(NAME).await else {
        return;
    };
    let queue = fresh("routable");
    let reader = Reader::of(&server).await;
    let mut consumer = reader.queue(&queue).await;
    let destination = open(&RabbitMq, &settings(&server, &json!({"queue": "{key}"})));
    let parcels: Vec<_> = (0..400)
        .map(|index| {
            let key = if index % 5 == 3 { "nowhere" } else { &queue };
            raw(&format!("msg-{index}"), Some(key), &index.to_string())
        })
        .collect();
    let sent = join_all(parcels.iter().map(|parcel| destination.send(parcel))).await;
    let mut wanted = Vec::new();
    for (index, sent) in sent.into_iter().enumerate() {
        if index % 5 == 3 {
            assert!(failed(sent).0.starts_with("there is no queue nowhere"));
        } else {
            assert_delivered(&sent);
            wanted.push(index.to_string());
        }
    }
    let mut came = Vec::new();
    for _ in &wanted {
        came.push(String::from_utf8(next(&mut consumer).await.body.to_vec()).unwrap());
    }
    came.sort();
    wanted.sort();
    assert_eq!(came, wanted);
}

#[test]
fn settings_that_cannot_work_are_refused_by_their_field() {
    let good = json!({
        "url": "amqp://rabbit.example", "username": "shop", "password": "hunter2", "queue": "orders",
    });
    RabbitMq.check(&object(&good)).unwrap();
    for (change, pointer) in [
        (json!({"url": "http://rabbit.example"}), "/url"),
        (json!({"exchange": "shop"}), "/exchange"),
        (json!({"routing_key": "a"}), "/routing_key"),
        (json!({"queue": "{id}"}), "/queue"),
        (json!({"ca": "not PEM"}), "/ca"),
        (json!({"username": ""}), "/username"),
        (json!({"password": 7}), "/password"),
        (json!({"prefetch": 7}), "/prefetch"),
    ] {
        let mut settings = object(&good);
        settings.extend(object(&change));
        let error = RabbitMq.check(&settings).unwrap_err();
        assert_eq!(error.pointer, pointer);
        assert!(!error.to_string().contains("hunter2"));
    }
}

//! MQTT as a subscriber whose session outlives its connection.

use std::{collections::VecDeque, future::pending, time::Duration};

use crate::{probe::soon, servers::Server};
use rumqttc::v5::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{ConnectProperties, Publish},
    },
};
use serde_json::{Value, json};

use super::{Access, End, Got};

pub struct Topic {
    events: EventLoop,
    /// What came before the subscription was confirmed: the session goes on where it was.
    early: VecDeque<Got>,
    _client: AsyncClient,
}

const KEEP_ALIVE: Duration = Duration::from_secs(60);
const SESSION_S: u32 = 3_600;

impl End for Topic {
    const SERVER: &'static str = "mosquitto";
    const ALLOWED: Option<&'static str> = Some("allowed/");
    const HAS_ATTRIBUTES: bool = true;
    const IS_DURABLE: bool = true;
    /// What it keeps for a session is in memory, and on disk only when it ends.
    const SURVIVES_KILL: bool = false;
    const CAN_BE_CUT: bool = true;

    fn settings(access: &Access, name: &str) -> Value {
        let mut settings = json!({
            "kind": "mqtt",
            "url": access.url("mqtt", "mqtts"),
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
        let mut options = MqttOptions::new(name, "127.0.0.1", server.port);
        options.set_credentials(server.user.clone(), server.password.clone());
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_start(false);
        options.set_connect_properties(ConnectProperties {
            session_expiry_interval: Some(SESSION_S),
            ..ConnectProperties::new()
        });
        let (client, mut events) = AsyncClient::new(options, 10);
        client.subscribe(name, QoS::AtLeastOnce).await.unwrap();
        let mut early = VecDeque::new();
        soon("a subscription", async {
            loop {
                match events.poll().await.unwrap() {
                    Event::Incoming(Incoming::SubAck(_)) => break,
                    Event::Incoming(Incoming::Publish(publish)) => early.push_back(got(publish)),
                    _ => {}
                }
            }
        })
        .await;
        Self {
            events,
            early,
            _client: client,
        }
    }

    async fn next(&mut self) -> Got {
        if let Some(got) = self.early.pop_front() {
            return got;
        }
        while let Ok(event) = self.events.poll().await {
            if let Event::Incoming(Incoming::Publish(publish)) = event {
                return got(publish);
            }
        }
        pending().await
    }
}

fn got(publish: Publish) -> Got {
    let properties = publish.properties.unwrap_or_default();
    Got {
        body: publish.payload.to_vec(),
        content_type: properties.content_type.unwrap_or_default(),
        attributes: properties.user_properties.into_iter().collect(),
    }
}

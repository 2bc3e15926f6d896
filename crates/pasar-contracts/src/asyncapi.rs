//! What Pasar pushes and takes as messages, as an AsyncAPI 3.0 document: a channel a topic, a message a type. The
//! schemas are those of the types that are written and read.

use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    api::relay::{CloudEvent, DEFAULT_TOPIC, MessageInput},
    event::{Event, Service},
    events::{inventory, orders, payments, relay, users},
};

/// An event type as the document tells it.
pub(crate) struct Described {
    publisher: Service,
    event_type: &'static str,
    shape: Shape,
}

/// A type's schema, with those that it refers to.
struct Shape {
    name: String,
    schema: Value,
    others: Vec<(String, RefOr<Schema>)>,
}

const ABOUT: &str = "What Pasar pushes, and what it takes as messages. A channel is a topic of the relay: that of a \
    service has its events, `client` what clients post. Each is had as a subscription (a REST call, Redis, NATS, \
    RabbitMQ, Kafka, MQTT), as server-sent events at /v1/streams/{topic}, over the WebSocket /v1/ws and by gRPC. \
    Changes of an event are additive; any other is a new version beside the old one.";
const CLOUDEVENTS: &str = "application/cloudevents+json";
const JSON: &str = "application/json";

/// The document, but for where it is served.
#[must_use]
pub fn document(version: &str) -> Value {
    let mut parts = Parts::default();
    for event in [
        users::described(),
        inventory::described(),
        orders::described(),
        payments::described(),
        relay::described(),
    ]
    .into_iter()
    .flatten()
    {
        parts.event(event);
    }
    parts.client();
    parts.finish(version)
}

impl Described {
    pub(crate) fn of<E: Event + ToSchema>() -> Self {
        Self {
            publisher: E::PUBLISHER,
            event_type: E::TYPE,
            shape: Shape::of::<E>(),
        }
    }
}

impl Shape {
    fn of<T: ToSchema>() -> Self {
        let mut others = Vec::new();
        T::schemas(&mut others);
        Self {
            name: T::name().into_owned(),
            schema: json!(T::schema()),
            others,
        }
    }
}

#[derive(Default)]
struct Parts {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Parts {
    fn event(&mut self, event: Described) {
        let topic = event.publisher.as_str();
        let name = event.shape.name.clone();
        let about = event.shape.schema.get("description").cloned();
        let data = self.shape(event.shape);
        let mut message = json!({
            "name": event.event_type,
            "title": name,
            "contentType": CLOUDEVENTS,
            "payload": {"allOf": [
                {"$ref": "#/components/schemas/ServiceEvent"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": event.event_type},
                        "topic": {"const": topic},
                        "source": {"const": format!("/pasar/{topic}")},
                        "data": data,
                    },
                },
            ]},
        });
        if let Some(about) = about {
            message["summary"] = about;
        }
        self.channel(
            topic,
            &format!("What the service {topic} tells. Nobody can post here."),
        );
        self.operation(
            "send",
            topic,
            &format!("Pasar tells what happened in {topic}."),
        );
        self.message(topic, event.event_type, "send", message);
    }

    fn client(&mut self) {
        let topic = DEFAULT_TOPIC;
        let told = self.shape(Shape::of::<CloudEvent>());
        let given = self.shape(Shape::of::<MessageInput>());
        self.channel(
            topic,
            "What clients post without naming a topic. Other topics of their own are the same.",
        );
        self.operation(
            "send",
            topic,
            "Pasar passes a message on to all who want it.",
        );
        self.operation(
            "receive",
            topic,
            "A client posts a message, to POST /messages.",
        );
        let message = json!({
            "name": "message",
            "title": "Message",
            "summary": "A message, in the format that the subscription wants; this is `cloudevents`.",
            "contentType": CLOUDEVENTS,
            "payload": told,
        });
        self.message(topic, "message", "send", message);
        let input = json!({
            "name": "input",
            "title": "Message to post",
            "summary": "A message as it is posted. CloudEvents and lines of JSON are taken, too.",
            "contentType": JSON,
            "payload": given,
        });
        self.message(topic, "input", "receive", input);
    }

    /// Keeps a schema; answers what refers to it.
    fn shape(&mut self, shape: Shape) -> Value {
        let reference = json!({"$ref": format!("#/components/schemas/{}", shape.name)});
        self.schemas.insert(shape.name, shape.schema);
        for (name, schema) in shape.others {
            self.schemas.insert(name, json!(schema));
        }
        reference
    }

    fn channel(&mut self, topic: &str, about: &str) {
        self.channels
            .entry(topic)
            .or_insert_with(|| json!({"address": topic, "description": about, "messages": {}}));
    }

    fn operation(&mut self, action: &str, topic: &str, about: &str) {
        self.operations
            .entry(operation_of(action, topic))
            .or_insert_with(|| {
                json!({
                    "action": action,
                    "channel": {"$ref": format!("#/channels/{topic}")},
                    "summary": about,
                    "messages": [],
                })
            });
    }

    fn message(&mut self, topic: &str, name: &str, action: &str, message: Value) {
        self.messages.insert(name.to_owned(), message);
        self.channels[topic]["messages"][name] =
            json!({"$ref": format!("#/components/messages/{name}")});
        let listed = json!({"$ref": format!("#/channels/{topic}/messages/{name}")});
        if let Some(messages) =
            self.operations[&operation_of(action, topic)]["messages"].as_array_mut()
        {
            messages.push(listed);
        }
    }

    fn finish(mut self, version: &str) -> Value {
        self.schemas
            .insert("ServiceEvent".to_owned(), service_event());
        json!({
            "asyncapi": "3.0.0",
            "info": {"title": "Pasar", "version": version, "description": ABOUT},
            "defaultContentType": CLOUDEVENTS,
            "channels": self.channels,
            "operations": self.operations,
            "components": {"messages": self.messages, "schemas": self.schemas},
        })
    }
}

fn operation_of(action: &str, topic: &str) -> String {
    format!("{action}-{topic}")
}

/// What an event of a service carries beside what every message does.
fn service_event() -> Value {
    json!({
        "description": "An event of a service, as a structured CloudEvent.",
        "allOf": [
            {"$ref": "#/components/schemas/CloudEvent"},
            {
                "type": "object",
                "required": ["subject", "partitionkey", "keyversion", "epoch", "sequence", "data"],
                "properties": {
                    "subject": {"type": "string", "description": "What changed: its id."},
                    "partitionkey": {"type": "string", "description": "The same; the order of its events is kept."},
                    "keyversion": {"type": "integer", "minimum": 1, "description": "Counts its events, without a gap."},
                    "epoch": {"type": "string", "description": "Of the feed: another one after a restore."},
                    "sequence": {"type": "string", "description": "Its place in the feed, a decimal number."},
                    "causationid": {"type": "string", "description": "What caused it: an event, request, effect or timer."},
                    "traceparent": {"type": "string", "description": "W3C Trace Context."},
                },
            },
        ],
    })
}

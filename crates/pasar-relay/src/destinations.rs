//! The kinds of destinations there are. A new one is a file here and a line in [`KINDS`].

pub mod attributes;
pub mod broker;
pub mod guard;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod link;
#[cfg(feature = "mqtt")]
pub mod mqtt;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
#[cfg(feature = "redis")]
pub mod redis;
pub mod rest;
pub mod settings;
pub mod template;
pub mod tls;

mod http_client;

use crate::destination::Kind;

/// Every kind, by its name in the settings.
pub const KINDS: &[&dyn Kind] = &[
    &rest::Rest,
    #[cfg(feature = "redis")]
    &redis::Redis,
    #[cfg(feature = "nats")]
    &nats::Nats,
    #[cfg(feature = "rabbitmq")]
    &rabbitmq::RabbitMq,
    #[cfg(feature = "kafka")]
    &kafka::Kafka,
    #[cfg(feature = "mqtt")]
    &mqtt::Mqtt,
];

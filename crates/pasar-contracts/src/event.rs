//! What makes a type an event, and who publishes it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A fact that happened, as it stands in its publisher's feed.
pub trait Event: Serialize + DeserializeOwned {
    /// The wire type with its version (`stock.reserved.v1`). Never reused for another shape.
    const TYPE: &'static str;
    /// The service in whose feed it stands.
    const PUBLISHER: Service;
}

/// The services, by the names of their feeds, topics, databases and routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    Users,
    Inventory,
    Orders,
    Payments,
    Relay,
    Gateway,
}

impl Service {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Inventory => "inventory",
            Self::Orders => "orders",
            Self::Payments => "payments",
            Self::Relay => "relay",
            Self::Gateway => "gateway",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("expected one of users, inventory, orders, payments, relay, gateway; got {0:?}")]
pub struct UnknownService(String);

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(text: &str) -> Result<Self, UnknownService> {
        [
            Self::Users,
            Self::Inventory,
            Self::Orders,
            Self::Payments,
            Self::Relay,
            Self::Gateway,
        ]
        .into_iter()
        .find(|service| service.as_str() == text)
        .ok_or_else(|| UnknownService(text.chars().take(40).collect()))
    }
}

macro_rules! events {
    ($publisher:ident: $($event:ident = $wire:literal),* $(,)?) => {
        $(impl $crate::event::Event for $event {
            const TYPE: &'static str = $wire;
            const PUBLISHER: $crate::event::Service = $crate::event::Service::$publisher;
        })*

        /// Every wire type of this publisher.
        pub const TYPES: &[&str] = &[$($wire),*];

        pub(crate) fn described() -> Vec<$crate::asyncapi::Described> {
            vec![$($crate::asyncapi::Described::of::<$event>()),*]
        }
    };
}
pub(crate) use events;

//! What one reader wants to see, and may. Pure rules.

use pasar_types::id::UserId;
use serde::Deserialize;

use crate::{access::Reading, message::Message, topic::Pattern};

/// Readers with equal interests share what is made for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Interest {
    /// Topics, each with how much of it may be read. At least one.
    pub(crate) topics: Vec<(Pattern, Reading)>,
    /// All types if empty.
    pub(crate) types: Vec<Pattern>,
}

/// The one topic whose messages belong to customers.
pub(super) const ORDERS: &str = "orders";

impl Interest {
    pub(crate) fn matches(&self, message: &Message) -> bool {
        self.wants_type(&message.message_type)
            && self.topics.iter().any(|(topic, reading)| {
                topic.matches(&message.topic)
                    && match reading {
                        Reading::All => true,
                        Reading::OwnOrders(user) => customer_of(message) == Some(*user),
                    }
            })
    }

    pub(super) fn wants_type(&self, message_type: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|kind| kind.matches(message_type))
    }
}

/// Whose order a message of the topic `orders` is about.
pub(super) fn customer_of(message: &Message) -> Option<UserId> {
    #[derive(Deserialize)]
    struct Owned {
        customer_id: Option<UserId>,
    }
    if !message.is_json() {
        return None;
    }
    let owned: Owned = serde_json::from_slice(&message.data).ok()?;
    owned.customer_id
}

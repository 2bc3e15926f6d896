//! Who sees what of a flow: staff all; others what they may read or sent themselves, and customers the
//! events of their own orders.

use pasar_chassis::identity::Identity;
use pasar_contracts::api::users::Role;
use pasar_store::cause::Actor;
use pasar_types::id::UserId;
use serde::Deserialize;

use crate::{
    access::{self, Reading},
    tables::flows::{FlowRow, SubscriptionRow},
    topic::{self, Pattern},
};

/// Whoever asks for a flow.
pub(crate) struct Viewer<'i> {
    identity: &'i Identity,
    is_staff: bool,
}

/// What every event of an order says of its customer.
#[derive(Deserialize)]
struct OfCustomer {
    customer_id: Option<UserId>,
}

impl<'i> Viewer<'i> {
    pub(crate) fn new(identity: &'i Identity) -> Self {
        let is_staff = identity.actor == Actor::Operator
            || identity.has(Role::Admin)
            || identity.has(Role::Staff);
        Self { identity, is_staff }
    }

    pub(crate) fn sees(&self, row: &FlowRow) -> bool {
        self.is_staff
            || self.sent(row)
            || match self.reading(&row.topic) {
                Some(Reading::All) => true,
                Some(Reading::OwnOrders(user)) => is_about(row, user),
                None => false,
            }
    }

    /// Customers see no deliveries but those of their own subscriptions: the shop's are not their business.
    pub(crate) fn sees_deliveries_of(
        &self,
        subscription: Option<&SubscriptionRow>,
        row: &FlowRow,
    ) -> bool {
        self.owns(subscription)
            || self.sent(row)
            || matches!(self.reading(&row.topic), Some(Reading::All))
    }

    /// Whether what a destination answered is theirs to read.
    pub(crate) fn owns(&self, subscription: Option<&SubscriptionRow>) -> bool {
        if self.is_staff {
            return true;
        }
        let Some(subscription) = subscription else {
            return false;
        };
        let ids = match self.identity.actor {
            Actor::User(user) => vec![user.to_string()],
            Actor::ApiKey { key, owner } => vec![key.to_string(), owner.to_string()],
            Actor::Anonymous | Actor::Service(_) | Actor::Timer | Actor::Operator => Vec::new(),
        };
        subscription
            .owner
            .split(':')
            .any(|part| ids.iter().any(|id| id == part))
    }

    /// Whether they, or a key of theirs, sent this message. What services tell is not sent by anybody.
    fn sent(&self, row: &FlowRow) -> bool {
        let sender = match row.actor.parse::<Actor>() {
            Ok(Actor::User(user) | Actor::ApiKey { owner: user, .. }) => Some(user),
            _ => None,
        };
        sender.is_some()
            && sender == self.identity.user_id()
            && !row.is_event
            && !topic::is_reserved(&row.topic)
    }

    fn reading(&self, topic: &str) -> Option<Reading> {
        access::subscribe(self.identity, &Pattern::Exactly(topic.into())).ok()
    }
}

fn is_about(row: &FlowRow, user: UserId) -> bool {
    row.data
        .as_deref()
        .and_then(|data| serde_json::from_slice::<OfCustomer>(data).ok())
        .is_some_and(|of| of.customer_id == Some(user))
}

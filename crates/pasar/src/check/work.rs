//! What is under way for one order: events that a follower has not taken, effects, refused refunds
//! that are asked for again.

use pasar_contracts::event::Service;
use pasar_payments::commands::give_back_again;
use pasar_store::{fault::Fault, inspect::Inspector};
use pasar_types::{id::OrderId, time::Timestamp};

use super::{
    case::payment_of,
    databases::Shop,
    tables::feed::{self, Effect},
};

/// What is under way for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// Followers, and whose events about the order they have not taken yet.
    pub(super) behind: Vec<(Service, Service)>,
    pub(super) effects: Vec<Effect>,
    /// When payments asks again for a refund that was refused.
    pub(super) rests_until: Option<Timestamp>,
}

/// Who follows whom about an order.
const FOLLOWERS: [(Service, Service); 4] = [
    (Service::Inventory, Service::Orders),
    (Service::Payments, Service::Orders),
    (Service::Orders, Service::Inventory),
    (Service::Orders, Service::Payments),
];

impl Work {
    pub(super) fn read(shop: &Shop, id: OrderId) -> Result<Self, Fault> {
        let key = id.to_string();
        let mut behind = Vec::new();
        for (follower, publisher) in FOLLOWERS {
            let newest = read(shop, publisher, |database| {
                database.read(|tx| feed::newest(tx, &key))
            })?;
            let position = read(shop, follower, |database| {
                database.read(|tx| feed::position(tx, publisher))
            })?;
            if newest.is_some_and(|(_, sequence)| sequence > position) {
                behind.push((follower, publisher));
            }
        }
        let queue = payment_of(id).to_string();
        let (effects, rests_until) = shop.payments.read(|tx| {
            Ok((
                feed::effects(tx, &queue)?,
                feed::next_timer(tx, give_back_again::TIMER, &queue)?,
            ))
        })?;
        Ok(Self {
            behind,
            effects,
            rests_until,
        })
    }

    /// Nothing is under way, so that the rows must agree.
    pub(super) fn is_quiet(&self) -> bool {
        self.behind.is_empty() && self.effects.is_empty() && self.rests_until.is_none()
    }

    /// What is under way, in words.
    pub(super) fn why(&self) -> String {
        let behind = self
            .behind
            .iter()
            .map(|(follower, publisher)| format!("{follower} has not taken {publisher}' events"));
        let effects = self.effects.iter().map(|effect| {
            let error = effect.last_error.as_deref().unwrap_or("no try failed");
            format!(
                "payments asks to {}, next at {} ({error}, {} tries)",
                effect.kind, effect.due, effect.attempts
            )
        });
        let rests = self
            .rests_until
            .map(|due| format!("payments asks again at {due}"));
        behind
            .chain(effects)
            .chain(rests)
            .collect::<Vec<_>>()
            .join("; ")
    }
}

fn read<T>(
    shop: &Shop,
    service: Service,
    read: impl FnOnce(&Inspector) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let database = shop
        .of(service)
        .ok_or_else(|| Fault::Bug(format!("{service} has no database")))?;
    read(database)
}

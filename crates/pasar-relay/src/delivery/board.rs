//! All desks, the matcher of those that are attached, and how far messages were handed out.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use parking_lot::Mutex;
use pasar_types::id::SubscriptionId;

use super::desk::{Desk, Handed};
use crate::{matcher::Matcher, message::Message};

pub(crate) struct Board {
    roster: Mutex<Roster>,
    /// Everything up to here was handed out. Written under the lock of the roster.
    dispatched: AtomicI64,
    /// The watermark as it was last written.
    watermark: AtomicI64,
}

#[derive(Default)]
struct Roster {
    desks: HashMap<SubscriptionId, Arc<Desk>>,
    matcher: Matcher<SubscriptionId>,
    /// Those that may hold the watermark back. All others that are attached have nothing to do.
    busy: HashMap<SubscriptionId, Arc<Desk>>,
    found: Vec<SubscriptionId>,
}

impl Board {
    pub(crate) fn new(watermark: i64) -> Self {
        Self {
            roster: Mutex::default(),
            dispatched: AtomicI64::new(watermark),
            watermark: AtomicI64::new(watermark),
        }
    }

    pub(crate) fn dispatched(&self) -> i64 {
        self.dispatched.load(Ordering::Acquire)
    }

    pub(crate) fn watermark(&self) -> i64 {
        self.watermark.load(Ordering::Acquire)
    }

    pub(crate) fn desk(&self, id: SubscriptionId) -> Option<Arc<Desk>> {
        self.roster.lock().desks.get(&id).cloned()
    }

    /// Puts a desk up. One whose row shares the watermark is handed out to from now on.
    pub(crate) fn add(&self, desk: Arc<Desk>) {
        let mut roster = self.roster.lock();
        if desk.is_attached() {
            let filter = Arc::new(desk.spec.filter.clone());
            roster.matcher.insert(desk.id, filter);
        }
        roster.desks.insert(desk.id, desk);
    }

    /// Nothing is handed out to it any more. It holds the watermark until [`Board::remove`].
    pub(crate) fn retire(&self, id: SubscriptionId) -> Option<Arc<Desk>> {
        let mut roster = self.roster.lock();
        let desk = roster.desks.get(&id).cloned()?;
        roster.matcher.remove(id);
        desk.detach(self.dispatched());
        roster.busy.insert(id, Arc::clone(&desk));
        Some(desk)
    }

    pub(crate) fn remove(&self, desk: &Arc<Desk>) {
        let mut roster = self.roster.lock();
        for desks in [0, 1] {
            let map = if desks == 0 {
                &mut roster.desks
            } else {
                &mut roster.busy
            };
            if map
                .get(&desk.id)
                .is_some_and(|known| Arc::ptr_eq(known, desk))
            {
                map.remove(&desk.id);
            }
        }
    }

    /// Hands messages out, in order. Answers the desks that need a courier.
    pub(crate) fn hand_out(&self, messages: &[Arc<Message>], upto: i64) -> Vec<Arc<Desk>> {
        let mut roster = self.roster.lock();
        let roster = &mut *roster;
        let mut idle = Vec::new();
        for message in messages {
            roster.matcher.matches(message, &mut roster.found);
            for id in &roster.found {
                let Some(desk) = roster.desks.get(id) else {
                    continue;
                };
                let handed = desk.hand_out(message);
                if let Handed::Taken {
                    needs_courier: true,
                }
                | Handed::Full {
                    needs_courier: true,
                } = handed
                {
                    roster.busy.insert(*id, Arc::clone(desk));
                    idle.push(Arc::clone(desk));
                }
                if let Handed::Full { .. } = handed {
                    metrics::counter!("pasar_relay_detached_total").increment(1);
                    roster.matcher.remove(*id);
                }
            }
        }
        self.dispatched.fetch_max(upto, Ordering::AcqRel);
        idle
    }

    /// Makes a desk count among the busy ones; answers whether it needs a courier.
    pub(crate) fn employ(&self, desk: &Arc<Desk>) -> bool {
        let mut roster = self.roster.lock();
        roster.busy.insert(desk.id, Arc::clone(desk));
        desk.needs_courier()
    }

    /// Attaches a desk whose courier has read the log up to a position, if that is where handing out is.
    pub(crate) fn attach(&self, desk: &Desk, after: i64) -> bool {
        let mut roster = self.roster.lock();
        if after < self.dispatched() || desk.is_ending() {
            return false;
        }
        desk.attach(after);
        let filter = Arc::new(desk.spec.filter.clone());
        roster.matcher.insert(desk.id, filter);
        true
    }

    /// Leaves a desk to the log, as its destination takes nothing for now.
    pub(crate) fn detach(&self, desk: &Desk) {
        let mut roster = self.roster.lock();
        desk.detach(self.dispatched());
        roster.matcher.remove(desk.id);
    }

    /// Lets a courier go that has nothing to do.
    pub(crate) fn dismiss(&self, desk: &Desk) -> bool {
        let mut roster = self.roster.lock();
        let idle = desk.is_counted() && desk.dismiss();
        if idle {
            roster.busy.remove(&desk.id);
        }
        idle
    }

    /// Calls `write` with what the watermark may be now, if it may rise. No desk can begin to share it
    /// before `write` has put its command in the lane's queue.
    pub(crate) fn raise<T>(&self, write: impl FnOnce(i64) -> T) -> Option<(i64, T)> {
        let roster = self.roster.lock();
        let floors = roster.busy.values().filter_map(|desk| desk.floor());
        let level = floors.fold(self.dispatched(), i64::min);
        if level <= self.watermark() {
            return None;
        }
        Some((level, write(level)))
    }

    /// The watermark stands at this position.
    pub(crate) fn raised(&self, level: i64) {
        self.watermark.fetch_max(level, Ordering::AcqRel);
    }

    /// Lets a desk count, then calls `write`, which puts the command that makes it durable in the queue.
    pub(crate) fn count<T>(&self, desk: &Desk, write: impl FnOnce() -> T) -> T {
        let _roster = self.roster.lock();
        desk.count(true);
        write()
    }
}

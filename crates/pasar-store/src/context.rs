//! All that a handler may touch: rows, the time, ids, the cause, and what it appends.

use std::{any::Any, ops::Deref, sync::Arc};

use pasar_contracts::event::Event;
use pasar_types::{
    id::{FlowId, Id, Kind},
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    cause::Cause, effect::NewEffect, fault::Fault, feed::FeedEvent, ids::Ids, lease::Lease, tx::Tx,
};

/// One command's view of its transaction.
pub struct Context<'g> {
    tx: Tx<'g>,
    now: Timestamp,
    ids: &'g dyn Ids,
    cause: Cause,
    pub(crate) pending: &'g mut Pending,
}

/// What a group appends when it commits, and what its commit must wake.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) events: Vec<FeedEvent>,
    pub(crate) earliest_timer: Option<Timestamp>,
    pub(crate) effects: Vec<NewEffect>,
    /// Other processes may have the database open.
    pub(crate) shared: bool,
    /// Something that they have to hear of, whatever it is.
    pub(crate) for_others: bool,
    /// What commands announce, in their order.
    pub(crate) announced: Vec<Announcement>,
    /// Leases that were found to be held, and cannot be taken before the commit.
    pub(crate) leases: Vec<Lease>,
}

/// Something a command tells to whoever listens in the same process, once it is durable.
pub type Announcement = Arc<dyn Any + Send + Sync>;

/// How much was pending when a savepoint was set.
#[derive(Clone, Copy)]
pub(crate) struct PendingMark {
    events: usize,
    effects: usize,
    announced: usize,
    leases: usize,
}

impl Pending {
    pub(crate) fn mark(&self) -> PendingMark {
        PendingMark {
            events: self.events.len(),
            effects: self.effects.len(),
            announced: self.announced.len(),
            leases: self.leases.len(),
        }
    }

    /// Whether it must be told to who works on the same database in another process.
    pub(crate) fn has_news(&self) -> bool {
        !self.events.is_empty()
            || !self.announced.is_empty()
            || !self.effects.is_empty()
            || self.for_others
            || self.earliest_timer.is_some()
    }

    /// Forgets what came after a mark.
    pub(crate) fn take_back(&mut self, mark: PendingMark) {
        self.events.truncate(mark.events);
        self.effects.truncate(mark.effects);
        self.announced.truncate(mark.announced);
        self.leases.truncate(mark.leases);
    }
}

impl<'g> Context<'g> {
    pub(crate) fn new(
        tx: Tx<'g>,
        now: Timestamp,
        ids: &'g dyn Ids,
        cause: Cause,
        pending: &'g mut Pending,
    ) -> Self {
        Self {
            tx,
            now,
            ids,
            cause,
            pending,
        }
    }

    /// The time of this command. It does not move while the command runs.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    #[must_use]
    pub fn new_id<K: Kind>(&mut self) -> Id<K> {
        Id::from_uuid(self.ids.uuid_v7(self.now))
    }

    /// Bytes that nobody can guess.
    #[must_use]
    pub fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.ids.fill(&mut bytes);
        bytes
    }

    #[must_use]
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Makes what follows part of an older flow: that of the order which the command is about.
    pub const fn join_flow(&mut self, flow: FlowId) {
        self.cause.flow = flow;
    }

    /// Hands something to the listener of this store ([`crate::store::Store::listen`]) once the group is
    /// committed, in the order of commits; nothing if the command is taken back.
    pub fn announce(&mut self, announcement: Announcement) {
        self.pending.announced.push(announcement);
    }

    /// Whether other processes may have this database open.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.pending.shared
    }

    /// Makes them hear of this commit, though it tells no event and wakes no timer or effect.
    pub const fn tell_others(&mut self) {
        self.pending.for_others = true;
    }

    pub(crate) fn enter(&mut self, cause: Cause) {
        self.cause = cause;
    }

    /// Appends an event to the feed, in this transaction.
    pub fn emit<E: Event>(&mut self, key: &str, keyversion: i64, event: &E) -> Result<(), Fault> {
        let data = encode::<E, _>(event)?;
        self.append(E::TYPE, key, keyversion, data, None)
    }

    /// Appends an event with a part that only services may read.
    pub fn emit_private<E: Event, P: Serialize>(
        &mut self,
        key: &str,
        keyversion: i64,
        event: &E,
        private: &P,
    ) -> Result<(), Fault> {
        let data = encode::<E, _>(event)?;
        let private = encode::<E, _>(private)?;
        self.append(E::TYPE, key, keyversion, data, Some(private))
    }

    fn append(
        &mut self,
        event_type: &str,
        key: &str,
        keyversion: i64,
        data: String,
        private: Option<String>,
    ) -> Result<(), Fault> {
        if keyversion < 1 {
            return Err(Fault::Bug(format!(
                "{event_type} of {key} has version {keyversion}"
            )));
        }
        // It is written with the group, and there it would take back all.
        if key.contains('\0') {
            return Err(Fault::ZeroCharacter);
        }
        let id = self.new_id();
        self.pending.events.push(FeedEvent {
            sequence: 0,
            id,
            event_type: event_type.to_owned(),
            key: key.to_owned(),
            keyversion,
            time: self.now,
            flow: self.cause.flow,
            causation: self.cause.causation.clone(),
            traceparent: self.cause.traceparent.clone(),
            actor: self.cause.actor.to_string(),
            data,
            private,
        });
        Ok(())
    }
}

fn encode<E: Event, T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|error| Fault::Bug(format!("{} cannot be written: {error}", E::TYPE)))
}

impl<'g> Deref for Context<'g> {
    type Target = Tx<'g>;

    fn deref(&self) -> &Tx<'g> {
        &self.tx
    }
}

//! A service's store of a test's own, on the caller's thread: given some commands, when one runs, then
//! this is its outcome, these are its events and rows.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures_util::FutureExt;
use pasar_contracts::event::{Event, Service};
use pasar_feed::follower::Reactions;
use pasar_store::{
    cause::{Actor, Cause},
    clock::{Clock, ManualClock},
    context::Context,
    fault::Fault,
    feed::FeedEvent,
    ids::{Ids, SeededIds},
    lane::{Class, LaneKey},
    store::{Executor, Migration, Store, StoreOptions},
};
use pasar_types::{id::FlowId, time::Timestamp};

use crate::{check::Checked, fresh::Folder, rows::Rows};

/// A store with one clock and one seed. Its folder goes with it.
pub struct TestStore {
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub ids: Arc<SeededIds>,
    /// Who the next commands are from.
    pub actor: Actor,
    _folder: Folder,
}

const SEED: u64 = 1;

impl TestStore {
    /// Opens an empty database of its own.
    ///
    /// # Panics
    /// If it cannot be opened.
    #[must_use]
    pub fn open(service: Service, migrations: &'static [Migration]) -> Self {
        let folder = Folder::new();
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(SeededIds::new(SEED));
        let store = Store::open(StoreOptions {
            executor: Executor::Inline,
            shared: false,
            ..StoreOptions::at(
                service,
                folder.place(service),
                migrations,
                Arc::clone(&clock) as Arc<dyn Clock>,
                Arc::clone(&ids) as Arc<dyn Ids>,
            )
        })
        .expect("the store opens");
        Self {
            store,
            clock,
            ids,
            actor: Actor::Operator,
            _folder: folder,
        }
    }

    /// Runs a command to its end. It may run again after a conflict, so it clones what it needs.
    pub fn run<T, F>(&self, command: F) -> Result<T, Fault>
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let flow = FlowId::from_uuid(self.ids.uuid_v7(self.clock.now()));
        self.run_in(Cause::new(self.actor, flow), command)
    }

    /// Runs a command for a cause.
    ///
    /// # Panics
    /// If the store does not run it.
    pub fn run_in<T, F>(&self, cause: Cause, command: F) -> Result<T, Fault>
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let answer = self
            .store
            .write(LaneKey::ZERO, Class::Internal, cause, command);
        self.run_waiting();
        answer
            .now_or_never()
            .expect("an inline store has run what was submitted")
    }

    /// Runs a command that must not fail, to prepare what a test begins with.
    ///
    /// # Panics
    /// If it fails.
    pub fn given<T, F>(&self, command: F) -> T
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.run(command)
            .unwrap_or_else(|fault| panic!("what was given failed: {fault:?}"))
    }

    /// Runs a command and tells its outcome, its events, and what it changed in the service's tables.
    /// For an inline snapshot.
    pub fn check<T, F>(&self, command: F) -> Checked<T>
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Debug + Send + 'static,
    {
        self.compare(|test| test.run(command))
    }

    /// The same for a reaction to a foreign event.
    pub fn check_reaction(
        &self,
        reactions: &Arc<dyn Reactions>,
        publisher: Service,
        event: &FeedEvent,
    ) -> Checked<()> {
        self.compare(|test| test.react(reactions, publisher, event))
    }

    /// Hands a foreign event to the reactions, as a follower would, if they want it.
    pub fn react(
        &self,
        reactions: &Arc<dyn Reactions>,
        publisher: Service,
        event: &FeedEvent,
    ) -> Result<(), Fault> {
        if !reactions.wants(&event.event_type) {
            return Ok(());
        }
        let (reactions, event) = (Arc::clone(reactions), event.clone());
        self.run_in(event.cause(publisher), move |context| {
            reactions.react(context, &event)
        })
    }

    /// Runs the commands that others submitted to the store.
    pub fn run_waiting(&self) {
        while self.store.run_group(usize::MAX) > 0 {}
    }

    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// All events of the store, oldest first.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn events(&self) -> Vec<Arc<FeedEvent>> {
        self.events_after(0)
    }

    /// The events of one type, oldest first.
    ///
    /// # Panics
    /// If one cannot be decoded.
    #[must_use]
    pub fn events_of<E: Event>(&self) -> Vec<E> {
        self.events()
            .iter()
            .filter(|event| event.event_type == E::TYPE)
            .map(|event| event.decode().expect("a stored event decodes"))
            .collect()
    }

    fn events_after(&self, sequence: i64) -> Vec<Arc<FeedEvent>> {
        self.store
            .events_after(sequence, usize::MAX)
            .expect("the feed can be read")
    }

    fn compare<T: Debug>(&self, run: impl FnOnce(&Self) -> Result<T, Fault>) -> Checked<T> {
        let (before, head) = (Rows::of(&self.store), self.store.head());
        let outcome = run(self);
        let after = Rows::of(&self.store);
        Checked {
            outcome,
            events: self.events_after(head),
            changes: before.changes_to(&after),
        }
    }
}

//! Runs a service's effects: work outside the transaction, kept as rows until its result is recorded.
//!
//! Of each queue one is in flight, in the order of ids; of all queues as many as allowed. An effect may
//! run again after a crash, so what it does must be idempotent; the lease and the row fence its result.

mod runner;

use std::{future::Future, pin::Pin, sync::Arc};

use pasar_store::{effect::Effect, fault::Fault, lease::Lease, store::Store};

use crate::{duty::Duty, host::Host};

/// Does effects and records their results, as commands that finish or retry the row.
pub trait EffectWorker: Send + Sync + 'static {
    /// Runs one. What it records is checked against the lease, in the same transaction. A fault means that its
    /// result could not be recorded: it is run again, later.
    fn run(&self, effect: Effect, lease: Lease) -> Running<'_>;
}

/// An effect in flight.
pub type Running<'w> = Pin<Box<dyn Future<Output = Result<Done, Fault>> + Send + 'w>>;

/// What the worker's command did with the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is gone, by this worker or by another.
    Finished,
    /// It was kept with `retry_effect`; the queue waits until it is due.
    Retry,
}

/// Runs the store's effects while on duty, until the drain, which waits for those in flight. Those in flight when
/// the duty ends are dropped where they stand: whoever is on duty next runs them again.
pub fn spawn(
    host: &Host,
    duty: &Duty,
    store: Store,
    worker: Arc<dyn EffectWorker>,
    max_in_flight: usize,
) {
    let host = host.clone();
    duty.run("effects", move |lease| {
        let (store, worker) = (store.clone(), Arc::clone(&worker));
        runner::Runner::new(&host, store, worker, lease, max_in_flight.max(1)).run()
    });
}

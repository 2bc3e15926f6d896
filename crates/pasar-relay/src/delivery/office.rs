//! Where deliveries are made while this instance is on duty: what begins with a term, and ends with it.

use std::sync::Arc;

use parking_lot::Mutex;
use pasar_chassis::problem::Chain;
use pasar_feed::tasks::Tasks;
use pasar_store::{
    fault::Fault,
    lane::{Class, LaneKey},
    lease::Lease,
};

use super::{AFTER_FAULT, Base, Shared, board::Board, changed, dispatcher, load_all};
use crate::tables::{nudges, progress};

/// What stays, with what belongs to the term while there is one.
pub(super) struct Office {
    pub(super) base: Arc<Base>,
    term: Mutex<Option<Arc<Shared>>>,
}

/// Nudges that are heeded at once.
const NUDGES: usize = 500;

impl Office {
    pub(super) fn new(base: Base) -> Self {
        Self {
            base: Arc::new(base),
            term: Mutex::default(),
        }
    }

    /// What couriers share, if this instance delivers.
    pub(super) fn shared(&self) -> Option<Arc<Shared>> {
        self.term.lock().clone()
    }
}

/// However it ends, nothing of a term goes on after it.
struct Term<'o> {
    office: &'o Office,
    tasks: Tasks,
}

impl Drop for Term<'_> {
    fn drop(&mut self) {
        self.tasks.end_scope();
        *self.office.term.lock() = None;
    }
}

/// Loads all subscriptions and delivers, until it is dropped or all that is under way at a drain has ended.
pub(super) async fn deliver(office: Arc<Office>, tasks: Tasks, lease: Lease) {
    loop {
        let term = Term {
            office: &office,
            tasks: tasks.scoped(),
        };
        let fault = match begin(&term, lease.clone()).await {
            Ok(shared) => {
                tokio::select! {
                    () = tasks.draining() => {}
                    () = heed_others(&shared) => return,
                }
                return term.tasks.scope_idle().await;
            }
            Err(Fault::Closed | Fault::LeaseLost(_)) => return,
            Err(fault) => fault,
        };
        tracing::error!(fault = %Chain(&fault), "subscriptions cannot be loaded; nothing is delivered");
        tokio::select! {
            () = tasks.draining() => return,
            () = tokio::time::sleep(AFTER_FAULT) => {}
        }
    }
}

async fn begin(term: &Term<'_>, lease: Lease) -> Result<Arc<Shared>, Fault> {
    let base = Arc::clone(&term.office.base);
    let watermark = base.store.read(progress::watermark).await?;
    // Handing out ends at the head that is known here, and must not begin beyond it.
    base.log.look()?;
    let shared = Arc::new(Shared {
        base,
        lease,
        tasks: term.tasks.clone(),
        board: Board::new(watermark),
        loading: tokio::sync::Mutex::default(),
    });
    // Before the rows are read: what is changed from here on is either read or told.
    *term.office.term.lock() = Some(Arc::clone(&shared));
    let loading = shared.loading.lock().await;
    load_all(&shared, watermark)?;
    drop(loading);
    let tasks = &term.tasks;
    tasks.spawn("deliveries", dispatcher::run(Arc::clone(&shared)));
    tasks.spawn("watermark", dispatcher::keep_watermark(Arc::clone(&shared)));
    Ok(shared)
}

/// Looks anew at what other instances change. Ends when the lease is found lost.
async fn heed_others(shared: &Arc<Shared>) {
    if !shared.store.is_shared() {
        return std::future::pending().await;
    }
    let mut commits = shared.store.foreign_commits();
    loop {
        commits.mark_unchanged();
        match heed(shared).await {
            Ok(0) => {
                if commits.changed().await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(Fault::Closed | Fault::LeaseLost(_)) => return,
            Err(fault) => {
                tracing::error!(fault = %Chain(&fault), "changes of other instances cannot be read");
                tokio::time::sleep(AFTER_FAULT).await;
            }
        }
    }
}

/// Answers how many there were.
async fn heed(shared: &Arc<Shared>) -> Result<usize, Fault> {
    let some = shared.store.read(|tx| nudges::some(tx, NUDGES)).await?;
    let many = some.len();
    if many == 0 {
        return Ok(0);
    }
    for nudge in &some {
        changed(shared, nudge.subscription);
    }
    let lease = shared.lease.clone();
    let answer = shared
        .store
        .write(LaneKey::ZERO, Class::Internal, shared.cause(), move |ctx| {
            ctx.holding(&lease)?;
            some.iter()
                .try_for_each(|nudge| nudges::heeded(ctx, *nudge))
        });
    answer.await?;
    Ok(many)
}

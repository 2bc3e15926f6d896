//! Where deliveries are made while this instance is on duty for a share of them: what begins with a term, and ends
//! with it.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use pasar_chassis::{duty::Duty, problem::Chain};
use pasar_feed::tasks::Tasks;
use pasar_store::{
    fault::Fault,
    lane::{Class, LaneKey},
    lease::Lease,
};
use pasar_types::id::SubscriptionId;

use super::{AFTER_FAULT, Base, Shared, board::Board, changed, dispatcher, load_all};
use crate::tables::{nudges, shares};

/// What stays, with what belongs to a term of each share that there is one of.
pub(super) struct Office {
    pub(super) base: Arc<Base>,
    /// By share.
    terms: BTreeMap<i64, Mutex<Option<Arc<Shared>>>>,
}

/// Nudges that are heeded at once.
const NUDGES: usize = 500;

impl Office {
    pub(super) fn new(base: Base, shares: i64) -> Self {
        Self {
            base: Arc::new(base),
            terms: (0..shares).map(|share| (share, Mutex::default())).collect(),
        }
    }

    /// What couriers share, if this instance delivers for a subscription.
    pub(super) fn shared(&self, id: SubscriptionId) -> Option<Arc<Shared>> {
        let count = i64::try_from(self.terms.len()).unwrap_or(1);
        self.terms[&shares::of(id, count)].lock().clone()
    }
}

/// However it ends, nothing of a term goes on after it.
struct Term<'o> {
    office: &'o Office,
    share: i64,
    tasks: Tasks,
}

impl Drop for Term<'_> {
    fn drop(&mut self) {
        self.tasks.end_scope();
        *self.office.terms[&self.share].lock() = None;
    }
}

/// Loads the subscriptions of a share and delivers, until it is dropped or all that is under way has ended: at a drain,
/// or because the share falls to another instance.
pub(super) async fn deliver(
    office: Arc<Office>,
    share: i64,
    duty: Duty,
    tasks: Tasks,
    lease: Lease,
) {
    loop {
        let term = Term {
            office: &office,
            share,
            tasks: tasks.scoped(),
        };
        let fault = match begin(&term, lease.clone()).await {
            Ok(shared) => {
                tokio::select! {
                    () = tasks.draining() => {}
                    () = duty.leaving() => {}
                    () = heed_others(&shared) => return,
                }
                return term.tasks.drain_scope().await;
            }
            Err(Fault::Closed | Fault::LeaseLost(_)) => return,
            Err(fault) => fault,
        };
        tracing::error!(fault = %Chain(&fault), "subscriptions cannot be loaded; nothing is delivered");
        tokio::select! {
            () = tasks.draining() => return,
            () = duty.leaving() => return,
            () = tokio::time::sleep(AFTER_FAULT) => {}
        }
    }
}

async fn begin(term: &Term<'_>, lease: Lease) -> Result<Arc<Shared>, Fault> {
    let base = Arc::clone(&term.office.base);
    let share = term.share;
    let reading = base.store.read(move |tx| shares::watermark(tx, share));
    let watermark = reading.await?;
    // Handing out ends at the head that is known here, and must not begin beyond it.
    base.log.look()?;
    let shared = Arc::new(Shared {
        base,
        share,
        lease,
        tasks: term.tasks.clone(),
        board: Board::new(watermark),
        loading: tokio::sync::Mutex::default(),
    });
    // Before the rows are read: what is changed from here on is either read or told.
    *term.office.terms[&share].lock() = Some(Arc::clone(&shared));
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
    let share = shared.share;
    let some = shared
        .store
        .read(move |tx| nudges::some(tx, share, NUDGES))
        .await?;
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

//! Runs a service's timers. They are rows of its store, so they survive a restart; a timer fires in the
//! transaction that deletes it, so it takes effect once.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use pasar_store::{
    cause::{Actor, Cause},
    clock::Clock,
    context::Context,
    crash::{self, CrashPoint},
    fault::Fault,
    lane::{Class, LaneKey},
    lease::Lease,
    store::Store,
    timer::Timer,
};
use pasar_types::{id::FlowId, time::Timestamp};
use tokio::sync::watch;

use crate::{duty::Duty, host::Host, problem::Chain, sleeper::Sleeper};

/// Timers that fire at the same time, at most.
const STRETCH: usize = 256;
/// How long after a fault a timer is tried again: doubled each time, up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// Faulting timers that are remembered. While there are more, none fire: something is very wrong.
const MOST_FAULTING: usize = 1_000;

/// Fires the store's timers as they become due while on duty, each time from when `gate` has resolved. The handler
/// gets kind, key and due time; the command joins the flow of the row that it is about by itself.
pub fn spawn<G, R, L, H>(host: &Host, duty: &Duty, store: Store, gate: G, lane: L, handler: H)
where
    G: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
    L: Fn(&str, &str) -> LaneKey + Send + Sync + 'static,
    H: Fn(&mut Context<'_>, &str, &str, Timestamp) -> Result<(), Fault> + Send + Sync + 'static,
{
    let (lane, handler) = (Arc::new(lane), Arc::new(handler));
    let host = host.clone();
    duty.run("timers", move |lease| {
        let runner = Runner {
            changed: store.timers_changed(),
            clock: Arc::clone(&host.clock),
            sleeper: Arc::clone(&host.sleeper),
            store: store.clone(),
            lease,
            lane: Arc::clone(&lane),
            handler: Arc::clone(&handler),
            faulting: BTreeMap::new(),
        };
        let (open, tasks) = (gate(), host.tasks.clone());
        async move {
            tokio::select! {
                () = tasks.draining() => {}
                () = async { open.await; runner.run().await } => {}
            }
        }
    });
}

struct Runner<L, H> {
    store: Store,
    changed: watch::Receiver<Timestamp>,
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
    lease: Lease,
    lane: Arc<L>,
    handler: Arc<H>,
    faulting: BTreeMap<(Timestamp, String, String), Faulting>,
}

struct Faulting {
    retry_at: Timestamp,
    wait: Duration,
}

impl<L, H> Runner<L, H>
where
    L: Fn(&str, &str) -> LaneKey + Send + Sync + 'static,
    H: Fn(&mut Context<'_>, &str, &str, Timestamp) -> Result<(), Fault> + Send + Sync + 'static,
{
    async fn run(mut self) {
        loop {
            match self.fire_due().await {
                Ok(0) => self.wait().await,
                Ok(_) => {}
                Err(Fault::LeaseLost(_)) => return,
                Err(fault) => {
                    tracing::error!(
                        service = %self.store.service(),
                        fault = %Chain(&fault),
                        "timers cannot be read"
                    );
                    self.sleep(FIRST_RETRY).await;
                }
            }
        }
    }

    /// Fires what is due; returns how many were tried.
    async fn fire_due(&mut self) -> Result<usize, Fault> {
        let now = self.clock.now();
        let mut due = self.store.due_timers(now, STRETCH + self.faulting.len())?;
        due.retain(|timer| {
            self.faulting
                .get(&name(timer))
                .is_none_or(|faulting| faulting.retry_at <= now)
        });
        due.truncate(STRETCH.min(MOST_FAULTING.saturating_sub(self.faulting.len())));
        let tried = due.len();
        let answers: Vec<_> = due
            .into_iter()
            .map(|timer| {
                let answer = self.fire(&timer, now);
                (timer, answer)
            })
            .collect();
        for (timer, answer) in answers {
            match answer.await {
                Ok(()) => {
                    self.faulting.remove(&name(&timer));
                }
                Err(fault @ Fault::LeaseLost(_)) => return Err(fault),
                Err(fault) => self.remember(&timer, &fault),
            }
        }
        Ok(tried)
    }

    fn fire(&self, timer: &Timer, now: Timestamp) -> pasar_store::lane::Answer<()> {
        let Timer { due, kind, key } = timer.clone();
        let cause = Cause {
            causation: Some(format!("timer:{kind}:{key}")),
            ..Cause::new(
                Actor::Timer,
                FlowId::from_uuid(self.store.ids().uuid_v7(now)),
            )
        };
        let (handler, lease) = (Arc::clone(&self.handler), self.lease.clone());
        let lane = (self.lane)(&kind, &key);
        crash::at(CrashPoint::TimerDue);
        self.store.write(lane, Class::Internal, cause, move |ctx| {
            ctx.holding(&lease)?;
            if ctx.cancel_timer(&kind, &key, due)? {
                handler(ctx, &kind, &key, due)?;
            }
            Ok(())
        })
    }

    fn remember(&mut self, timer: &Timer, fault: &Fault) {
        metrics::counter!("pasar_timer_faults_total", "service" => self.store.service().as_str())
            .increment(1);
        let before = self.faulting.get(&name(timer)).map(|before| before.wait);
        let wait = before.map_or(FIRST_RETRY, |wait| (wait * 2).min(LONGEST_RETRY));
        tracing::error!(
            service = %self.store.service(),
            kind = timer.kind,
            key = timer.key,
            fault = %Chain(fault),
            retry_in_s = wait.as_secs(),
            "a timer failed"
        );
        let retry_at = self.clock.now() + wait;
        self.faulting
            .insert(name(timer), Faulting { retry_at, wait });
    }

    /// Until the next timer is due or an earlier one is set.
    async fn wait(&mut self) {
        self.changed.mark_unchanged();
        // Faulting timers stay due and hide the ones behind them, so those are looked for every second.
        if !self.faulting.is_empty() {
            return self.sleep(FIRST_RETRY).await;
        }
        match self.store.next_timer_due() {
            Ok(Some(due)) => {
                tokio::select! {
                    _ = self.changed.changed() => {}
                    () = self.sleeper.sleep_until(due) => {}
                }
            }
            Ok(None) => {
                // The sender lives as long as the store, which this holds.
                let _ = self.changed.changed().await;
            }
            Err(_) => self.sleep(FIRST_RETRY).await,
        }
    }

    async fn sleep(&self, span: Duration) {
        let until = self.clock.now() + span;
        self.sleeper.sleep_until(until).await;
    }
}

fn name(timer: &Timer) -> (Timestamp, String, String) {
    (timer.due, timer.kind.clone(), timer.key.clone())
}

//! Takes a lease, keeps it, and says in time that it is lost: before anybody else can have it.

use std::{sync::Arc, time::Duration};

use pasar_feed::tasks::Tasks;
use pasar_store::{
    clock::Clock,
    fault::Fault,
    lease::{Lease, Seen},
    store::Store,
};
use tokio::sync::watch;

use super::part::{Claim, Part};
use crate::{host::Host, problem::Chain, sleeper::Sleeper};

/// How often the holder says that it lives.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// How long after its last beat began the holder still trusts that it holds the lease.
const TRUST: Duration = Duration::from_millis(2_500);
/// How long a beat stands still before the lease is taken.
pub(super) const SILENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether the lease is free.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After a beat that failed.
const AFTER_FAULT: Duration = Duration::from_millis(250);
const _: () = assert!(TRUST.as_millis() < SILENCE.as_millis());

pub(super) struct Keeper {
    store: Store,
    name: &'static str,
    /// What this process is called in the table. Only ever compared.
    holder: String,
    /// How many leases this process may hold, this one among them.
    part: Part,
    signals: Signals,
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
    tasks: Tasks,
}

/// Between a keeper and the work that stands under its lease.
pub(super) struct Signals {
    pub(super) held: watch::Sender<Option<Lease>>,
    /// The work shall end because it falls to another instance.
    pub(super) leaving: watch::Sender<bool>,
    pub(super) at_work: watch::Receiver<usize>,
}

/// Why a lease is not kept any longer.
enum End {
    Lost(&'static str),
    Drained,
    FallsToAnother,
}

/// A lease with the moment from which it is trusted.
struct Taken {
    lease: Lease,
    since: Duration,
    claim: Claim,
}

impl Keeper {
    pub(super) fn new(
        host: &Host,
        store: Store,
        name: &'static str,
        holder: String,
        part: Part,
        signals: Signals,
    ) -> Self {
        Self {
            holder,
            store,
            name,
            part,
            signals,
            clock: Arc::clone(&host.clock),
            sleeper: Arc::clone(&host.sleeper),
            tasks: host.tasks.clone(),
        }
    }

    /// Until the host drains and the work that stands under the lease has ended.
    pub(super) async fn run(self) {
        let service = self.store.service();
        let gauge =
            metrics::gauge!("pasar_duty_held", "service" => service.as_str(), "lease" => self.name);
        gauge.set(0.0);
        while let Some(taken) = self.take().await {
            let lease = taken.lease.clone();
            tracing::info!(%service, lease = self.name, "on duty: background work runs here");
            self.signals.held.send_replace(Some(lease.clone()));
            gauge.set(1.0);
            let end = self.keep(taken).await;
            self.signals.held.send_replace(None);
            self.signals.leaving.send_replace(false);
            gauge.set(0.0);
            match end {
                End::Lost(why) => {
                    metrics::counter!("pasar_duty_lost_total", "service" => service.as_str())
                        .increment(1);
                    tracing::warn!(%service, lease = self.name, why, "off duty: background work ends here");
                }
                End::FallsToAnother => {
                    tracing::info!(%service, lease = self.name, "off duty: this part falls to another instance");
                    self.give_up(&lease).await;
                }
                End::Drained => return self.give_up(&lease).await,
            }
        }
    }

    /// Waits until the lease is free or its holder silent. `None` if the host drains before.
    async fn take(&self) -> Option<Taken> {
        let mut watched: Option<(Seen, Duration)> = None;
        loop {
            let since = self.clock.monotonic();
            match self.try_take(&mut watched).await {
                Ok(Some((lease, claim))) => {
                    return Some(Taken {
                        lease,
                        since,
                        claim,
                    });
                }
                Ok(None) => {}
                Err(Fault::Closed) => return None,
                Err(fault) => {
                    tracing::debug!(service = %self.store.service(), fault = %Chain(&fault),
                        "a lease cannot be looked at");
                    // What was not looked at may have moved.
                    watched = None;
                }
            }
            tokio::select! {
                () = self.tasks.draining() => return None,
                () = self.until(self.clock.monotonic() + LOOK_EVERY) => {}
            }
        }
    }

    /// `watched` is how the lease stands and since when, by this process's clock.
    async fn try_take(
        &self,
        watched: &mut Option<(Seen, Duration)>,
    ) -> Result<Option<(Lease, Claim)>, Fault> {
        if self.tasks.is_draining() || !self.part.has_room() {
            return Ok(None);
        }
        let seen = self.store.lease(self.name).await?;
        // Taken after the answer: the beat stood so at this moment at the latest.
        let now = self.clock.monotonic();
        let may = match (&seen, &watched) {
            (None, _) => true,
            (Some(seen), _) if seen.is_free() || seen.holder == self.holder => true,
            (Some(seen), Some((before, since))) if seen == before => {
                now.saturating_sub(*since) >= SILENCE
            }
            (Some(_), _) => {
                *watched = seen.clone().map(|seen| (seen, now));
                false
            }
        };
        let Some(claim) = may.then(|| self.part.claim()).flatten() else {
            return Ok(None);
        };
        let taken = self.store.take_lease(self.name, &self.holder, seen).await?;
        Ok(taken.map(|lease| (lease, claim)))
    }

    /// Beats until the lease is lost, or the work has ended as it should.
    async fn keep(&self, taken: Taken) -> End {
        let Taken {
            lease,
            since,
            claim,
        } = taken;
        let ended = self.ended(claim);
        tokio::pin!(ended);
        let mut trusted_until = since + TRUST;
        let mut next = since + BEAT;
        loop {
            tokio::select! {
                end = &mut ended => return end,
                () = self.until(next.min(trusted_until)) => {}
            }
            let begun = self.clock.monotonic();
            if begun >= trusted_until {
                return End::Lost("it could not be kept in time");
            }
            let answer = self.store.beat_lease(&lease);
            let beaten = tokio::select! {
                beaten = answer => beaten,
                () = self.until(trusted_until) => return End::Lost("the database did not answer in time"),
            };
            match beaten {
                Ok(true) => {
                    trusted_until = begun + TRUST;
                    next = begun + BEAT;
                }
                Ok(false) => return End::Lost("another instance took it"),
                Err(Fault::Closed) => return End::Lost("the store is closed"),
                Err(fault) => {
                    tracing::warn!(service = %self.store.service(), fault = %Chain(&fault),
                        "a lease cannot be kept for now");
                    next = self.clock.monotonic() + AFTER_FAULT;
                }
            }
        }
    }

    /// The host drains or the lease falls to another instance, and nothing that stands under it goes on.
    async fn ended(&self, mut claim: Claim) -> End {
        let end = tokio::select! {
            () = self.tasks.draining() => End::Drained,
            () = claim.is_one_too_many() => {
                self.signals.leaving.send_replace(true);
                End::FallsToAnother
            }
        };
        let mut at_work = self.signals.at_work.clone();
        let _ = at_work.wait_for(|count| *count == 0).await;
        end
    }

    async fn give_up(&self, lease: &Lease) {
        match self.store.give_up_lease(lease).await {
            Ok(()) | Err(Fault::Closed) => {}
            Err(fault) => {
                tracing::warn!(service = %self.store.service(), fault = %Chain(&fault),
                    "a lease cannot be given up; the next instance waits for it");
            }
        }
    }

    /// Resolves once the monotonic clock has come so far.
    async fn until(&self, at: Duration) {
        loop {
            let left = at.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return;
            }
            self.sleeper.sleep_until(self.clock.now() + left).await;
        }
    }
}

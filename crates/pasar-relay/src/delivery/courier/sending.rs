//! Sending, as many at once and as often as allowed.

use std::sync::Arc;

use pasar_types::{id::SubscriptionId, time::Timestamp};

use super::Courier;
use crate::{
    delivery::{
        Shared,
        attempt::attempt,
        job::{Ended, Job},
        outage::Outage,
    },
    destination::{Destination, InvalidSettings, Sent},
    subscription::Spec,
};

impl Courier {
    /// Answers whether there is more to do at once.
    pub(super) fn send_ready(&mut self) -> bool {
        self.rate_at = None;
        let now = self.shared.clock.now();
        // What was delivered ahead is repeated after a crash, as is what is open: together no more than the window.
        while self.open() + self.ahead.len() < self.concurrency() {
            if let Some(outage) = &mut self.outage {
                if !outage.may_probe(now) || !self.in_flight.is_empty() {
                    return false;
                }
                if self.ready.is_empty() {
                    // There is nothing to ask with: the next message will.
                    self.outage = None;
                    return true;
                }
                outage.probe();
            }
            let Some((place, job)) = self.ready.pop_first() else {
                return false;
            };
            if let Some(rate) = &mut self.rate
                && let Err(wait) = rate.take(self.shared.clock.monotonic())
            {
                self.ready.insert(place, job);
                self.rate_at = Some(now + wait);
                if let Some(outage) = &mut self.outage {
                    outage.wait();
                }
                return false;
            }
            metrics::gauge!("pasar_relay_in_flight").increment(1.0);
            if !job.from_retry {
                self.flying.insert(place.0, Arc::clone(&job.message));
            }
            self.in_flight.push(Box::pin(send(
                Arc::clone(&self.shared),
                self.desk.id,
                Arc::clone(&self.spec),
                self.destination.clone(),
                job,
            )));
        }
        false
    }

    /// Takes the end of an attempt. Where an outage is free, one that reached nothing was no attempt.
    pub(super) fn end(&mut self, mut ended: Ended) {
        if !ended.job.from_retry {
            let position = ended.job.message.position;
            self.flying.remove(&position);
            ended.job.from_retry = self.aside.contains(&position);
        }
        metrics::gauge!("pasar_relay_in_flight").decrement(1.0);
        let kind = self.spec.kind;
        metrics::counter!("pasar_relay_attempts_total", "kind" => kind.name(), "result" => ended.result())
            .increment(1);
        let now = self.shared.clock.now();
        if let Sent::Unreachable(why) = &ended.sent
            && kind.outage_is_free()
        {
            self.stand_by(now, why);
            let position = ended.job.message.position;
            if self.aside.contains(&position) {
                self.ready.insert((position, true), ended.job);
            } else if ended.job.from_retry {
                self.retrying.remove(&position);
                self.next_due = Some(now);
            } else {
                self.ready.insert((position, false), ended.job);
            }
            return;
        }
        if self.outage.take().is_some() {
            tracing::info!(subscription = %self.desk.id, kind = kind.name(), "its destination is back");
        }
        let mut random = [0; 8];
        self.shared.ids.fill(&mut random);
        let item = ended.judge(&self.spec.retry, now, u64::from_le_bytes(random));
        self.finished.push(item);
    }

    /// Sends nothing for a while, and leaves what comes to the log.
    fn stand_by(&mut self, now: Timestamp, why: &str) {
        match &mut self.outage {
            Some(outage) => outage.unreached(now),
            None => {
                tracing::warn!(subscription = %self.desk.id, kind = self.spec.kind.name(), why,
                    "its destination cannot be reached; deliveries wait");
                self.outage = Some(Outage::begin(now));
                if !self.closing {
                    self.shared.board.detach(&self.desk);
                }
            }
        }
    }
}

async fn send(
    shared: Arc<Shared>,
    id: SubscriptionId,
    spec: Arc<Spec>,
    destination: Result<Arc<dyn Destination>, InvalidSettings>,
    job: Job,
) -> Ended {
    let at = shared.clock.now();
    let began = shared.clock.monotonic();
    let sent = attempt(id, &shared.encodings, &spec, destination, &job, at).await;
    Ended {
        job,
        at,
        took: shared.clock.monotonic().saturating_sub(began),
        sent,
    }
}

//! Trims the log and the history from time to time, and measures who is behind.

use std::{sync::Arc, time::Duration};

use pasar_chassis::{duty::Duty, host::Host, problem::Chain, sleeper::Sleeper};
use pasar_contracts::event::Service;
use pasar_store::{
    cause::{Actor, Cause},
    clock::Clock,
    fault::Fault,
    lane::{Class, LaneKey},
    lease::Lease,
    store::Store,
};
use pasar_types::id::FlowId;

use crate::{
    commands::trim_log::{TrimLog, trim_log},
    config::Config,
    delivery::Deliveries,
    tables::{messages, progress, retries},
};

const EVERY: Duration = Duration::from_secs(10);

/// Runs while on duty, until the host drains.
pub fn spawn(host: &Host, duty: &Duty, store: Store, deliveries: Deliveries, config: &Config) {
    let seconds = Duration::from_secs;
    let command = TrimLog {
        keep: seconds(config.keep_s),
        keep_bytes: i64::try_from(config.keep_bytes).unwrap_or(i64::MAX),
        hold: seconds(config.hold_s),
        attempts_keep: seconds(config.attempts_keep_s),
        dead_letters_keep: seconds(config.dead_letters_keep_s),
    };
    let host = host.clone();
    duty.run("retention", move |lease| {
        let retention = Retention {
            command,
            lease,
            clock: Arc::clone(&host.clock),
            sleeper: Arc::clone(&host.sleeper),
            store: store.clone(),
            deliveries: deliveries.clone(),
        };
        let tasks = host.tasks.clone();
        async move {
            tokio::select! {
                () = tasks.draining() => {}
                () = retention.run() => {}
            }
        }
    });
}

struct Retention {
    command: TrimLog,
    lease: Lease,
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
    store: Store,
    deliveries: Deliveries,
}

impl Retention {
    async fn run(self) {
        loop {
            self.sleeper.sleep_until(self.clock.now() + EVERY).await;
            let trimmed = self.trim().await.and_then(|()| self.measure());
            match trimmed {
                Ok(()) => {}
                Err(Fault::LeaseLost(_)) => return,
                Err(fault) => {
                    tracing::error!(fault = %Chain(&fault), "the log cannot be trimmed");
                }
            }
        }
    }

    async fn trim(&self) -> Result<(), Fault> {
        loop {
            let flow = FlowId::from_uuid(self.store.ids().uuid_v7(self.clock.now()));
            let cause = Cause::new(Actor::Service(Service::Relay), flow);
            let (command, lease) = (self.command, self.lease.clone());
            // Between two batches others have their turn: each waits in the queue anew.
            let trimmed = self
                .store
                .write(LaneKey::ZERO, Class::Internal, cause, move |ctx| {
                    ctx.holding(&lease)?;
                    trim_log(ctx, command)
                })
                .await?;
            for id in trimmed.overrun {
                tracing::warn!(subscription = %id, "it held the log for too long and was moved on");
                self.deliveries.changed(id);
            }
            if !trimmed.more {
                return Ok(());
            }
        }
    }

    fn measure(&self) -> Result<(), Fault> {
        let now = self.clock.now();
        let (behind, held_for, retrying, kept) = self.store.read_now(|tx| {
            let ends = messages::ends(tx)?;
            let lowest = progress::lowest_detached(tx)?;
            let place = lowest.unwrap_or(ends.head).min(ends.head);
            let oldest = messages::after(tx, place, 1)?;
            let held_for = oldest
                .first()
                .map_or(Duration::ZERO, |oldest| now.since(oldest.accepted_at));
            Ok((
                ends.head - place,
                held_for,
                retries::count_all(tx)?,
                ends.bytes,
            ))
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        for (name, value) in [
            ("pasar_relay_behind", behind as f64),
            ("pasar_relay_held_seconds", held_for.as_secs_f64()),
            ("pasar_relay_retrying", retrying as f64),
            ("pasar_relay_log_bytes", kept as f64),
        ] {
            metrics::gauge!(name).set(value);
        }
        Ok(())
    }
}

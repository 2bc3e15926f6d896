//! Trims a service's feed from time to time, while on duty: what is older than it is to be kept, a bounded step after
//! the other.

use std::{sync::Arc, time::Duration};

use pasar_store::{clock::Clock, fault::Fault, lease::Lease, store::Store};

use crate::{duty::Duty, host::Host, problem::Chain, sleeper::Sleeper};

/// At the most; with a short time to keep the feed it is trimmed more often.
const EVERY: Duration = Duration::from_secs(60);
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);
/// A feed that is kept for some time is trimmed so many times in it.
const TIMES: u32 = 10;
/// Between two steps: commands have the lane meanwhile.
const REST: Duration = Duration::from_millis(20);

/// Runs while on duty, until the host drains; not at all where the whole feed is kept.
pub fn spawn(host: &Host, duty: &Duty, store: &Store) {
    let Some(keep) = host.feed_keep else {
        return;
    };
    let (host, store) = (host.clone(), store.clone());
    duty.run("feed trimming", move |lease| {
        let trimming = Trimming {
            keep,
            lease,
            store: store.clone(),
            clock: Arc::clone(&host.clock),
            sleeper: Arc::clone(&host.sleeper),
        };
        let tasks = host.tasks.clone();
        async move {
            tokio::select! {
                () = tasks.draining() => {}
                () = trimming.run() => {}
            }
        }
    });
}

struct Trimming {
    keep: Duration,
    lease: Lease,
    store: Store,
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
}

impl Trimming {
    async fn run(self) {
        let every = (self.keep / TIMES).clamp(AT_LEAST_EVERY, EVERY);
        loop {
            self.rest(every).await;
            match self.trim().await {
                Ok(()) => {}
                Err(Fault::LeaseLost(_)) => return,
                Err(fault) => {
                    tracing::error!(
                        service = %self.store.service(), fault = %Chain(&fault), "the feed cannot be trimmed"
                    );
                }
            }
        }
    }

    async fn trim(&self) -> Result<(), Fault> {
        let older_than = self.clock.now() - self.keep;
        let mut deleted = 0;
        loop {
            let trimmed = self.store.trim(&self.lease, older_than).await?;
            deleted += trimmed.deleted;
            if !trimmed.more {
                if deleted > 0 {
                    let service = self.store.service();
                    metrics::counter!("pasar_feed_trimmed_total", "service" => service.as_str())
                        .increment(u64::try_from(deleted).unwrap_or(u64::MAX));
                    tracing::debug!(%service, upto = trimmed.upto, deleted, "the feed was trimmed");
                }
                return Ok(());
            }
            self.rest(REST).await;
        }
    }

    async fn rest(&self, span: Duration) {
        self.sleeper.sleep_until(self.clock.now() + span).await;
    }
}

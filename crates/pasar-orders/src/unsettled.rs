//! How many orders are in flight: known to the metrics, and the limit at which no new ones are taken.
//!
//! A limit against overload, not a rule about orders, so it may be a fraction of a second behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pasar_chassis::{host::Host, problem::Chain};
use pasar_store::store::Store;

use crate::queries;

/// Cheap to clone; all clones are one count.
#[derive(Clone, Debug)]
pub struct Unsettled {
    count: Arc<AtomicU64>,
    most: u64,
}

const RECOUNT_EVERY: Duration = Duration::from_millis(250);

impl Unsettled {
    /// Counts until the host drains.
    pub fn spawn(host: &Host, store: Store, most: u64) -> Self {
        let this = Self::new(most);
        let (counted, host) = (this.clone(), host.clone());
        host.tasks.clone().spawn("unsettled", async move {
            tokio::select! {
                () = counted.recount(&host, &store) => {}
                () = host.tasks.draining() => {}
            }
        });
        this
    }

    fn new(most: u64) -> Self {
        Self {
            count: Arc::default(),
            most,
        }
    }

    /// Whether one more may be taken.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.count.load(Ordering::Relaxed) < self.most
    }

    /// Counts one that was taken, until the next recount knows it.
    pub fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    async fn recount(&self, host: &Host, store: &Store) {
        loop {
            match store.read(queries::count_unsettled).await {
                Ok(count) => {
                    self.count.store(count, Ordering::Relaxed);
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a gauge; counts stay far below 2^52"
                    )]
                    metrics::gauge!("pasar_orders_unsettled").set(count as f64);
                }
                Err(fault) => {
                    tracing::error!(fault = %Chain(&fault), "unsettled orders cannot be counted");
                }
            }
            host.sleeper
                .sleep_until(host.clock.now() + RECOUNT_EVERY)
                .await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_up_to_the_limit() {
        let unsettled = Unsettled::new(2);
        assert!(unsettled.has_room());
        unsettled.add();
        assert!(unsettled.has_room());
        unsettled.add();
        assert!(!unsettled.has_room());
    }
}

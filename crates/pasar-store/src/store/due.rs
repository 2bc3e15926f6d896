//! What of a store is due: its timers and its effects.

use pasar_types::time::Timestamp;
use tokio::sync::watch;

use super::Store;
use crate::{
    effect::{self, Effect},
    fault::Fault,
    timer::{self, Timer},
};

impl Store {
    pub fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, Fault> {
        self.read_now(|tx| timer::due(tx, now, limit))
    }

    /// When the next timer is due. From here on [`Store::timers_changed`] tells of earlier ones only.
    pub fn next_timer_due(&self) -> Result<Option<Timestamp>, Fault> {
        let never = Timestamp::from_micros(i64::MAX);
        self.0.published.arm(|_| never);
        let next = self.read_now(timer::next_due)?;
        self.0
            .published
            .arm(|earliest| earliest.min(next.unwrap_or(never)));
        Ok(next)
    }

    /// Changes when a commit set a timer that is due before all that were known.
    #[must_use]
    pub fn timers_changed(&self) -> watch::Receiver<Timestamp> {
        self.0.published.earliest_timer.subscribe()
    }

    /// Effects with greater ids, oldest first.
    pub fn effects_after(&self, id: i64, limit: usize) -> Result<Vec<Effect>, Fault> {
        self.read_now(|tx| effect::after(tx, id, limit))
    }

    pub fn effect(&self, id: i64) -> Result<Option<Effect>, Fault> {
        self.read_now(|tx| effect::one(tx, id))
    }

    /// Changes whenever a commit enqueued effects.
    #[must_use]
    pub fn effects_changed(&self) -> watch::Receiver<u64> {
        self.0.published.effects.subscribe()
    }
}

//! A destination that cannot be reached, where that costs no attempt: one message at a time asks whether it is
//! back.

use std::time::Duration;

use pasar_types::time::Timestamp;

pub(crate) struct Outage {
    pause: Duration,
    probe_at: Timestamp,
    probing: bool,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Outage {
    pub(crate) fn begin(now: Timestamp) -> Self {
        Self {
            pause: FIRST_PAUSE,
            probe_at: now + FIRST_PAUSE,
            probing: false,
        }
    }

    /// When the next one asks; `None` while one does.
    pub(crate) fn next_probe(&self) -> Option<Timestamp> {
        (!self.probing).then_some(self.probe_at)
    }

    pub(crate) fn may_probe(&self, now: Timestamp) -> bool {
        self.next_probe().is_some_and(|at| at <= now)
    }

    pub(crate) const fn probe(&mut self) {
        self.probing = true;
    }

    /// The one that was to ask could not be sent yet.
    pub(crate) const fn wait(&mut self) {
        self.probing = false;
    }

    /// One came back without having reached it. Those that were under way before count for nothing.
    pub(crate) fn unreached(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.probing) {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            self.probe_at = now + self.pause;
        }
    }
}

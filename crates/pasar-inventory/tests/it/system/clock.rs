//! A clock that stands still until a test moves it, and ends sleeps when it does.

use std::{future::Future, pin::Pin, time::Duration};

use pasar_chassis::sleeper::Sleeper;
use pasar_store::clock::{Clock, ManualClock};
use pasar_types::time::Timestamp;
use tokio::sync::watch;

/// A manual clock that ends sleeps when it is moved.
pub(crate) struct MovedClock {
    clock: ManualClock,
    moved: watch::Sender<u64>,
}

impl MovedClock {
    pub(super) fn new() -> Self {
        Self {
            clock: ManualClock::default(),
            moved: watch::Sender::new(0),
        }
    }

    pub(super) fn advance(&self, span: Duration) {
        self.clock.advance(span);
        self.moved.send_modify(|moves| *moves += 1);
    }

    pub(super) fn step_back(&self, span: Duration) {
        self.clock.set(self.clock.now() - span);
        self.moved.send_modify(|moves| *moves += 1);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

impl Sleeper for MovedClock {
    fn sleep_until(&self, due: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut moved = self.moved.subscribe();
        Box::pin(async move {
            while self.now() < due {
                moved.changed().await.unwrap();
            }
        })
    }
}

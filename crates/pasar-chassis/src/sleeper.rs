//! Waiting for a time of the injected clock, so that tests jump instead of waiting.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use pasar_store::clock::{Clock, ManualClock};
use pasar_types::time::Timestamp;
use tokio::sync::watch;

/// Ends waits when their time has come.
pub trait Sleeper: Send + Sync {
    /// Resolves once the clock has reached `due`. May resolve early: look at the clock again.
    fn sleep_until(&self, due: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Waits in real time.
pub struct SystemSleeper {
    clock: Arc<dyn Clock>,
}

/// Waits until a clock is moved by hand. Move the clock through it.
pub struct ManualSleeper {
    clock: Arc<ManualClock>,
    moves: watch::Sender<u64>,
}

/// How long it sleeps at most before the clock is looked at again: a clock that was set forward is
/// noticed within this time.
const LONGEST: Duration = Duration::from_secs(30);

impl SystemSleeper {
    #[must_use]
    pub const fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl Sleeper for SystemSleeper {
    fn sleep_until(&self, due: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let span = due.since(self.clock.now()).min(LONGEST);
        Box::pin(tokio::time::sleep(span))
    }
}

impl ManualSleeper {
    #[must_use]
    pub fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            moves: watch::Sender::new(0),
        }
    }

    /// Moves the clock and ends the waits whose time has come.
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
        self.moves.send_modify(|moves| *moves += 1);
    }
}

impl Sleeper for ManualSleeper {
    fn sleep_until(&self, due: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut moves = self.moves.subscribe();
        Box::pin(async move {
            // The sender lives as long as this sleeper, which is borrowed.
            let _ = moves.wait_for(|_| self.clock.now() >= due).await;
        })
    }
}

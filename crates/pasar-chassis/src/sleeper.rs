//! Waiting for a time of the injected clock, so that tests jump instead of waiting.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use pasar_store::clock::Clock;
use pasar_types::time::Timestamp;

/// Ends waits when their time has come.
pub trait Sleeper: Send + Sync {
    /// Resolves once the clock has reached `due`. May resolve early: look at the clock again.
    fn sleep_until(&self, due: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Waits in real time.
pub struct SystemSleeper {
    clock: Arc<dyn Clock>,
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

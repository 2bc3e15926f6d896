//! How a process is told to end.

use std::io;

use tokio::signal;

/// Hears from when it is made: what comes before the process is ready ends it too, in order.
#[cfg(unix)]
pub(crate) struct Ending {
    terminate: signal::unix::Signal,
    interrupt: signal::unix::Signal,
}

#[cfg(unix)]
impl Ending {
    pub(crate) fn listen() -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves on Ctrl-C, or when the system asks the process to end.
    pub(crate) async fn told(mut self) -> io::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }
}

#[cfg(not(unix))]
pub(crate) struct Ending;

#[cfg(not(unix))]
impl Ending {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// Resolves on Ctrl-C.
    pub(crate) async fn told(self) -> io::Result<()> {
        signal::ctrl_c().await
    }
}

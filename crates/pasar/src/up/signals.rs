//! How a process is told to end.

use std::io;

use tokio::signal;

/// Resolves on Ctrl-C, or when the system asks the process to end.
#[cfg(unix)]
pub(crate) async fn end() -> io::Result<()> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Resolves on Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn end() -> io::Result<()> {
    signal::ctrl_c().await
}

//! Why a command could not be decided. It rolled back; nothing of it stands.

use std::{error::Error, fmt, sync::Arc, time::Duration};

#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// Another writer was first; the command was rerun and met it again.
    #[error("{0} was changed at the same time")]
    Conflict(&'static str),
    #[error("too much work is waiting")]
    Overloaded { retry_after: Duration },
    /// The commit may or may not have happened.
    #[error("the outcome of the commit is unknown")]
    Unknown,
    /// A UNIQUE or CHECK constraint refused a row.
    #[error("a constraint refused the write")]
    Constraint(#[source] EngineError),
    /// It cannot be reached, or another instance holds what is needed: nothing happened.
    #[error("the database cannot be used now")]
    Unavailable(#[source] EngineError),
    #[error("the database failed")]
    Database(#[source] EngineError),
    /// A stored row or a foreign event does not read as what it should be.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    #[error("the store is closed")]
    Closed,
    /// Another process does this work now.
    #[error("the lease of {0} was lost")]
    LeaseLost(&'static str),
    /// Another service does not answer.
    #[error("cannot reach {0}")]
    Unreachable(String),
    /// What is asked of a feed is not kept any more.
    #[error("the feed is trimmed up to {upto}")]
    Trimmed { upto: i64 },
    /// A text holds U+0000, which PostgreSQL cannot store and so no database of ours does.
    #[error("a text with a zero character cannot be stored")]
    ZeroCharacter,
    /// A state that the code says cannot occur.
    #[error("defect: {0}")]
    Bug(String),
}

/// The engine's own error, opaque outside this crate.
#[derive(Clone)]
pub struct EngineError(pub(crate) Arc<dyn Error + Send + Sync>);

impl Fault {
    /// Whether the same command may succeed when it is tried again.
    #[must_use]
    pub const fn retry(&self) -> bool {
        match self {
            Self::Conflict(_)
            | Self::Overloaded { .. }
            | Self::Unknown
            | Self::Unavailable(_)
            | Self::Database(_)
            | Self::Closed
            | Self::Unreachable(_) => true,
            Self::Constraint(_)
            | Self::Corrupt(_)
            | Self::LeaseLost(_)
            | Self::Trimmed { .. }
            | Self::ZeroCharacter
            | Self::Bug(_) => false,
        }
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for EngineError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

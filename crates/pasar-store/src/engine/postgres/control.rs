//! What moves a transaction along: statements without an answer of their own, sent with those that have one.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Begin,
    BeginRead,
    /// Waits for other instances to leave the lane with this lock.
    Lane(i64),
    Xid,
    Savepoint,
    Release,
    RollbackTo,
    Rollback,
    Commit,
}

impl Control {
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Begin => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            Self::BeginRead => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Lane(_) => "SELECT pg_advisory_xact_lock(?1)",
            Self::Xid => "SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)",
            Self::Savepoint => "SAVEPOINT command",
            Self::Release => "RELEASE SAVEPOINT command",
            Self::RollbackTo => "ROLLBACK TO SAVEPOINT command",
            Self::Rollback => "ROLLBACK",
            Self::Commit => "COMMIT",
        }
    }
}

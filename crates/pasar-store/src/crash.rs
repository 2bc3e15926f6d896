//! Named points at which the crash test ends the process as `kill -9` would.
//!
//! Compiled to nothing without the feature `crash-points`, which no release has.

/// Where a crash is worst. At most ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// A command of a group ran; others of the group have not.
    CommandRun,
    /// A follower's writes are made and its position is set, before the commit.
    PositionSet,
    /// The group's events are written, before the commit.
    FeedAppended,
    /// The group is committed; nobody knows yet.
    Committed,
    /// The callers have their answers; followers were not woken yet.
    Answered,
    /// An effect was read and is about to run.
    EffectStarted,
    /// The provider answered; the result is not recorded yet.
    ProviderAnswered,
    /// A timer is due and about to run.
    TimerDue,
    /// A database is copied into a backup; others are not.
    BackupCopied,
    /// A step of a restore is done; others are not.
    RestoreStepped,
}

impl CrashPoint {
    /// Those that a running system passes.
    pub const RUNNING: [Self; 8] = [
        Self::CommandRun,
        Self::PositionSet,
        Self::FeedAppended,
        Self::Committed,
        Self::Answered,
        Self::EffectStarted,
        Self::ProviderAnswered,
        Self::TimerDue,
    ];

    /// The name that `PASAR_CRASH_POINT=name:nth` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommandRun => "command_run",
            Self::PositionSet => "position_set",
            Self::FeedAppended => "feed_appended",
            Self::Committed => "committed",
            Self::Answered => "answered",
            Self::EffectStarted => "effect_started",
            Self::ProviderAnswered => "provider_answered",
            Self::TimerDue => "timer_due",
            Self::BackupCopied => "backup_copied",
            Self::RestoreStepped => "restore_stepped",
        }
    }
}

/// Ends the process here if `PASAR_CRASH_POINT` names this point and this is its nth pass.
#[cfg(feature = "crash-points")]
pub fn at(point: CrashPoint) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    static PLAN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let plan = std::env::var("PASAR_CRASH_POINT").ok()?;
        let (name, nth) = plan.split_once(':')?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);

    if let Some((name, nth)) = &*PLAN
        && name == point.name()
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        std::process::abort();
    }
}

#[cfg(not(feature = "crash-points"))]
#[inline]
pub const fn at(_point: CrashPoint) {}

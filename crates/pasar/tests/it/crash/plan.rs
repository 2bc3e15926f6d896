//! How each run of the system ends: at a named point after so many passes, or at a random moment.

use std::{collections::BTreeMap, fmt, time::Duration};

use pasar_store::{
    crash::CrashPoint,
    ids::{Ids as _, SeededIds},
};

use super::SHORT_CYCLES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Point { point: CrashPoint, nth: u64 },
    AnyTime { after: Duration },
}

pub(crate) struct Plan {
    random: SeededIds,
    points: Vec<CrashPoint>,
    turn: usize,
    /// Passes of a point after which enough orders are acknowledged, as learnt so far.
    passes: BTreeMap<&'static str, u64>,
    met: BTreeMap<&'static str, usize>,
    at_random: usize,
    /// Whether it has named points at all.
    has_points: bool,
}

/// From which on each point must have been met ten times.
const LONG_CYCLES: usize = 200;
/// Every third kill comes at a random moment.
const AT_RANDOM: usize = 3;
const LONGEST_RANDOM_MS: u64 = 1_500;
/// Where learning begins.
const FIRST_PASSES: u64 = 150;
/// Timers are rare: only orders that nobody pays have one that fires.
const FIRST_PASSES_OF_TIMERS: u64 = 2;

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        Self::of(&CrashPoint::RUNNING, seed)
    }

    /// With these points only.
    pub(crate) fn of(points: &[CrashPoint], seed: u64) -> Self {
        println!("the plan's seed is {seed} (PASAR_CRASH_SEED)");
        Self {
            random: SeededIds::new(seed),
            turn: 0,
            points: points.to_vec(),
            passes: points
                .iter()
                .map(|point| match point {
                    CrashPoint::TimerDue => (point.name(), FIRST_PASSES_OF_TIMERS),
                    _ => (point.name(), FIRST_PASSES),
                })
                .collect(),
            met: points.iter().map(|point| (point.name(), 0)).collect(),
            at_random: 0,
            has_points: cfg!(feature = "crash-points"),
        }
    }

    /// Without named points.
    pub(super) fn at_random(seed: u64) -> Self {
        Self {
            has_points: false,
            ..Self::new(seed)
        }
    }

    pub(crate) fn next(&mut self) -> End {
        self.turn += 1;
        if self.turn.is_multiple_of(AT_RANDOM) || !self.has_points {
            let after = self.random() % LONGEST_RANDOM_MS;
            return End::AnyTime {
                after: Duration::from_millis(after),
            };
        }
        // The point that was met least: each comes its turn, however often one fails.
        let point = self
            .points
            .iter()
            .copied()
            .min_by_key(|point| self.met[point.name()]);
        let point = point.expect("there are points");
        let passes = self.passes[point.name()];
        let nth = passes + self.random() % (passes / 2 + 1);
        End::Point { point, nth }
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn came_too_early(&mut self, end: &End) {
        if let Some(passes) = self.passes_of(end) {
            *passes = (*passes * 2).min(100_000);
        }
    }

    pub(crate) fn came_too_late(&mut self, end: &End) {
        if let Some(passes) = self.passes_of(end) {
            *passes = (*passes / 2).max(1);
        }
    }

    pub(crate) fn count(&mut self, end: &End, met: bool) {
        match end {
            End::Point { point, .. } if met => {
                *self.met.entry(point.name()).or_default() += 1;
            }
            _ => self.at_random += 1,
        }
    }

    /// Whether each point was met often enough for so many kills.
    pub(crate) fn is_complete(&self, cycles: usize) -> bool {
        let least = match cycles {
            LONG_CYCLES.. => 10,
            SHORT_CYCLES.. => 1,
            _ => 0,
        };
        !self.has_points || self.met.values().all(|met| *met >= least)
    }

    fn passes_of(&mut self, end: &End) -> Option<&mut u64> {
        match end {
            End::Point { point, .. } => self.passes.get_mut(point.name()),
            End::AnyTime { .. } => None,
        }
    }
}

impl End {
    /// What the program is told.
    pub(crate) fn variable(&self) -> Option<String> {
        match self {
            Self::Point { point, nth } => Some(format!("{}:{nth}", point.name())),
            Self::AnyTime { .. } => None,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills at random moments", self.at_random)?;
        self.met
            .iter()
            .try_for_each(|(point, met)| write!(f, ", {met} at {point}"))
    }
}

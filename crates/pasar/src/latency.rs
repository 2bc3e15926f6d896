//! Durations as they were measured, and their percentiles.
//!
//! Every sample is kept: runs are bounded, and a percentile of all samples needs no error bar.

use std::time::Duration;

use serde::Serialize;

/// The samples of one measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    micros: Vec<u32>,
}

/// Percentiles by nearest rank, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50_us: u32,
    pub(crate) p90_us: u32,
    pub(crate) p99_us: u32,
    pub(crate) max_us: u32,
}

impl Latencies {
    pub(crate) fn record(&mut self, span: Duration) {
        self.micros
            .push(u32::try_from(span.as_micros()).unwrap_or(u32::MAX));
    }

    /// `None` without samples: nothing measured is not zero.
    pub(crate) fn spread(&self) -> Option<Spread> {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let max_us = *sorted.last()?;
        Some(Spread {
            count: sorted.len(),
            p50_us: nearest_rank(&sorted, 50),
            p90_us: nearest_rank(&sorted, 90),
            p99_us: nearest_rank(&sorted, 99),
            max_us,
        })
    }
}

impl Spread {
    /// `p50 1.2 ms, p90 ..`, for a table or a line of a summary.
    pub(crate) fn in_words(&self) -> String {
        format!(
            "p50 {}, p90 {}, p99 {}, max {}",
            milliseconds(self.p50_us),
            milliseconds(self.p90_us),
            milliseconds(self.p99_us),
            milliseconds(self.max_us),
        )
    }
}

/// Microseconds as people read them.
pub(crate) fn milliseconds(micros: u32) -> String {
    format!("{}.{:01} ms", micros / 1000, micros % 1000 / 100)
}

/// The smallest sample that at least `percent` % of all samples do not exceed.
fn nearest_rank(sorted: &[u32], percent: usize) -> u32 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_that_was_measured() {
        let mut latencies = Latencies::default();
        for millis in (1..=100).rev() {
            latencies.record(Duration::from_millis(millis));
        }
        let spread = latencies.spread().unwrap();
        assert_eq!(spread.count, 100);
        assert_eq!(
            spread.in_words(),
            "p50 50.0 ms, p90 90.0 ms, p99 99.0 ms, max 100.0 ms"
        );
    }

    #[test]
    fn one_sample_is_every_percentile_and_none_is_no_percentile() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.spread(), None);
        latencies.record(Duration::from_micros(1_250));
        let spread = latencies.spread().unwrap();
        assert_eq!(
            (spread.p50_us, spread.p99_us, spread.max_us),
            (1250, 1250, 1250)
        );
    }
}

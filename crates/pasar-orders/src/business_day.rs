//! The business day of a location: which one it is, and when it ends.
//!
//! A day is named for the date on which it begins and ends at the location's cut-off on the next date.
//! Where a clock change makes the cut-off ambiguous it is its first occurrence; where it skips it, the
//! first moment after.

use std::fmt;

use jiff::{civil::Date, tz::TimeZone};
use pasar_store::fault::Fault;
use pasar_types::time::Timestamp;

/// When business days end at a location.
#[derive(Clone, Debug)]
pub struct CutOff {
    zone: TimeZone,
    minutes: u16,
}

/// One business day, written YYYY-MM-DD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BusinessDay(Date);

const MINUTES_OF_A_DAY: u16 = 24 * 60;

impl CutOff {
    /// Inventory lets no location have another zone or time: what cannot be read is corrupt.
    pub fn new(time_zone: &str, minutes: u16) -> Result<Self, Fault> {
        let zone = TimeZone::get(time_zone)
            .map_err(|error| Fault::Corrupt(format!("time zone of a location: {error}")))?;
        if minutes >= MINUTES_OF_A_DAY {
            return Err(Fault::Corrupt(format!(
                "a business day ends {minutes} minutes after midnight"
            )));
        }
        Ok(Self { zone, minutes })
    }

    /// The business day of a moment.
    #[must_use]
    pub fn day_of(&self, now: Timestamp) -> BusinessDay {
        let date = self.zone.to_datetime(now.to_jiff()).date();
        let begun = self.on(date) <= now;
        BusinessDay(if begun {
            date
        } else {
            date.yesterday().unwrap_or(date)
        })
    }

    /// When the business day of a moment ends: the first cut-off after it.
    #[must_use]
    pub fn next_after(&self, now: Timestamp) -> Timestamp {
        let BusinessDay(day) = self.day_of(now);
        let mut date = day;
        // A date that the zone skipped altogether ends at once; the one after it does not.
        for _ in 0..3 {
            date = date.tomorrow().unwrap_or(date);
            let end = self.on(date);
            if end > now {
                return end;
            }
        }
        now + std::time::Duration::from_secs(24 * 60 * 60)
    }

    fn on(&self, date: Date) -> Timestamp {
        let hour = i8::try_from(self.minutes / 60).unwrap_or(0);
        let minute = i8::try_from(self.minutes % 60).unwrap_or(0);
        self.zone
            .to_ambiguous_timestamp(date.at(hour, minute, 0, 0))
            .compatible()
            .map_or(Timestamp::from_micros(i64::MAX), Timestamp::from)
    }
}

impl fmt::Display for BusinessDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zone: &str, minutes: u16, now: &str, day: &str, ends: &str) {
        let cut_off = CutOff::new(zone, minutes).unwrap();
        let now = now.parse().unwrap();
        assert_eq!(cut_off.day_of(now).to_string(), day, "the day of {now}");
        let end = cut_off.next_after(now).to_string();
        assert_eq!(end, ends, "the end of {day}");
    }

    #[test]
    fn the_night_before_the_cut_off_belongs_to_the_day_before() {
        let four = 4 * 60;
        check(
            "Asia/Jakarta",
            four,
            "2026-11-20T20:59:59Z",
            "2026-11-20",
            "2026-11-20T21:00:00Z",
        );
        check(
            "Asia/Jakarta",
            four,
            "2026-11-20T21:00:00Z",
            "2026-11-21",
            "2026-11-21T21:00:00Z",
        );
    }

    #[test]
    fn the_same_moment_is_another_day_elsewhere() {
        let now = "2026-11-20T23:30:00Z";
        check(
            "Pacific/Auckland",
            0,
            now,
            "2026-11-21",
            "2026-11-21T11:00:00Z",
        );
        check(
            "America/Los_Angeles",
            0,
            now,
            "2026-11-20",
            "2026-11-21T08:00:00Z",
        );
        check("UTC", 0, now, "2026-11-20", "2026-11-21T00:00:00Z");
    }

    #[test]
    fn a_cut_off_that_happens_twice_ends_the_day_once() {
        // Berlin sets 03:00 back to 02:00 on 2026-10-25 at 01:00Z; 02:30 is there at 00:30Z and 01:30Z.
        let half_past_two = 150;
        check(
            "Europe/Berlin",
            half_past_two,
            "2026-10-25T00:29:59Z",
            "2026-10-24",
            "2026-10-25T00:30:00Z",
        );
        check(
            "Europe/Berlin",
            half_past_two,
            "2026-10-25T00:30:00Z",
            "2026-10-25",
            "2026-10-26T01:30:00Z",
        );
        check(
            "Europe/Berlin",
            half_past_two,
            "2026-10-25T01:10:00Z",
            "2026-10-25",
            "2026-10-26T01:30:00Z",
        );
    }

    #[test]
    fn a_cut_off_that_is_skipped_ends_the_day_just_after() {
        // Berlin sets 02:00 to 03:00 on 2026-03-29 at 01:00Z; there is no 02:30.
        let half_past_two = 150;
        check(
            "Europe/Berlin",
            half_past_two,
            "2026-03-29T01:00:00Z",
            "2026-03-28",
            "2026-03-29T01:30:00Z",
        );
        check(
            "Europe/Berlin",
            half_past_two,
            "2026-03-29T01:30:00Z",
            "2026-03-29",
            "2026-03-30T00:30:00Z",
        );
    }

    #[test]
    fn a_date_that_a_zone_skipped_does_not_hold_up_the_days() {
        // Samoa had no 2011-12-30.
        check(
            "Pacific/Apia",
            0,
            "2011-12-30T09:59:59Z",
            "2011-12-29",
            "2011-12-30T10:00:00Z",
        );
        check(
            "Pacific/Apia",
            0,
            "2011-12-30T10:00:00Z",
            "2011-12-31",
            "2011-12-31T10:00:00Z",
        );
    }

    #[test]
    fn days_never_go_back_while_time_goes_on() {
        for zone in [
            "Europe/Berlin",
            "America/Sao_Paulo",
            "Australia/Lord_Howe",
            "Africa/Casablanca",
        ] {
            let cut_off = CutOff::new(zone, 150).unwrap();
            let mut now: Timestamp = "2017-01-01T00:00:00Z".parse().unwrap();
            let mut last = cut_off.day_of(now);
            for _ in 0..3 * 365 * 48 {
                now = now + std::time::Duration::from_secs(30 * 60);
                let day = cut_off.day_of(now);
                assert!(day >= last, "{zone} {now}: {day} after {last}");
                let end = cut_off.next_after(now);
                assert!(end > now && cut_off.day_of(end) > day, "{zone} {now}");
                last = day;
            }
        }
    }
}

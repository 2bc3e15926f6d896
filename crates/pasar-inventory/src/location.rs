//! What a location is, and when its business day ends. No transaction.

use jiff::{civil, tz::TimeZone};
use pasar_chassis::problem::FieldError;
use pasar_contracts::api::inventory::LocationInput;
use pasar_types::{money::Currency, time::Timestamp};

use crate::field;

/// What an admin decides about a location, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationDetails {
    pub name: String,
    /// As the IANA database writes it.
    pub time_zone: String,
    /// Minutes after local midnight.
    pub cut_off_minutes: u16,
    pub currency: Currency,
    pub starts_unpaid: bool,
}

const MAX_NAME: usize = 100;

impl LocationDetails {
    pub fn new(input: &LocationInput) -> Result<Self, Vec<FieldError>> {
        let name = field::text("name", &input.name, MAX_NAME);
        let time_zone = time_zone(&input.time_zone);
        let cut_off = parse_cut_off(&input.cut_off);
        match (name, time_zone, cut_off) {
            (Ok(name), Ok(time_zone), Ok(cut_off_minutes)) => Ok(Self {
                name,
                time_zone,
                cut_off_minutes,
                currency: input.currency,
                starts_unpaid: input.starts_unpaid,
            }),
            (name, time_zone, cut_off) => Err([name.err(), time_zone.err(), cut_off.err()]
                .into_iter()
                .flatten()
                .collect()),
        }
    }

    /// When the business day that is under way at `now` ends. `None` if the time zone is not known
    /// (any more), or at the end of the calendar.
    #[must_use]
    pub fn next_cut_off(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = TimeZone::get(&self.time_zone).ok()?;
        let here = now.to_jiff().to_zoned(zone.clone());
        let (hour, minute) = hour_and_minute(self.cut_off_minutes);
        let cut_off = civil::Time::new(hour, minute, 0, 0).ok()?;
        let mut day = here.date();
        loop {
            // A local time that a clock change skips or repeats is read as RFC 5545 does.
            let end = day.to_datetime(cut_off).to_zoned(zone.clone()).ok()?;
            if end.timestamp() > now.to_jiff() {
                return Some(end.timestamp().into());
            }
            day = day.tomorrow().ok()?;
        }
    }
}

/// `HH:MM`
#[must_use]
pub fn format_cut_off(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn parse_cut_off(text: &str) -> Result<u16, FieldError> {
    let wrong = || field::wrong("cut_off", "expected a time of day like 04:00");
    let bytes = text.as_bytes();
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if bytes.len() != 5 || bytes[2] != b':' || !digits(&bytes[..2]) || !digits(&bytes[3..]) {
        return Err(wrong());
    }
    let number = |part: &[u8]| u16::from(part[0] - b'0') * 10 + u16::from(part[1] - b'0');
    let (hours, minutes) = (number(&bytes[..2]), number(&bytes[3..]));
    if hours < 24 && minutes < 60 {
        Ok(hours * 60 + minutes)
    } else {
        Err(wrong())
    }
}

fn time_zone(name: &str) -> Result<String, FieldError> {
    let wrong = || field::wrong("time_zone", "expected an IANA time zone like Asia/Jakarta");
    let zone = TimeZone::get(name).map_err(|_| wrong())?;
    zone.iana_name().map(str::to_owned).ok_or_else(wrong)
}

fn hour_and_minute(minutes: u16) -> (i8, i8) {
    let part = |value: u16| i8::try_from(value).unwrap_or(0);
    (part(minutes / 60), part(minutes % 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(time_zone: &str, cut_off: &str) -> Result<LocationDetails, Vec<FieldError>> {
        LocationDetails::new(&LocationInput {
            name: "Kemang".to_owned(),
            time_zone: time_zone.to_owned(),
            cut_off: cut_off.to_owned(),
            currency: Currency::IDR,
            starts_unpaid: false,
        })
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let wrong = location("Asia/Atlantis", "24:00").unwrap_err();
        let fields: Vec<_> = wrong.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["time_zone", "cut_off"]);
    }

    #[test]
    fn a_cut_off_is_hours_and_minutes_and_nothing_else() {
        for (text, minutes) in [("00:00", 0), ("04:00", 240), ("23:59", 1439)] {
            assert_eq!(location("UTC", text).unwrap().cut_off_minutes, minutes);
            assert_eq!(format_cut_off(minutes), text);
        }
        for text in [
            "", "4:00", "04:60", "24:00", "0400", "-1:00", "+4:00", "04:00:00", "é:000",
        ] {
            assert!(location("UTC", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_zone_is_kept_as_the_database_writes_it() {
        assert_eq!(
            location("asia/jakarta", "04:00").unwrap().time_zone,
            "Asia/Jakarta"
        );
        for name in ["", "+07:00", "Local", "../etc/passwd"] {
            assert!(location(name, "04:00").is_err(), "{name}");
        }
    }

    #[test]
    fn a_business_day_ends_at_the_next_local_cut_off() {
        let check = |zone, cut_off, now: &str, end: &str| {
            let end: Timestamp = end.parse().unwrap();
            let next = location(zone, cut_off)
                .unwrap()
                .next_cut_off(now.parse().unwrap());
            assert_eq!(next, Some(end), "{zone} {cut_off} {now}");
        };
        let jakarta = "Asia/Jakarta";
        check(
            jakarta,
            "04:00",
            "2026-11-20T20:59:59Z",
            "2026-11-20T21:00:00Z",
        );
        check(
            jakarta,
            "04:00",
            "2026-11-20T21:00:00Z",
            "2026-11-21T21:00:00Z",
        );
        check(
            jakarta,
            "04:00",
            "2026-11-20T10:00:00Z",
            "2026-11-20T21:00:00Z",
        );
        // 02:30 does not exist on the day when summer time begins: the day ends an hour later by the clock.
        check(
            "Europe/Berlin",
            "02:30",
            "2026-03-28T12:00:00Z",
            "2026-03-29T01:30:00Z",
        );
        // It comes twice on the day when summer time ends: the first counts.
        check(
            "Europe/Berlin",
            "02:30",
            "2026-10-24T12:00:00Z",
            "2026-10-25T00:30:00Z",
        );
        check(
            "Europe/Berlin",
            "02:30",
            "2026-10-25T00:45:00Z",
            "2026-10-26T01:30:00Z",
        );
    }
}

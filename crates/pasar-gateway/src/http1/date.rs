//! The date that answers carry, written once a second.

use std::cell::RefCell;

use pasar_store::clock::Clock;

thread_local! {
    /// The second, and the date as it is written.
    static WRITTEN: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Writes a `Date` field.
pub(crate) fn write(out: &mut Vec<u8>, clock: &dyn Clock) {
    let second = clock.now().as_micros().div_euclid(1_000_000);
    WRITTEN.with_borrow_mut(|(written, text)| {
        if *written != second {
            *written = second;
            let since = std::time::Duration::from_secs(u64::try_from(second).unwrap_or(0));
            *text = httpdate::fmt_http_date(std::time::UNIX_EPOCH + since);
        }
        super::fields::write(out, "date", text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use pasar_store::clock::ManualClock;
    use pasar_types::time::Timestamp;

    use super::*;

    #[test]
    fn the_date_follows_the_clock() {
        let clock = ManualClock::new(Timestamp::from_micros(784_111_777_000_000));
        let mut out = Vec::new();
        write(&mut out, &clock);
        clock.advance(std::time::Duration::from_secs(1));
        write(&mut out, &clock);
        let text = String::from_utf8(out).unwrap();
        let expected =
            "date: Sun, 06 Nov 1994 08:49:37 GMT\r\ndate: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
        assert_eq!(text, expected);
    }
}

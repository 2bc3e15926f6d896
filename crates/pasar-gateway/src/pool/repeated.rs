//! What happens again with every request and is told once in a while.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// When it was told last.
#[derive(Default)]
pub(super) struct Repeated(Mutex<Option<Instant>>);

const PAUSE: Duration = Duration::from_secs(10);

impl Repeated {
    /// Whether it is told: when it happens first, and not again within 10 s.
    pub(super) fn is_news(&self, now: Instant) -> bool {
        let mut told = self.0.lock();
        let is_news = told.is_none_or(|told| now.duration_since(told) >= PAUSE);
        if is_news {
            *told = Some(now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_it_begins_and_every_ten_seconds() {
        let repeated = Repeated::default();
        let begun = Instant::now();
        // Ten times a second, for half a minute.
        let told: Vec<u32> = (0..300)
            .filter(|tenth| repeated.is_news(begun + *tenth * Duration::from_millis(100)))
            .collect();
        assert_eq!(told, [0, 100, 200]);
    }
}

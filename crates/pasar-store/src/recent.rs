//! The newest committed events, kept in memory so that followers in the same process do not read from the
//! database what was written a moment ago. Always a contiguous end of the log.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use parking_lot::RwLock;

use crate::feed::FeedEvent;

#[derive(Default)]
pub(crate) struct Recent(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    events: VecDeque<Arc<FeedEvent>>,
    bytes: usize,
    /// Stretches, by their first place, that wait for what is between: their lane was told of its commit
    /// before the lane that committed first.
    early: BTreeMap<i64, Vec<FeedEvent>>,
}

const RECENT_EVENTS: usize = 8_192;
const RECENT_BYTES: usize = 8 * 1024 * 1024;
/// Beyond so many, what is between came from elsewhere and is not waited for.
const MOST_EARLY: usize = 64;

impl Recent {
    /// Takes the events of one commit.
    pub(crate) fn push(&self, events: Vec<FeedEvent>) {
        let Some(first) = events.first().map(|event| event.sequence) else {
            return;
        };
        let mut kept = self.0.write();
        match kept.last() {
            Some(last) if first <= last => return,
            Some(last) if first > last + 1 => {
                kept.early.insert(first, events);
                if kept.early.len() > MOST_EARLY {
                    kept.begin_anew();
                }
            }
            _ => kept.append(events),
        }
        kept.take_early();
        kept.trim();
    }

    /// The place of the newest; `None` if nothing is kept.
    pub(crate) fn last(&self) -> Option<i64> {
        self.0.read().last()
    }

    /// `None` if the position lies before what is kept.
    pub(crate) fn after(&self, after: i64, limit: usize) -> Option<Vec<Arc<FeedEvent>>> {
        let kept = self.0.read();
        let first = kept.events.front()?.sequence;
        if after >= kept.last()? {
            return None;
        }
        // Negative, and so none, where the place lies before what is kept.
        let skip = usize::try_from(after + 1 - first).ok()?;
        Some(kept.events.iter().skip(skip).take(limit).cloned().collect())
    }
}

impl Kept {
    fn last(&self) -> Option<i64> {
        self.events.back().map(|event| event.sequence)
    }

    fn append(&mut self, events: Vec<FeedEvent>) {
        for event in events {
            self.bytes += size(&event);
            self.events.push_back(Arc::new(event));
        }
    }

    fn take_early(&mut self) {
        while let Some(entry) = self.early.first_entry() {
            let last = self.events.back().map_or(0, |event| event.sequence);
            if *entry.key() > last + 1 {
                break;
            }
            let (first, events) = entry.remove_entry();
            if first == last + 1 {
                self.append(events);
            }
        }
    }

    /// Keeps the newest contiguous end of what waits.
    fn begin_anew(&mut self) {
        self.events.clear();
        self.bytes = 0;
        let Some((_, newest)) = self.early.pop_last() else {
            return;
        };
        self.early.clear();
        self.append(newest);
    }

    fn trim(&mut self) {
        while self.events.len() > RECENT_EVENTS || self.bytes > RECENT_BYTES {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= size(&oldest);
        }
    }
}

fn size(event: &FeedEvent) -> usize {
    let private = event.private.as_ref().map_or(0, String::len);
    event.data.len() + event.key.len() + private + size_of::<FeedEvent>()
}

#[cfg(test)]
mod tests {
    use pasar_types::{
        id::{EventId, FlowId},
        time::Timestamp,
    };

    use super::*;

    fn stretch(places: std::ops::RangeInclusive<i64>) -> Vec<FeedEvent> {
        places
            .map(|sequence| FeedEvent {
                sequence,
                id: EventId::from_bytes([1; 16]),
                event_type: String::new(),
                key: String::new(),
                keyversion: 1,
                time: Timestamp::default(),
                flow: FlowId::from_bytes([1; 16]),
                causation: None,
                traceparent: None,
                actor: String::new(),
                data: String::new(),
                private: None,
            })
            .collect()
    }

    fn kept(recent: &Recent) -> Vec<i64> {
        let kept = recent.0.read();
        kept.events.iter().map(|event| event.sequence).collect()
    }

    #[test]
    fn lanes_that_tell_of_their_commits_in_another_order_leave_no_gap() {
        let recent = Recent::default();
        recent.push(stretch(1..=2));
        recent.push(stretch(6..=7));
        recent.push(stretch(5..=5));
        assert_eq!(kept(&recent), [1, 2]);
        assert_eq!(recent.after(2, 10), None, "it is read from the database");
        recent.push(stretch(3..=4));
        assert_eq!(kept(&recent), [1, 2, 3, 4, 5, 6, 7]);
        recent.push(stretch(3..=4));
        assert_eq!(kept(&recent), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn what_another_instance_put_between_is_not_waited_for_without_end() {
        let recent = Recent::default();
        recent.push(stretch(1..=1));
        let own = (0..=64).map(|index| 3 + 2 * index);
        own.for_each(|place| recent.push(stretch(place..=place)));
        assert_eq!(kept(&recent), [131]);
        recent.push(stretch(132..=133));
        assert_eq!(kept(&recent), [131, 132, 133]);
    }
}

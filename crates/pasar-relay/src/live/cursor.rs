//! One reader's place in the log. It takes from memory what is new, and from the log what is older.

use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use pasar_contracts::api::relay::Start;
use pasar_store::fault::Fault;

use super::{
    PAGE, SEGMENT_BYTES,
    entry::{Encoding, Entry},
    group::{Group, Take},
    hub::Live,
};
use crate::{log::Log, message::Message, tables::messages};

/// Reads what its group wants, each message once, in the order of the log. Leaves the group when dropped.
pub(crate) struct Cursor {
    live: Live,
    group: Arc<Group>,
    /// The numbers of the group and of this reader.
    seat: (u64, u64),
    /// Everything up to here was taken, or is not wanted.
    after: i64,
    gap: Option<Gap>,
}

/// Messages that were asked for and are not there: they were kept as long as the log keeps any, or belong
/// to a log that ran ahead of this one (restored from a backup).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) after: i64,
    /// The reader goes on after this position.
    pub(crate) upto: i64,
}

/// What a reader was given.
pub(crate) enum Taken<T> {
    Some(Vec<T>),
    Gap(Gap),
    /// Nothing that is wanted, but there is more: ask again.
    Passed,
    /// Up to date: the bell rings when there is more.
    Nothing,
}

impl Cursor {
    pub(super) fn new(
        live: Live,
        group: Arc<Group>,
        seat: (u64, u64),
        start: Start,
    ) -> Result<Self, Fault> {
        let mut cursor = Self {
            live,
            group,
            seat,
            after: 0,
            gap: None,
        };
        cursor.go_to(start)?;
        Ok(cursor)
    }

    /// Everything up to this position was taken, or is not wanted.
    pub(crate) const fn position(&self) -> i64 {
        self.after
    }

    /// From now on somebody takes what is new where it is told, instead of the bell.
    pub(super) fn tell_directly(&self, take: Weak<dyn Take>) {
        self.group.tell_directly(self.seat.1, take);
    }

    /// Goes on from another place.
    pub(crate) fn go_to(&mut self, start: Start) -> Result<(), Fault> {
        let log = self.live.log();
        let mut head = log.head();
        // What it was told by another instance may not have been heard of here.
        if matches!(start, Start::Now | Start::Position(_)) {
            head = log.look()?;
        }
        self.gap = None;
        self.after = match start {
            Start::Now => head,
            Start::Earliest => log.store().read_now(messages::ends)?.first - 1,
            Start::Time(time) => first_at(log, time)? - 1,
            Start::Position(position) if position > head => {
                self.gap = Some(Gap {
                    after: position,
                    upto: head,
                });
                head
            }
            Start::Position(position) => position,
        };
        Ok(())
    }

    /// The next frames, if they are in memory and nothing else comes before them.
    pub(super) fn take_new_frames(&mut self) -> Option<Vec<Bytes>> {
        if self.gap.is_some() || self.after < self.group.complete_since() {
            return None;
        }
        match self.take_frames() {
            Ok(Taken::Some(frames)) => Some(frames),
            Ok(Taken::Nothing) => Some(Vec::new()),
            Ok(Taken::Gap(gap)) => {
                self.gap = Some(gap);
                None
            }
            Ok(Taken::Passed) | Err(_) => None,
        }
    }

    /// The next frames, joined to a few pieces.
    pub(crate) fn take_frames(&mut self) -> Result<Taken<Bytes>, Fault> {
        if let Some(gap) = self.gap.take() {
            return Ok(Taken::Gap(gap));
        }
        let Some(segments) = self.group.after(self.after) else {
            return self.catch_up(usize::MAX, |messages, encoding| {
                let mut frames = BytesMut::new();
                for message in messages {
                    frames.extend_from_slice(&Entry::new(message).frame(encoding));
                }
                vec![frames.freeze()]
            });
        };
        let Some(last) = segments.last() else {
            return Ok(Taken::Nothing);
        };
        let upto = last.upto;
        let joined = |segment: &Arc<super::group::Segment>| {
            segment.joined_after(self.after, &self.group.encoding)
        };
        let frames = segments.iter().map(joined).collect();
        self.after = upto;
        Ok(Taken::Some(frames))
    }

    /// The next frames, so many at most, each with its position.
    pub(crate) fn take_single(&mut self, most: usize) -> Result<Taken<(i64, Bytes)>, Fault> {
        if let Some(gap) = self.gap.take() {
            return Ok(Taken::Gap(gap));
        }
        let single =
            |entry: &Entry, encoding: &Encoding| (entry.message.position, entry.frame(encoding));
        let Some(segments) = self.group.after(self.after) else {
            return self.catch_up(most, |messages, encoding| {
                let entries = messages.into_iter().map(Entry::new);
                entries.map(|entry| single(&entry, encoding)).collect()
            });
        };
        let entries = segments.iter().flat_map(|segment| segment.entries.iter());
        let frames: Vec<_> = entries
            .filter(|entry| entry.message.position > self.after)
            .take(most)
            .map(|entry| single(entry, &self.group.encoding))
            .collect();
        let Some((position, _)) = frames.last() else {
            return Ok(Taken::Nothing);
        };
        self.after = *position;
        Ok(Taken::Some(frames))
    }

    /// Reads a page of the log. Answers what it made of the messages that are wanted.
    fn catch_up<T>(
        &mut self,
        most: usize,
        make: impl FnOnce(Vec<Arc<Message>>, &Encoding) -> Vec<T>,
    ) -> Result<Taken<T>, Fault> {
        let page = page(self.live.log(), self.after)?;
        if self.after + 1 < page.first {
            let gap = Gap {
                after: self.after,
                upto: page.first - 1,
            };
            self.after = gap.upto;
            return Ok(Taken::Gap(gap));
        }
        if page.messages.is_empty() {
            // What lay in between is not kept, and was not for anybody.
            self.after = self.group.complete_since().max(self.after);
            return Ok(Taken::Passed);
        }
        let mut wanted = Vec::new();
        let mut bytes = 0;
        for message in page.messages {
            if bytes >= SEGMENT_BYTES || wanted.len() >= most {
                break;
            }
            self.after = message.position;
            if self.group.interest.matches(&message) {
                bytes += message.size();
                wanted.push(message);
            }
        }
        if wanted.is_empty() {
            return Ok(Taken::Passed);
        }
        Ok(Taken::Some(make(wanted, &self.group.encoding)))
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.live.leave(self.seat.0, self.seat.1);
    }
}

struct Page {
    first: i64,
    messages: Vec<Arc<Message>>,
}

fn page(log: &Log, after: i64) -> Result<Page, Fault> {
    if let Some(messages) = log.recent(after, PAGE) {
        return Ok(Page {
            first: after + 1,
            messages,
        });
    }
    log.store().read_now(|tx| {
        Ok(Page {
            first: messages::ends(tx)?.first,
            messages: messages::after(tx, after, PAGE)?,
        })
    })
}

/// The position of the first message that was accepted at a time or later.
fn first_at(log: &Log, time: pasar_types::time::Timestamp) -> Result<i64, Fault> {
    log.store().read_now(|tx| {
        let ends = messages::ends(tx)?;
        let (mut low, mut high) = (ends.first, ends.head + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match messages::after(tx, middle - 1, 1)?.first() {
                Some(message) if message.accepted_at < time => low = message.position + 1,
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    })
}

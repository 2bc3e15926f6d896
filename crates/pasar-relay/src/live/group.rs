//! Readers that want the same in the same form, and the newest messages that they want.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock, Weak},
};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    MOST_BYTES, MOST_PIECES, SEGMENT_BYTES, SEGMENT_MESSAGES,
    entry::{Encoding, Entry},
    interest::Interest,
};

/// Rung when there is something new; one a connection.
pub(crate) type Bell = Arc<Notify>;

/// A reader that takes what is new at once, on the thread that tells it. Must not wait.
pub(super) trait Take: Send + Sync {
    fn take(&self);
}

/// How a reader hears that there is something new.
#[derive(Clone)]
enum Told {
    ByBell(Bell),
    Directly(Weak<dyn Take>),
}

/// Readers that are told at once before others get a turn.
const TOLD_AT_ONCE: usize = 64;

pub(super) struct Group {
    pub(super) interest: Interest,
    pub(super) encoding: Encoding,
    live: Mutex<LiveEnd>,
}

struct LiveEnd {
    /// Everything after this position that the readers want is in `segments`.
    complete_since: i64,
    segments: VecDeque<Arc<Segment>>,
    readers: BTreeMap<u64, Told>,
}

/// Consecutive messages of a group, joined to one piece when the first reader comes for them.
pub(super) struct Segment {
    first: i64,
    pub(super) upto: i64,
    pub(super) entries: Box<[Arc<Entry>]>,
    bytes: usize,
    joined: OnceLock<Bytes>,
}

impl Group {
    pub(super) fn new(interest: Interest, encoding: Encoding, complete_since: i64) -> Self {
        Self {
            interest,
            encoding,
            live: Mutex::new(LiveEnd {
                complete_since,
                segments: VecDeque::new(),
                readers: BTreeMap::new(),
            }),
        }
    }

    pub(super) fn enter(&self, reader: u64, bell: Bell) {
        self.live.lock().readers.insert(reader, Told::ByBell(bell));
    }

    /// From now on a reader takes what is new where it is told.
    pub(super) fn tell_directly(&self, reader: u64, take: Weak<dyn Take>) {
        self.live
            .lock()
            .readers
            .insert(reader, Told::Directly(take));
    }

    /// Whether that was the last reader.
    pub(super) fn leave(&self, reader: u64) -> bool {
        let mut live = self.live.lock();
        live.readers.remove(&reader);
        live.readers.is_empty()
    }

    /// Adds messages, oldest first.
    pub(super) fn push(&self, entries: Vec<Arc<Entry>>) {
        let mut live = self.live.lock();
        let mut part = Vec::new();
        let mut bytes = 0;
        for entry in entries {
            let size = entry.message.size();
            if part.len() == SEGMENT_MESSAGES || (bytes > 0 && bytes + size > SEGMENT_BYTES) {
                live.segments
                    .extend(Segment::new(std::mem::take(&mut part), bytes));
                bytes = 0;
            }
            bytes += size;
            part.push(entry);
        }
        live.segments.extend(Segment::new(part, bytes));
    }

    /// Tells all readers that there is something new. They come for it while this goes on, so the readers
    /// are not locked.
    pub(super) async fn ring(&self) {
        let readers: Vec<Told> = self.live.lock().readers.values().cloned().collect();
        for some in readers.chunks(TOLD_AT_ONCE) {
            for reader in some {
                match reader {
                    Told::ByBell(bell) => bell.notify_one(),
                    Told::Directly(take) => {
                        if let Some(take) = take.upgrade() {
                            take.take();
                        }
                    }
                }
            }
            if some.len() == TOLD_AT_ONCE {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Lets go of what lies up to a position.
    pub(super) fn forget(&self, upto: i64) {
        let mut live = self.live.lock();
        while let Some(oldest) = live.segments.front()
            && oldest.upto <= upto
        {
            live.complete_since = oldest.upto;
            live.segments.pop_front();
        }
    }

    /// What follows a position, some of it; `None` if that lies before what is kept here.
    pub(super) fn after(&self, after: i64) -> Option<Vec<Arc<Segment>>> {
        let live = self.live.lock();
        if after < live.complete_since {
            return None;
        }
        let from = live.segments.partition_point(|part| part.upto <= after);
        let mut bytes = 0;
        let parts = live.segments.range(from..).take(MOST_PIECES);
        let parts = parts.take_while(|part| {
            let fits = bytes == 0 || bytes + part.bytes <= MOST_BYTES;
            bytes += part.bytes;
            fits
        });
        Some(parts.cloned().collect())
    }

    pub(super) fn complete_since(&self) -> i64 {
        self.live.lock().complete_since
    }
}

impl Segment {
    fn new(entries: Vec<Arc<Entry>>, bytes: usize) -> Option<Arc<Self>> {
        let first = entries.first()?.message.position;
        let upto = entries.last()?.message.position;
        Some(Arc::new(Self {
            first,
            upto,
            entries: entries.into(),
            bytes,
            joined: OnceLock::new(),
        }))
    }

    /// All frames after a position. Readers that are up to date all get the same bytes.
    pub(super) fn joined_after(&self, after: i64, encoding: &Encoding) -> Bytes {
        if after >= self.first {
            let rest = self.entries.iter();
            return join(
                rest.filter(|entry| entry.message.position > after),
                encoding,
            );
        }
        self.joined
            .get_or_init(|| match &*self.entries {
                [one] => one.frame(encoding),
                more => join(more.iter(), encoding),
            })
            .clone()
    }
}

fn join<'e>(entries: impl Iterator<Item = &'e Arc<Entry>>, encoding: &Encoding) -> Bytes {
    let mut joined = BytesMut::new();
    for entry in entries {
        joined.extend_from_slice(&entry.frame(encoding));
    }
    joined.freeze()
}

//! The newest events of a foreign feed, as its stream brought them: always a contiguous end of what came, and
//! bounded. A reader that is further behind reads pages instead.

use std::{collections::VecDeque, sync::Arc};

use pasar_store::feed::FeedEvent;

#[derive(Default)]
pub(crate) struct Recent {
    events: VecDeque<Arc<FeedEvent>>,
    bytes: usize,
}

const MOST_EVENTS: usize = 8_192;
const MOST_BYTES: usize = 8 * 1024 * 1024;

impl Recent {
    /// Takes an event. One that does not follow on the last begins anew.
    pub(crate) fn push(&mut self, event: FeedEvent) {
        let follows = self
            .events
            .back()
            .is_none_or(|last| last.sequence + 1 == event.sequence);
        if !follows {
            self.clear();
        }
        self.bytes += size(&event);
        self.events.push_back(Arc::new(event));
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= size(&oldest);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
    }

    /// Events after a place; `None` if the first of them is not kept.
    pub(crate) fn after(&self, after: i64, limit: usize) -> Option<Vec<Arc<FeedEvent>>> {
        let first = self.events.front()?.sequence;
        let last = self.events.back()?.sequence;
        if after >= last {
            return None;
        }
        // Negative, and so none, where the place lies before what is kept.
        let skip = usize::try_from(after + 1 - first).ok()?;
        Some(self.events.iter().skip(skip).take(limit).cloned().collect())
    }
}

fn size(event: &FeedEvent) -> usize {
    let private = event.private.as_ref().map_or(0, String::len);
    event.data.len() + event.key.len() + private + size_of::<FeedEvent>()
}

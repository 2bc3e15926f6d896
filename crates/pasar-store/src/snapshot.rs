//! What a new follower needs of a feed up to a place: the feed itself, without the events that say nothing any more.
//!
//! It is read from the feed as it stands, page by page, and holds nothing between two pages. A page as of a place is
//! the same whenever it is read: what is added later lies after the place, and what is trimmed meanwhile is what no
//! snapshot of a later place has either. So it is exact until the feed is trimmed past the place.

use std::{collections::HashMap, sync::Arc};

use crate::{
    fault::Fault,
    feed::{self, FeedEvent},
    tx::Tx,
};

/// What a new follower needs of one key's events: given what it needs of those so far, takes the next one. What was
/// taken out is not put back later, so that it may be deleted.
pub type Needed = fn(&mut Vec<Arc<FeedEvent>>, Arc<FeedEvent>);

/// A part of a snapshot: what is needed of the events up to and with `upto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub events: Vec<Arc<FeedEvent>>,
    /// Where the next part begins. Equal to the snapshot's place at its end.
    pub upto: i64,
}

/// The places of a key's events up to some place.
pub(crate) struct History {
    pub(crate) all: Vec<i64>,
    pub(crate) needed: Vec<i64>,
}

/// Events of one key that are read at once.
const PAGE: usize = 256;

/// Every event is needed.
pub fn every(needed: &mut Vec<Arc<FeedEvent>>, event: Arc<FeedEvent>) {
    needed.push(event);
}

/// Each event tells the whole of its aggregate.
pub fn newest(needed: &mut Vec<Arc<FeedEvent>>, event: Arc<FeedEvent>) {
    needed.clear();
    needed.push(event);
}

/// The part after a place of the snapshot as of another. Looks at `limit` events, so that it may have fewer.
pub(crate) fn read(
    tx: &Tx<'_>,
    needed: Needed,
    at: i64,
    after: i64,
    limit: usize,
) -> Result<Stretch, Fault> {
    let trimmed = feed::trimmed(tx)?;
    if at < trimmed {
        return Err(Fault::Trimmed { upto: trimmed });
    }
    let mut events = feed::after(tx, after, limit)?;
    let is_last = events.len() < limit;
    events.retain(|event| event.sequence <= at);
    let upto = match events.last() {
        Some(last) if !is_last && last.sequence < at => last.sequence,
        _ => at,
    };
    let mut histories: HashMap<String, Vec<i64>> = HashMap::new();
    for event in &events {
        if !histories.contains_key(&event.key) {
            let history = history(tx, needed, &event.key, at)?;
            histories.insert(event.key.clone(), history.needed);
        }
    }
    events.retain(|event| histories[&event.key].binary_search(&event.sequence).is_ok());
    Ok(Stretch { events, upto })
}

pub(crate) fn history(tx: &Tx<'_>, needed: Needed, key: &str, upto: i64) -> Result<History, Fault> {
    let mut all = Vec::new();
    let mut left: Vec<Arc<FeedEvent>> = Vec::new();
    let mut version = 0;
    loop {
        let events = feed::of_key(tx, key, version, upto, PAGE)?;
        let is_last = events.len() < PAGE;
        for event in events {
            version = event.keyversion;
            all.push(event.sequence);
            needed(&mut left, event);
        }
        if is_last {
            return Ok(History {
                all,
                needed: left.iter().map(|event| event.sequence).collect(),
            });
        }
    }
}

//! Trims the feed: deletes what no new follower needs of its oldest events, and notes how far, in one transaction.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Weak},
};

use pasar_contracts::event::Service;
use pasar_types::time::Timestamp;

use crate::{
    context::Context,
    fault::Fault,
    feed, follower,
    lane::{Class, LaneKey},
    lease::Lease,
    snapshot::{self, Needed},
    store::{Inner, Store},
};

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// The feed is trimmed up to here.
    pub upto: i64,
    pub deleted: usize,
    /// Another step has something to do.
    pub more: bool,
}

/// Events that one step looks at.
const AT_ONCE: usize = 256;

impl Store {
    /// The place up to which this store's feed holds only what a new follower needs, as far as this process knows.
    #[must_use]
    pub fn trimmed(&self) -> i64 {
        self.0.published.trimmed()
    }

    /// The part after a place of what a new follower needs, as of a place that the feed has reached.
    pub async fn snapshot(
        &self,
        at: i64,
        after: i64,
        limit: usize,
    ) -> Result<snapshot::Stretch, Fault> {
        let needed = self.0.needed;
        let read = self.read(move |tx| snapshot::read(tx, needed, at, after, limit));
        read.await
            .inspect_err(|fault| self.0.published.learn_trimmed(fault))
    }

    /// Does not trim this store's feed past where another store of this process has followed it.
    pub fn hold_for(&self, follower: &Self) {
        let follower = Arc::downgrade(&follower.0);
        let mut followers = self.0.followers.lock();
        followers.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&follower));
        followers.push(follower);
    }

    /// Trims a bounded part of what is older than a time, while the lease is held.
    pub async fn trim(&self, lease: &Lease, older_than: Timestamp) -> Result<Trimmed, Fault> {
        let not_past = self.held_at().await?.min(self.head());
        let (needed, lease) = (self.0.needed, lease.clone());
        let trimmed = self
            .write(
                LaneKey::ZERO,
                Class::Internal,
                self.own_cause(),
                move |context| {
                    context.holding(&lease)?;
                    step(context, needed, older_than, not_past)
                },
            )
            .await?;
        self.0.published.raise_trimmed(trimmed.upto);
        Ok(trimmed)
    }

    /// Where the follower in this process that is furthest behind is.
    async fn held_at(&self) -> Result<i64, Fault> {
        let followers: Vec<Weak<Inner>> = self.0.followers.lock().clone();
        let publisher: Service = self.service();
        let mut held_at = i64::MAX;
        for follower in followers.iter().filter_map(Weak::upgrade).map(Store) {
            let reached = follower.read(move |tx| follower::reached(tx, publisher));
            held_at = held_at.min(reached.await?.unwrap_or(i64::MAX));
        }
        Ok(held_at)
    }
}

fn step(
    context: &mut Context<'_>,
    needed: Needed,
    older_than: Timestamp,
    not_past: i64,
) -> Result<Trimmed, Fault> {
    let from = feed::trimmed(context)?;
    let mut stretch = feed::after(context, from, AT_ONCE)?;
    let found = stretch.len();
    let is_old = |event: &feed::FeedEvent| event.sequence <= not_past && event.time < older_than;
    let young = stretch.iter().position(|event| !is_old(event));
    stretch.truncate(young.unwrap_or(found));
    let Some(upto) = stretch.last().map(|last| last.sequence) else {
        return Ok(Trimmed {
            upto: from,
            deleted: 0,
            more: false,
        });
    };
    let keys: BTreeSet<&str> = stretch.iter().map(|event| &*event.key).collect();
    let mut deleted = 0;
    for key in keys {
        let history = snapshot::history(context, needed, key, upto)?;
        let needed: HashSet<i64> = history.needed.into_iter().collect();
        for gone in history.all.iter().filter(|place| !needed.contains(place)) {
            context.execute_one("feed", "DELETE FROM feed WHERE sequence = ?1", &[gone])?;
            deleted += 1;
        }
    }
    // Also the fence: of two who trim the same, one has done it.
    context.execute_one(
        "how far the feed is trimmed",
        "UPDATE store_meta SET trimmed = ?1 WHERE trimmed = ?2",
        &[&upto, &from],
    )?;
    // Their heads name the place too.
    context.tell_others();
    Ok(Trimmed {
        upto,
        deleted,
        more: stretch.len() == AT_ONCE,
    })
}

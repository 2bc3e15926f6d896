//! Deliveries that are tried again, and stretches of the log that are delivered once more.

use std::{collections::HashSet, sync::Arc};

use pasar_contracts::api::relay::Ordering;
use pasar_store::{fault::Fault, lane::Class};

use super::{AFTER_FAULT, Courier, taking::MOST_RETRIES};
use crate::{
    commands::continue_replay::{ContinueReplay, continue_replay},
    delivery::job::Job,
    subscription::lane,
    tables::{
        dead_letters, messages, progress, replays,
        retries::{self, Retry},
    },
};

/// Rows in `retry` below which the next page of a stretch is put there.
const REPLAY_BELOW: i64 = 1_000;

impl Courier {
    /// Reads what waits, at the beginning and after somebody else has changed it.
    pub(super) fn look_anew(&mut self) -> Result<(), Fault> {
        let id = self.desk.id;
        let cursor = self.cursor;
        let most = usize::try_from(2 * MOST_RETRIES).unwrap_or(usize::MAX);
        let (waiting, keys, skip, replays, position) = self.shared.store.read_now(|tx| {
            let position = progress::find(tx, id)?.map_or(0, |place| place.position);
            let after = cursor.max(position);
            let mut skip: HashSet<i64> = retries::positions_after(tx, id, after, most)?
                .into_iter()
                .collect();
            let dead = dead_letters::after(tx, id, after, i64::MAX, most)?;
            skip.extend(dead.into_iter().map(|dead| dead.position));
            Ok((
                retries::waiting(tx, id)?,
                retries::keys(tx, id, most)?,
                skip,
                replays::first(tx, id)?.is_some(),
                position,
            ))
        })?;
        self.retry_rows = waiting.rows;
        self.next_due = waiting.next_due;
        self.keys.reset_retrying(keys);
        self.skip = skip;
        self.replays = replays;
        self.recorded = self.recorded.max(position);
        Ok(())
    }

    pub(super) fn room_for_retries(&self) -> usize {
        self.concurrency()
            .saturating_sub(self.open() + self.ready.len())
    }

    /// Makes what is due ready.
    pub(super) fn start_due(&mut self) -> Result<(), Fault> {
        let now = self.shared.clock.now();
        if let Some(outage) = &self.outage
            && !(outage.may_probe(now) && self.ready.is_empty() && self.in_flight.is_empty())
        {
            return Ok(());
        }
        let room = self.room_for_retries();
        if room == 0 || self.next_due.is_none_or(|due| due > now) {
            return Ok(());
        }
        let id = self.desk.id;
        let limit = room + self.retrying.len();
        let strict = self.spec.ordering == Ordering::Strict;
        let (rows, next_due) = self.shared.store.read_now(|tx| {
            if strict {
                let first = retries::first(tx, id)?;
                let due = first.as_ref().map(|row| row.due);
                return Ok((first.into_iter().collect(), due));
            }
            let rows = retries::due(tx, id, now, limit)?;
            let next = if rows.len() == limit {
                Some(now)
            } else {
                retries::next_due(tx, id, now)?
            };
            Ok((rows, next))
        })?;
        self.next_due = next_due;
        for row in rows {
            if row.due <= now && !self.retrying.contains(&row.position) {
                self.start_again(&row)?;
            }
        }
        Ok(())
    }

    fn start_again(&mut self, row: &Retry) -> Result<(), Fault> {
        let position = row.position;
        self.retrying.insert(position);
        let message = self
            .shared
            .store
            .read_now(|tx| messages::at(tx, position))?;
        let Some(message) = message else {
            tracing::error!(subscription = %self.desk.id, position, "a message that waits is not in the log");
            return Ok(());
        };
        let job = Job {
            message,
            attempts: row.attempts,
            since: (row.attempts > 0).then_some(row.since),
            from_retry: true,
            asked: row.asked,
        };
        self.ready.insert((position, true), job);
        Ok(())
    }

    /// Puts the next page of a stretch into `retry`.
    pub(super) fn continue_replay(&mut self) {
        if !self.replays || self.replaying.is_some() || self.retry_rows >= REPLAY_BELOW {
            return;
        }
        let command = ContinueReplay {
            id: self.desk.id,
            filter: Arc::new(self.spec.filter.clone()),
            ordering: self.spec.ordering,
        };
        let (cause, lease) = (self.shared.cause(), self.shared.lease.clone());
        let answer =
            self.shared
                .store
                .write(lane(self.desk.id), Class::Internal, cause, move |ctx| {
                    ctx.holding(&lease)?;
                    continue_replay(ctx, &command)
                });
        let id = self.desk.id;
        self.replaying = Some(Box::pin(async move {
            match answer.await {
                Ok(more) => more,
                Err(fault) => {
                    tracing::error!(subscription = %id,
                        fault = %pasar_chassis::problem::Chain(&fault), "a replay cannot go on");
                    tokio::time::sleep(AFTER_FAULT).await;
                    true
                }
            }
        }));
    }
}

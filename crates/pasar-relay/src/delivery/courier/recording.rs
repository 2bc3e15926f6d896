//! Recording what became of deliveries, one batch at a time: what finished meanwhile is in the next one.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;
use pasar_contracts::api::relay::Ordering;
use pasar_store::{
    fault::Fault,
    lane::{Answer, Class},
};

use super::{AFTER_FAULT, Courier, Recording};
use crate::{
    commands::record_deliveries::{Item, RecordDeliveries, Recorded, Verdict, record_deliveries},
    delivery::Shared,
    subscription::lane,
};

/// Deliveries that one command records.
const MOST_RECORDED: usize = 512;
/// A position that has moved on so far is recorded although nothing was delivered.
const STRIDE: i64 = 10_000;

impl Courier {
    /// Records what has finished, and whether the subscription shares the watermark, if that changes.
    pub(super) fn record(&mut self) {
        if self.recording.is_some() {
            return;
        }
        let counted = self.desk.is_counted();
        let attached = self.desk.is_attached();
        let many = self.finished.len().min(MOST_RECORDED);
        let position = self.position(&self.finished[..many]);
        let joins = attached && !counted && position >= self.shared.board.watermark();
        let leaves = !attached && counted;
        if many == 0 && !joins && !leaves && position < self.recorded + STRIDE {
            return;
        }
        let mut items: Vec<Item> = self.finished.drain(..many).collect();
        if many > 0 && 2 * self.ahead_after(&items, position) >= self.concurrency() {
            items.extend(self.put_aside(&items));
        }
        let position = self.position(&items);
        let command = Arc::new(RecordDeliveries {
            id: self.desk.id,
            ordering: self.spec.ordering,
            position,
            attach: attached && (counted || joins),
            items,
            disable_after: self.shared.disable_after,
        });
        let submit = || submit(&self.shared, &command);
        let first = if joins {
            self.shared.board.count(&self.desk, submit)
        } else {
            submit()
        };
        let answer = until_recorded(Arc::clone(&self.shared), Arc::clone(&command), first);
        self.recording = Some(Recording { command, answer });
    }

    /// How many will have been delivered beyond the position once this is recorded.
    fn ahead_after(&self, resolving: &[Item], position: i64) -> usize {
        let beyond = resolving.iter().filter(|item| {
            item.verdict == Verdict::Delivered
                && !item.from_retry
                && item.message.position > position
        });
        self.ahead.range(position + 1..).count() + beyond.count()
    }

    /// One that answers for too long would fill the window with what is delivered after it, all of which a crash
    /// would repeat: it is put into `retry`, and the position moves past it.
    fn put_aside(&self, resolving: &[Item]) -> Vec<Item> {
        let newest = resolving.iter().map(|item| item.message.position).max();
        let before = newest.max(self.ahead.last().copied()).unwrap_or(0);
        let now = self.shared.clock.now();
        self.flying
            .range(..before)
            .filter(|(position, _)| !self.aside.contains(position))
            .map(|(_, message)| Item {
                message: Arc::clone(message),
                from_retry: false,
                asked: 0,
                tried: None,
                since: now,
                verdict: Verdict::Aside,
            })
            .collect()
    }

    /// What was recorded is resolved.
    pub(super) fn take_recorded(&mut self, recorded: Option<Recorded>) {
        let (Some(recording), Some(recorded)) = (self.recording.take(), recorded) else {
            // The store is closed, or another instance delivers: this one ends.
            self.close();
            self.desk.count(false);
            return;
        };
        let command = recording.command;
        for change in &recorded.rows {
            self.retry_rows += change.rows;
            if let Some(key) = &change.key {
                self.keys.change_retrying(key, change.rows);
            }
            if let Some(due) = change.due {
                self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
            }
        }
        for item in &command.items {
            let position = item.message.position;
            if item.from_retry {
                self.retrying.remove(&position);
                self.aside.remove(&position);
                continue;
            }
            match item.verdict {
                Verdict::Aside => self.set_aside(position),
                Verdict::Delivered => drop(self.ahead.insert(position)),
                _ => {}
            }
            self.unresolved.remove(&position);
            if self.spec.ordering == Ordering::Key
                && item.verdict != Verdict::Held
                && let Some(key) = &item.message.key
            {
                for place in self.keys.leave(key) {
                    self.put(place);
                }
            }
        }
        self.ahead = match self.unresolved.first() {
            Some(lowest) => self.ahead.split_off(lowest),
            None => BTreeSet::new(),
        };
        self.recorded = self.recorded.max(command.position);
        let position = self.position(&[]);
        self.desk
            .publish(self.unresolved.first().copied(), position);
        self.desk.count(recorded.attached);
        if !recorded.active {
            self.close();
        }
    }

    /// It is in flight from `retry` now. It may have ended while that was recorded.
    fn set_aside(&mut self, position: i64) {
        self.aside.insert(position);
        self.retrying.insert(position);
        for item in &mut self.finished {
            item.from_retry |= item.message.position == position;
        }
        if let Some(mut job) = self.ready.remove(&(position, false)) {
            job.from_retry = true;
            self.ready.insert((position, true), job);
        }
    }

    /// Takes nothing more and leaves once all is recorded.
    fn close(&mut self) {
        self.closing = true;
        self.shared.board.retire(self.desk.id);
        self.desk.end();
        self.desk.count(false);
    }
}

fn submit(shared: &Shared, command: &Arc<RecordDeliveries>) -> Answer<Recorded> {
    let (command, lease) = (Arc::clone(command), shared.lease.clone());
    shared.store.write(
        lane(command.id),
        Class::Internal,
        shared.cause(),
        move |ctx| {
            ctx.holding(&lease)?;
            record_deliveries(ctx, &command)
        },
    )
}

/// Tries until it is recorded: what was sent must not be forgotten.
fn until_recorded(
    shared: Arc<Shared>,
    command: Arc<RecordDeliveries>,
    first: Answer<Recorded>,
) -> BoxFuture<'static, Option<Recorded>> {
    Box::pin(async move {
        let mut answer = first;
        loop {
            match answer.await {
                Ok(recorded) => return Some(recorded),
                Err(Fault::Closed | Fault::LeaseLost(_)) => return None,
                Err(fault) => {
                    tracing::error!(subscription = %command.id,
                        fault = %pasar_chassis::problem::Chain(&fault), "deliveries cannot be recorded");
                    tokio::time::sleep(AFTER_FAULT).await;
                }
            }
            answer = submit(&shared, &command);
        }
    })
}

//! Taking messages from the desk, or from the log where the subscription is behind.

use std::sync::Arc;

use pasar_contracts::api::relay::Ordering;
use pasar_store::fault::Fault;

use super::Courier;
use crate::{
    delivery::{desk::Next, job::Job, keys::Place},
    filter::ParsedData,
    message::Message,
};

/// Messages of the log that are read at once.
const PAGE: usize = 256;
/// Pages that are read before others have their turn.
const PAGES: usize = 4;
/// Messages that are taken beyond those in flight, waiting behind others of their keys.
const MOST_WAITING: usize = 256;
/// Rows in `retry` beyond which nothing new is taken: the subscription falls behind in the log.
pub(super) const MOST_RETRIES: i64 = 10_000;

impl Courier {
    /// Takes as many as there is room for; answers whether it should be called again soon.
    pub(super) fn refill(&mut self) -> Result<bool, Fault> {
        let mut pages = 0;
        while self.has_room() {
            if let Some(message) = self.page.pop_front() {
                self.take(message);
                continue;
            }
            match self.desk.take() {
                Next::Message(message) => self.take(message),
                Next::Nothing => return Ok(false),
                Next::Log(after) => {
                    self.cursor = self.cursor.max(after);
                    if pages == PAGES {
                        return Ok(true);
                    }
                    pages += 1;
                    if !self.read_log()? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Reads a page, or attaches at the end of the log. False if there is nothing to do here.
    fn read_log(&mut self) -> Result<bool, Fault> {
        let log = &self.shared.log;
        let head = log.head();
        let page = log.after(self.cursor, PAGE)?;
        match page.last() {
            Some(last) => {
                self.cursor = last.position;
                let filter = &self.spec.filter;
                let matching = page
                    .into_iter()
                    .filter(|message| filter.matches(message, &mut ParsedData::default()));
                self.page.extend(matching);
                Ok(true)
            }
            None => {
                self.cursor = self.cursor.max(head);
                // What it took from the log holds the watermark too.
                self.desk
                    .publish(self.unresolved.first().copied(), self.position(&[]));
                let attached = self.shared.board.attach(&self.desk, self.cursor);
                Ok(attached || !self.desk.is_ending())
            }
        }
    }

    fn has_room(&self) -> bool {
        if self.outage.is_some() || self.retry_rows >= MOST_RETRIES {
            return false;
        }
        match self.spec.ordering {
            Ordering::Strict => {
                self.unresolved.is_empty()
                    && self.ready.is_empty()
                    && self.retry_rows == 0
                    && !self.replays
            }
            Ordering::None => self.unresolved.len() < self.concurrency(),
            Ordering::Key => {
                self.keys.waiting() < MOST_WAITING
                    && self.unresolved.len() - self.keys.waiting() < self.concurrency()
            }
        }
    }

    fn take(&mut self, message: Arc<Message>) {
        let position = message.position;
        self.cursor = self.cursor.max(position);
        if self.skip.remove(&position) {
            return;
        }
        self.unresolved.insert(position);
        let job = Job::first(message);
        let key = match self.spec.ordering {
            Ordering::Key => job.message.key.clone(),
            Ordering::None | Ordering::Strict => None,
        };
        match key {
            Some(key) => {
                let place = self.keys.enter(&key, job);
                self.put(place);
            }
            None => self.put(Place::Ready(job)),
        }
    }

    pub(super) fn put(&mut self, place: Place) {
        match place {
            Place::Ready(job) => {
                self.ready
                    .insert((job.message.position, job.from_retry), job);
            }
            Place::Held(job) => self.finished.push(job.held(self.shared.clock.now())),
            Place::Waiting => {}
        }
    }
}

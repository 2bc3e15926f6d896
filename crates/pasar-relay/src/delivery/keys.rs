//! Which keys have a message under way, and what waits behind it. Only for subscriptions ordered by key.

use std::collections::{HashMap, VecDeque};

use super::job::Job;

#[derive(Default)]
pub(crate) struct Keys {
    /// Keys with a message that was taken from the log and is not resolved, and those that wait for it.
    busy: HashMap<Box<str>, VecDeque<Job>>,
    waiting: usize,
    /// How many messages of a key stand in `retry`.
    retrying: HashMap<Box<str>, i64>,
}

/// Where a message goes.
pub(crate) enum Place {
    /// It may be sent.
    Ready(Job),
    /// It waits behind one of its key.
    Waiting,
    /// One of its key is tried again later: it goes to `retry`, behind it.
    Held(Job),
}

impl Keys {
    pub(crate) fn enter(&mut self, key: &str, job: Job) -> Place {
        if let Some(queue) = self.busy.get_mut(key) {
            queue.push_back(job);
            self.waiting += 1;
            Place::Waiting
        } else if self.retrying.contains_key(key) {
            Place::Held(job)
        } else {
            self.busy.insert(key.into(), VecDeque::new());
            Place::Ready(job)
        }
    }

    /// The message of a key that was under way is resolved. Those behind it: the next one may be sent, or all
    /// are held because the key is tried again later.
    pub(crate) fn leave(&mut self, key: &str) -> Vec<Place> {
        if self.retrying.contains_key(key) {
            let queue = self.busy.remove(key).unwrap_or_default();
            self.waiting -= queue.len();
            return queue.into_iter().map(Place::Held).collect();
        }
        let next = self.busy.get_mut(key).and_then(VecDeque::pop_front);
        match next {
            Some(job) => {
                self.waiting -= 1;
                vec![Place::Ready(job)]
            }
            None => {
                self.busy.remove(key);
                Vec::new()
            }
        }
    }

    pub(crate) fn change_retrying(&mut self, key: &str, by: i64) {
        let rows = self.retrying.get(key).copied().unwrap_or(0) + by;
        if rows > 0 {
            self.retrying.insert(key.into(), rows);
        } else {
            self.retrying.remove(key);
        }
    }

    pub(crate) fn reset_retrying(&mut self, keys: Vec<(String, i64)>) {
        self.retrying = keys
            .into_iter()
            .map(|(key, rows)| (key.into_boxed_str(), rows))
            .collect();
    }

    /// Messages that wait behind others.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }
}

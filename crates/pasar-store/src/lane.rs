//! Write queues. A lane is written by one writer at a time; what waits in it is committed in groups.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::{cause::Cause, clock::Clock, context::Context, fault::Fault};

/// What decides the lane of a command: rows with the same key are written from the same lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneKey(u64);

/// Who waits for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// New work from outside. Refused while the lane is behind.
    New,
    /// Reactions, results of effects, timers: work that was accepted before. Served first.
    Internal,
}

/// The answer to a command: there once it is durable.
#[must_use = "a command may have failed"]
pub struct Answer<T>(oneshot::Receiver<Result<T, Fault>>);

/// New work is refused once its oldest has waited this long.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// What a refused caller is told to wait.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// New commands that wait at most, however fast they come.
const MOST_WAITING: usize = 4_096;

impl LaneKey {
    /// Lane 0, for rows without a key.
    pub const ZERO: Self = Self(0);

    /// The same bytes give the same key on every machine and in every version.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_le_bytes(first))
    }

    /// The first 64 bits of the key's hash.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// Which of so many lanes it is.
    #[must_use]
    pub const fn lane(self, lanes: u32) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is below a u32"
        )]
        let lane = (self.0 % lanes as u64) as u32;
        lane
    }
}

impl<T> Answer<T> {
    /// Blocks until the answer is there. For threads without a runtime.
    pub fn wait(self) -> Result<T, Fault> {
        self.0.blocking_recv().unwrap_or(Err(Fault::Closed))
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(Fault::Closed)))
    }
}

/// A command with its result type hidden, so that a lane can hold any.
pub(crate) trait Job: Send {
    fn cause(&self) -> &Cause;
    /// May be called again after a rollback.
    fn run(&mut self, context: &mut Context<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, result: Result<(), Fault>);
    /// How many commands it stands for.
    fn weight(&self) -> usize {
        1
    }
}

pub(crate) struct Command<T, F> {
    cause: Cause,
    command: F,
    weight: usize,
    outcome: Option<T>,
    answer: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Command<T, F>
where
    F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    T: Send + 'static,
{
    /// The command as a job, and where its answer will be.
    pub(crate) fn job(cause: Cause, weight: usize, command: F) -> (Box<dyn Job>, Answer<T>) {
        let (answer, receiver) = oneshot::channel();
        (
            Box::new(Self {
                cause,
                command,
                weight,
                outcome: None,
                answer,
            }),
            Answer(receiver),
        )
    }
}

impl<T, F> Job for Command<T, F>
where
    F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn cause(&self) -> &Cause {
        &self.cause
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<(), Fault> {
        self.outcome = Some((self.command)(context)?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<(), Fault>) {
        let Self {
            outcome, answer, ..
        } = *self;
        let outcome = result.and_then(|()| {
            outcome.ok_or_else(|| Fault::Bug("a command ran without an outcome".to_owned()))
        });
        // Whoever asked may have gone; the outcome stands all the same.
        let _ = answer.send(outcome);
    }

    fn weight(&self) -> usize {
        self.weight
    }
}

/// What waits in one lane.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Default)]
struct Waiting {
    internal: VecDeque<Box<dyn Job>>,
    new: VecDeque<(Duration, Box<dyn Job>)>,
    closed: bool,
}

impl Queue {
    /// Refused jobs are answered at once.
    pub(crate) fn push(&self, class: Class, job: Box<dyn Job>, clock: &dyn Clock) {
        let mut waiting = self.waiting.lock();
        let refusal = if waiting.closed {
            Some(Fault::Closed)
        } else if class == Class::New && waiting.is_overloaded(clock) {
            Some(Fault::Overloaded {
                retry_after: RETRY_AFTER,
            })
        } else {
            None
        };
        if let Some(fault) = refusal {
            drop(waiting);
            job.answer(Err(fault));
            return;
        }
        match class {
            Class::Internal => waiting.internal.push_back(job),
            Class::New => waiting.new.push_back((clock.monotonic(), job)),
        }
        drop(waiting);
        self.ready.notify_one();
    }

    /// Waits for work and takes up to so much of it; `None` once closed and empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Box<dyn Job>>> {
        let mut waiting = self.waiting.lock();
        loop {
            let jobs = waiting.take(most);
            if !jobs.is_empty() {
                return Some(jobs);
            }
            if waiting.closed {
                return None;
            }
            self.ready.wait(&mut waiting);
        }
    }

    /// Takes what is there without waiting.
    pub(crate) fn take_now(&self, most: usize) -> Vec<Box<dyn Job>> {
        self.waiting.lock().take(most)
    }

    /// Waits for so long, or until it is closed.
    pub(crate) fn rest(&self, span: Duration) {
        let mut waiting = self.waiting.lock();
        let until = std::time::Instant::now() + span;
        while !waiting.closed && !self.ready.wait_until(&mut waiting, until).timed_out() {}
    }

    /// Takes no more; what waits is still done.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.ready.notify_all();
    }
}

impl Waiting {
    fn is_overloaded(&self, clock: &dyn Clock) -> bool {
        self.new.len() >= MOST_WAITING
            || self
                .new
                .front()
                .is_some_and(|(since, _)| clock.monotonic().saturating_sub(*since) >= LONGEST_WAIT)
    }

    fn take(&mut self, most: usize) -> Vec<Box<dyn Job>> {
        let mut jobs = Vec::new();
        let mut weight = 0;
        while weight < most {
            let next = self
                .internal
                .pop_front()
                .or_else(|| self.new.pop_front().map(|(_, job)| job));
            let Some(job) = next else { break };
            weight += job.weight();
            jobs.push(job);
        }
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_in_its_lane() {
        let key = LaneKey::of(b"loc_1");
        assert_eq!(key, LaneKey::of(b"loc_1"));
        assert_eq!(key.lane(1), 0);
        assert!(key.lane(7) < 7);
        assert_eq!(LaneKey::ZERO.lane(5), 0);
    }
}

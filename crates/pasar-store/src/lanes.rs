//! The lanes of a store, each with its queue and its writer: on a thread of its own, or run by the caller.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use parking_lot::Mutex;
use pasar_contracts::event::Service;

use crate::{fault::Fault, group::Writer, lane::Queue};

pub(crate) struct Lanes(Vec<Lane>);

struct Lane {
    queue: Arc<Queue>,
    /// Only where the caller runs it.
    inline: Option<Mutex<Writer>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Rests after groups that met no database: doubled each time.
const FIRST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(1);

impl Lanes {
    /// Lanes that [`Lanes::run_group`] runs.
    pub(crate) fn inline(writers: Vec<Writer>) -> Self {
        let lanes = writers.into_iter().map(|writer| Lane {
            queue: Arc::default(),
            inline: Some(Mutex::new(writer)),
            thread: Mutex::new(None),
        });
        Self(lanes.collect())
    }

    /// Lanes with threads.
    pub(crate) fn spawn(
        service: Service,
        writers: Vec<Writer>,
        most_in_group: usize,
    ) -> Result<Self, Fault> {
        let mut lanes = Self(Vec::new());
        for (number, mut writer) in writers.into_iter().enumerate() {
            let queue = Arc::new(Queue::default());
            let work = Arc::clone(&queue);
            let thread = std::thread::Builder::new()
                .name(format!("{service}-lane-{number}"))
                .spawn(move || {
                    work_off(&work, &mut writer, most_in_group);
                    writer.end();
                })
                .map_err(|error| Fault::Bug(format!("no thread for a lane: {error}")))?;
            lanes.0.push(Lane {
                queue,
                inline: None,
                thread: Mutex::new(Some(thread)),
            });
        }
        Ok(lanes)
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// # Panics
    /// If there is no such lane.
    pub(crate) fn queue(&self, lane: u32) -> &Queue {
        let lane = usize::try_from(lane).unwrap_or(usize::MAX);
        &self.0[lane].queue
    }

    /// Runs up to so many waiting commands of the first lane that has any; answers how many.
    ///
    /// # Panics
    /// If the lanes have threads of their own.
    pub(crate) fn run_group(&self, most: usize) -> usize {
        for lane in &self.0 {
            let writer = lane
                .inline
                .as_ref()
                .expect("run_group is for Executor::Inline");
            let jobs = lane.queue.take_now(most);
            let taken = jobs.len();
            if taken > 0 {
                writer.lock().run(jobs);
                return taken;
            }
        }
        0
    }

    /// Takes no more work, does what waits, and ends the threads.
    pub(crate) fn close(&self, service: Service) {
        for lane in &self.0 {
            lane.queue.close();
        }
        for lane in &self.0 {
            if let Some(thread) = lane.thread.lock().take()
                && thread.thread().id() != std::thread::current().id()
                && thread.join().is_err()
            {
                tracing::error!(%service, "a lane ended by a panic");
            }
        }
    }
}

fn work_off(queue: &Queue, writer: &mut Writer, most_in_group: usize) {
    let mut rest = FIRST_REST;
    while let Some(jobs) = queue.take(most_in_group) {
        writer.run(jobs);
        if writer.is_cut_off() {
            queue.rest(rest);
            rest = (rest * 2).min(LONGEST_REST);
        } else {
            rest = FIRST_REST;
        }
    }
}

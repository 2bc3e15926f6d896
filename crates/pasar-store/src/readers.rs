//! Connections for reading: a few, shared by all who read.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use parking_lot::{Condvar, Mutex};
use pasar_contracts::event::Service;

use crate::{
    engine::{Access, Connection},
    fault::Fault,
    place::Place,
    tx::Tx,
};

/// Connections open at once. Who comes when all are lent waits: reads are short.
const MOST_READERS: usize = 8;
/// A server has fewer to give, and each is a process there.
const MOST_READERS_OF_SERVER: usize = 4;

/// Connections for reading, opened as they are needed.
pub(crate) struct Readers {
    place: Place,
    most: usize,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl Readers {
    pub(crate) fn new(place: Place) -> Self {
        let most = match place {
            Place::File(_) => MOST_READERS,
            Place::Postgres(_) => MOST_READERS_OF_SERVER,
        };
        Self {
            place,
            most,
            pool: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let connection = self.take()?;
        let lent = Lent {
            readers: self,
            connection: Some(connection),
        };
        read(lent.connection.as_ref().expect("it is there until dropped"))
    }

    /// Reads one consistent snapshot.
    pub(crate) fn snapshot<T>(
        &self,
        service: Service,
        query: impl FnOnce(&Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.with(|connection| {
            connection.begin_read()?;
            let result = query(&Tx::new(connection, service));
            let ended = connection.commit();
            let value = result?;
            ended?;
            Ok(value)
        })
    }

    fn take(&self) -> Result<Connection, Fault> {
        let mut pool = self.pool.lock();
        loop {
            if let Some(connection) = pool.idle.pop() {
                return Ok(connection);
            }
            if pool.open < self.most {
                pool.open += 1;
                drop(pool);
                return Connection::open(&self.place, Access::Read)
                    .inspect_err(|_| self.pool.lock().open -= 1);
            }
            self.returned.wait(&mut pool);
        }
    }
}

struct Lent<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool.lock();
        match self.connection.take() {
            // A read that failed or panicked half-way may have left its snapshot open.
            Some(connection) if !connection.in_transaction() || connection.rollback().is_ok() => {
                pool.idle.push(connection);
            }
            _ => pool.open -= 1,
        }
        drop(pool);
        self.readers.returned.notify_one();
    }
}

/// Threads that read over a network, so that whoever awaits an answer blocks nobody.
pub(crate) struct ReadThreads {
    waiting: Arc<Waiting>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

type Read = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Waiting {
    reads: Mutex<Reads>,
    news: Condvar,
}

#[derive(Default)]
struct Reads {
    queue: VecDeque<Read>,
    closed: bool,
}

/// Reads that wait for a thread.
const MOST_WAITING: usize = 4_096;

impl ReadThreads {
    pub(crate) fn spawn(service: Service) -> Result<Self, Fault> {
        let waiting = Arc::new(Waiting::default());
        let mut threads = Vec::new();
        for number in 0..MOST_READERS_OF_SERVER {
            let work = Arc::clone(&waiting);
            let thread = std::thread::Builder::new()
                .name(format!("{service}-read-{number}"))
                .spawn(move || {
                    while let Some(read) = work.take() {
                        // Whoever waits for it sees that its answer will not come.
                        if catch_unwind(AssertUnwindSafe(read)).is_err() {
                            tracing::error!("a read panicked");
                        }
                    }
                })
                .map_err(|error| Fault::Bug(format!("no thread for reads: {error}")))?;
            threads.push(thread);
        }
        Ok(Self {
            waiting,
            threads: Mutex::new(threads),
        })
    }

    /// False if too many wait already, or it is closed.
    pub(crate) fn run(&self, read: impl FnOnce() + Send + 'static) -> bool {
        let mut reads = self.waiting.reads.lock();
        if reads.closed || reads.queue.len() >= MOST_WAITING {
            return false;
        }
        reads.queue.push_back(Box::new(read));
        drop(reads);
        self.waiting.news.notify_one();
        true
    }

    pub(crate) fn close(&self) {
        self.waiting.reads.lock().closed = true;
        self.waiting.news.notify_all();
        for thread in self.threads.lock().drain(..) {
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a reading thread ended by a panic");
            }
        }
    }
}

impl Waiting {
    /// Waits; `None` once closed and empty.
    fn take(&self) -> Option<Read> {
        let mut reads = self.reads.lock();
        loop {
            if let Some(read) = reads.queue.pop_front() {
                return Some(read);
            }
            if reads.closed {
                return None;
            }
            self.news.wait(&mut reads);
        }
    }
}

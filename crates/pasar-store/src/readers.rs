//! Connections for reading: a few, shared by all who read.

use std::path::PathBuf;

use parking_lot::{Condvar, Mutex};

use crate::{
    engine::{Access, Connection},
    fault::Fault,
};

/// Connections open at once. Who comes when all are lent waits: reads are short.
const MOST_READERS: usize = 8;

/// Connections for reading, opened as they are needed, at most [`MOST_READERS`].
pub(crate) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
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

    fn take(&self) -> Result<Connection, Fault> {
        let mut pool = self.pool.lock();
        loop {
            if let Some(connection) = pool.idle.pop() {
                return Ok(connection);
            }
            if pool.open < MOST_READERS {
                pool.open += 1;
                drop(pool);
                return Connection::open(&self.path, Access::Read)
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

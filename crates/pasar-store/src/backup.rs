//! Copies of databases in files, all of one moment, while whoever writes them goes on.
//!
//! The moment is one at which this process holds the write locks of all of them. Then nobody is within a commit, so
//! no follower is ahead of what it follows; the lanes wait, in this process or another, until a snapshot of each
//! database is open. A server's databases are copied by its own tools.

use std::{path::Path, thread, time::Duration};

use pasar_contracts::event::Service;

use crate::{
    clock::Clock,
    engine::{Access, Connection, sqlite},
    fault::Fault,
    follower::Position,
    tx::Tx,
};

/// A database as it was at the moment. While this lives its log grows, so it is to be copied soon.
pub struct Still {
    connection: Connection,
    service: Service,
    stands: Position,
}

/// Databases that were held still together.
pub struct Moment {
    /// In the order in which they were named.
    pub stills: Vec<Still>,
    /// How long nobody could write.
    pub pause: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("failed to copy the database of {service}")]
    Database {
        service: Service,
        #[source]
        source: Fault,
    },
    #[error("failed to hold all databases still within {} s: they are written all the time; try again", .0.as_secs())]
    Busy(Duration),
}

/// Lanes wait five seconds for a lock, and their callers with them: they must not wait for long, let alone in vain.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// For a pause that is short enough.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a lock. A lane lets go of its own for a moment only.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// After a pause that came to nothing the lanes go on for so long.
const REST: Duration = Duration::from_millis(250);

/// Opens a snapshot of each database, all of one moment. The files must exist.
pub fn hold_still(
    databases: &[(Service, &Path)],
    clock: &dyn Clock,
) -> Result<Moment, BackupError> {
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for &(service, path) in databases {
        let failed = |source| BackupError::Database { service, source };
        let open = |access| sqlite::Connection::open(path, access).map_err(failed);
        writers.push((service, open(Access::Write)?));
        readers.push((service, Connection::Sqlite(open(Access::Read)?)));
    }
    let begun = clock.monotonic();
    loop {
        if let Some(locked_at) = lock_all(&writers, clock, begun + PATIENCE)? {
            let stills: Result<Vec<_>, _> = readers
                .into_iter()
                .map(|(service, reader)| Still::open(service, reader))
                .collect();
            release(&writers)?;
            return Ok(Moment {
                stills: stills?,
                pause: clock.monotonic().saturating_sub(locked_at),
            });
        }
        if clock.monotonic() >= begun + PATIENCE {
            return Err(BackupError::Busy(PATIENCE));
        }
        wait(REST);
    }
}

/// Looks through a copy, and answers where it stands.
pub fn examine(service: Service, file: &Path) -> Result<Position, BackupError> {
    let failed = |source| BackupError::Database { service, source };
    let copy = sqlite::Connection::open(file, Access::Read).map_err(failed)?;
    if let Some(damage) = copy.find_damage().map_err(failed)? {
        return Err(failed(Fault::Corrupt(damage)));
    }
    standing(&Connection::Sqlite(copy), service).map_err(failed)
}

impl Still {
    /// The epoch and the newest event.
    #[must_use]
    pub const fn stands(&self) -> Position {
        self.stands
    }

    /// Writes it into an empty file, synced. `each` hears how many pages are left.
    pub fn copy_to(self, file: &Path, each: impl FnMut(u64)) -> Result<(), BackupError> {
        let Connection::Sqlite(sqlite) = &self.connection else {
            unreachable!("it was made of a file");
        };
        let copied = sqlite.copy_to(file, each);
        copied
            .and_then(|()| self.connection.commit())
            .map_err(|source| BackupError::Database {
                service: self.service,
                source,
            })
    }

    fn open(service: Service, connection: Connection) -> Result<Self, BackupError> {
        let stands = connection
            .begin_read()
            // The snapshot is that of the first read.
            .and_then(|()| standing(&connection, service))
            .map_err(|source| BackupError::Database { service, source })?;
        Ok(Self {
            connection,
            service,
            stands,
        })
    }
}

/// Takes every lock, and answers when the first was taken; none if that took so long that lanes would wait too long.
fn lock_all(
    writers: &[(Service, sqlite::Connection)],
    clock: &dyn Clock,
    until: Duration,
) -> Result<Option<Duration>, BackupError> {
    let mut locked_at = None;
    for (at, (service, writer)) in writers.iter().enumerate() {
        let failed = |source| BackupError::Database {
            service: *service,
            source,
        };
        while !writer.try_begin_write().map_err(failed)? {
            let now = clock.monotonic();
            if now >= locked_at.map_or(until, |first: Duration| first + LONGEST_PAUSE) {
                release(&writers[..at])?;
                return Ok(None);
            }
            wait(LOOK_EVERY);
        }
        locked_at.get_or_insert_with(|| clock.monotonic());
    }
    Ok(locked_at)
}

fn release(writers: &[(Service, sqlite::Connection)]) -> Result<(), BackupError> {
    for (service, writer) in writers {
        writer.rollback().map_err(|source| BackupError::Database {
            service: *service,
            source,
        })?;
    }
    Ok(())
}

fn wait(span: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "nobody tells when another process lets go of a file's lock"
    )]
    thread::sleep(span);
}

fn standing(connection: &Connection, service: Service) -> Result<Position, Fault> {
    let tx = Tx::new(connection, service);
    // Tables that every version has: a backup may be what somebody wants before the schema changes.
    tx.query_one(
        "SELECT store_meta.epoch, feed_head.head FROM store_meta, feed_head",
        &[],
        |row| {
            Ok(Position {
                epoch: row.get(0)?,
                sequence: row.get(1)?,
            })
        },
    )
}

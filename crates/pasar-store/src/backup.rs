//! Copies of databases in files, all of one moment, while whoever writes them goes on.
//!
//! The moment is one at which this process holds the write locks of all of them. Then nobody is within a commit, so
//! no follower is ahead of what it follows; the lanes wait, in this process or another, until a snapshot of each
//! database is open. A server's databases are copied by its own tools.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use pasar_contracts::event::Service;

use crate::{
    clock::Clock,
    engine::{Access, Connection, sqlite},
    fault::Fault,
    follower::Position,
    migration::{self, Migration},
    tx::Tx,
};

/// A database that is to be copied.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub service: Service,
    pub file: &'a Path,
    pub migrations: &'static [Migration],
}

/// Takes the write lock of a database.
struct Writer {
    service: Service,
    file: PathBuf,
    connection: sqlite::Connection,
    /// What it was when this began; another's commit changes it.
    version: i64,
}

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
    #[error(
        "failed to hold all databases still within {} s: that of {service} is written all the time; try again",
        PATIENCE.as_secs()
    )]
    Busy { service: Service },
    #[error(
        "failed to hold all databases still within {} s: nobody wrote to {} in that time, and yet somebody had it \
         locked; end what has it open besides Pasar, such as a tool for SQLite within a transaction",
        PATIENCE.as_secs(),
        file.display()
    )]
    Locked { file: PathBuf },
}

/// Lanes wait five seconds for a lock, and their callers with them: they must not wait for long, let alone in vain.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// For a pause that is short enough.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a lock. A lane lets go of its own for a moment only.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// After a pause that came to nothing the lanes go on for so long.
const REST: Duration = Duration::from_millis(250);

/// Opens a snapshot of each database, all of one moment. The files must exist, and be what they are called.
pub fn hold_still(databases: &[Source<'_>], clock: &dyn Clock) -> Result<Moment, BackupError> {
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for source in databases {
        readers.push((source.service, source.reader()?));
    }
    for source in databases {
        writers.push(source.writer()?);
    }
    let begun = clock.monotonic();
    loop {
        let locked_at = match lock_all(&writers, clock, begun + PATIENCE)? {
            Ok(locked_at) => locked_at,
            Err(waited_for) if clock.monotonic() >= begun + PATIENCE => {
                return Err(waited_for.gave_up()?);
            }
            Err(_) => {
                wait(REST);
                continue;
            }
        };
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

impl Source<'_> {
    fn reader(&self) -> Result<Connection, BackupError> {
        let open = || {
            let connection =
                sqlite::Connection::open(self.file, Access::Read).map(Connection::Sqlite)?;
            migration::refuse_another(&connection, self.migrations)?;
            Ok(connection)
        };
        open().map_err(|source| self.failed(source))
    }

    fn writer(&self) -> Result<Writer, BackupError> {
        let open = || {
            let connection = sqlite::Connection::open(self.file, Access::Write)?;
            let version = connection.data_version()?;
            Ok((connection, version))
        };
        let (connection, version) = open().map_err(|source| self.failed(source))?;
        Ok(Writer {
            service: self.service,
            file: self.file.to_owned(),
            connection,
            version,
        })
    }

    const fn failed(&self, source: Fault) -> BackupError {
        BackupError::Database {
            service: self.service,
            source,
        }
    }
}

impl Writer {
    fn try_lock(&self) -> Result<bool, BackupError> {
        self.connection
            .try_begin_write()
            .map_err(|source| self.failed(source))
    }

    /// Whether the lock went from hand to hand, or somebody kept it.
    fn gave_up(&self) -> Result<BackupError, BackupError> {
        let version = self.connection.data_version();
        Ok(match version.map_err(|source| self.failed(source))? {
            version if version == self.version => BackupError::Locked {
                file: self.file.clone(),
            },
            _ => BackupError::Busy {
                service: self.service,
            },
        })
    }

    const fn failed(&self, source: Fault) -> BackupError {
        BackupError::Database {
            service: self.service,
            source,
        }
    }
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

/// Takes every lock, and answers when the first was taken; or the database that was waited for, if that took so long
/// that lanes would wait too long.
fn lock_all<'w>(
    writers: &'w [Writer],
    clock: &dyn Clock,
    until: Duration,
) -> Result<Result<Duration, &'w Writer>, BackupError> {
    let begun = clock.monotonic();
    let mut locked_at = None;
    for (at, writer) in writers.iter().enumerate() {
        while !writer.try_lock()? {
            let now = clock.monotonic();
            if now >= locked_at.map_or(until, |first: Duration| first + LONGEST_PAUSE) {
                release(&writers[..at])?;
                return Ok(Err(writer));
            }
            wait(LOOK_EVERY);
        }
        locked_at.get_or_insert_with(|| clock.monotonic());
    }
    Ok(Ok(locked_at.unwrap_or(begun)))
}

fn release(writers: &[Writer]) -> Result<(), BackupError> {
    for writer in writers {
        writer
            .connection
            .rollback()
            .map_err(|source| writer.failed(source))?;
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
    let standing = tx.query_opt(
        "SELECT store_meta.service, store_meta.epoch, feed_head.head FROM store_meta, feed_head",
        &[],
        |row| {
            let position = Position {
                epoch: row.get(1)?,
                sequence: row.get(2)?,
            };
            Ok((row.get::<Service>(0)?, position))
        },
    )?;
    match standing {
        Some((owner, position)) if owner == service => Ok(position),
        Some((owner, _)) => Err(Fault::Corrupt(format!(
            "this is the database of {owner}; put the right one in its place"
        ))),
        None => Err(Fault::Corrupt(
            "it has a schema, and was never used; start its service once".to_owned(),
        )),
    }
}

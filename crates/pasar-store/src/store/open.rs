//! Opening a database: its schema, its epoch, its lanes and whoever else works for it.

use std::{path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use pasar_contracts::event::Service;
use pasar_types::id::EpochId;

use super::{Executor, Inner, Migrated, Migration, OpenError, Place, Store, StoreOptions};
use crate::{
    checkpoint::Checkpointer,
    clock::Clock,
    engine::{self, Access, Connection},
    fault::Fault,
    feed,
    group::{Surroundings, Writer},
    ids::Ids,
    lanes::Lanes,
    migration,
    published::Published,
    readers::{ReadThreads, Readers},
    snapshot,
    tx::Tx,
    watcher::Watcher,
};

/// Weight of a group: what one commit is shared by, and what one caller may wait for.
const MOST_IN_GROUP: usize = 256;
/// Over a network each statement takes longer, and a group's rows are locked for as long as it runs.
const MOST_IN_GROUP_OF_SERVER: usize = 60;
/// Each lane is a thread and a connection.
const MOST_LANES: u32 = 256;

/// Lanes of a new database, where the engine has several writers. Users has one, as its rules go across
/// accounts; the relay has one, as the order of its log's positions must be the order of commits.
const fn lanes_of_new(service: Service) -> u32 {
    match service {
        Service::Users | Service::Relay => 1,
        // They take turns at the end of their groups, and its orders are in all of them: more lanes make more groups.
        Service::Payments => 2,
        _ => 4,
    }
}

impl StoreOptions {
    pub fn file(
        service: Service,
        path: impl Into<PathBuf>,
        migrations: &'static [Migration],
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self::at(service, Place::File(path.into()), migrations, clock, ids)
    }

    pub fn at(
        service: Service,
        place: Place,
        migrations: &'static [Migration],
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self {
            service,
            // Any process that knows its URL may have it open.
            shared: place.file().is_none(),
            place,
            migrations,
            migrate: true,
            lanes: lanes_of_new(service),
            executor: Executor::Threads,
            needed: snapshot::every,
            clock,
            ids,
        }
    }
}

impl Store {
    /// Makes what the database lacks, and starts its lanes.
    pub fn open(options: StoreOptions) -> Result<Self, OpenError> {
        let (service, place) = (options.service, options.place.clone());
        Self::open_inner(options).map_err(|source| OpenError::new(service, place, source))
    }

    fn open_inner(options: StoreOptions) -> Result<Self, Fault> {
        let StoreOptions {
            service,
            place,
            migrations,
            migrate,
            lanes,
            executor,
            needed,
            shared,
            clock,
            ids,
        } = options;
        let connection = Connection::open(&place, Access::Write)?;
        connection.check_durability()?;
        if migrate {
            migration::run(&connection, migrations, clock.now())?;
        } else {
            migration::verify(&connection, migrations)?;
        }
        let lanes = match place {
            Place::File(_) => engine::SQLITE_LANES,
            Place::Postgres(_) => lanes.clamp(1, MOST_LANES),
        };
        let (epoch, lanes) = begin_epoch(&connection, service, lanes, &*clock, &*ids)?;
        let tx = Tx::new(&connection, service);
        let (ends, trimmed) = (feed::ends(&tx)?, feed::trimmed(&tx)?);
        let published = Arc::new(Published::new(ends.head, trimmed, shared));
        let readers = Arc::new(Readers::new(place.clone()));
        let checkpointer = match (executor, place.file()) {
            (Executor::Threads, Some(path)) => Checkpointer::spawn(service, path)?,
            _ => Checkpointer::inline(),
        };
        let surroundings = Surroundings {
            service,
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            published: Arc::clone(&published),
            shared,
        };
        let mut writers = Vec::new();
        let mut first = Some((connection, checkpointer));
        for lane in 0..lanes {
            let (connection, checkpointer) = match first.take() {
                Some(first) => first,
                None => (
                    Connection::open(&place, Access::Write)?,
                    Checkpointer::inline(),
                ),
            };
            writers.push(Writer::new(connection, checkpointer, lane, &surroundings));
        }
        let most_in_group = match place {
            Place::File(_) => MOST_IN_GROUP,
            Place::Postgres(_) => MOST_IN_GROUP_OF_SERVER,
        };
        let lanes = match executor {
            Executor::Inline => Lanes::inline(writers),
            Executor::Threads => Lanes::spawn(service, writers, most_in_group)?,
        };
        let has_threads = executor == Executor::Threads;
        let read_threads = (has_threads && place.file().is_none())
            .then(|| ReadThreads::spawn(service))
            .transpose()?;
        let watch = || Watcher::spawn(service, Arc::clone(&readers), Arc::clone(&published), ends);
        let watcher = (has_threads && shared).then(watch).transpose()?;
        Ok(Self(Arc::new(Inner {
            service,
            epoch,
            needed,
            clock,
            ids,
            lanes,
            published,
            followers: Mutex::default(),
            readers,
            read_threads,
            watcher: Mutex::new(watcher),
            shared,
        })))
    }

    /// Brings a database to the newest schema and closes it again.
    pub fn migrate(options: &StoreOptions) -> Result<Migrated, OpenError> {
        let migrate = || {
            let connection = Connection::open(&options.place, Access::Write)?;
            migration::run(&connection, options.migrations, options.clock.now())
        };
        migrate().map_err(|source| OpenError::new(options.service, options.place.clone(), source))
    }
}

impl OpenError {
    pub(crate) fn new(service: Service, place: Place, source: Fault) -> Self {
        Self {
            service,
            advice: engine::open_error(&source, &place),
            place,
            source,
        }
    }
}

/// The epoch and the number of lanes: what is proposed, where the database has none yet.
fn begin_epoch(
    connection: &Connection,
    service: Service,
    lanes: u32,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Result<(EpochId, u32), Fault> {
    let new = EpochId::from_uuid(ids.uuid_v7(clock.now()));
    let tx = Tx::new(connection, service);
    tx.execute(
        "INSERT INTO store_meta (one, service, lanes, epoch) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (one) DO NOTHING",
        &[&service, &lanes, &new],
    )?;
    let (owner, lanes, epoch) =
        tx.query_one("SELECT service, lanes, epoch FROM store_meta", &[], |row| {
            Ok((row.get::<Service>(0)?, row.get::<u32>(1)?, row.get(2)?))
        })?;
    if owner != service {
        return Err(Fault::Corrupt(format!(
            "the database belongs to {owner}, not to {service}"
        )));
    }
    if !(1..=MOST_LANES).contains(&lanes) {
        return Err(Fault::Corrupt(format!("the database has {lanes} lanes")));
    }
    Ok((epoch, lanes))
}

//! A database of a test's own on the engine under test. (The testkit, which has one, stands on the chassis.)

use std::{env, sync::Arc};

use pasar_contracts::event::Service;
use pasar_store::{
    clock::SystemClock,
    ids::{Ids, SystemIds},
    place::Place,
    scratch,
    snapshot::Needed,
    store::{Migration, Store, StoreOptions},
};

pub(super) struct Database {
    service: Service,
    migrations: &'static [Migration],
    needed: Needed,
    place: Place,
    _folder: tempfile::TempDir,
}

impl Database {
    pub(super) fn new(service: Service, migrations: &'static [Migration], needed: Needed) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = match env::var("ENGINE_UNDER_TEST").as_deref() {
            Ok("postgres") => {
                let mut random = [0; 6];
                SystemIds::default().fill(&mut random);
                let name = random.iter().map(|byte| format!("{byte:02x}"));
                let url = env::var("TEST_POSTGRES").unwrap();
                let schema = name.collect::<String>();
                Place::postgres(&format!("{url}?schema=t{schema}")).unwrap()
            }
            _ => Place::File(folder.path().join("a.db")),
        };
        Self {
            service,
            migrations,
            needed,
            place,
            _folder: folder,
        }
    }

    pub(super) fn open(&self) -> Store {
        let options = StoreOptions::at(
            self.service,
            self.place.clone(),
            self.migrations,
            Arc::new(SystemClock),
            Arc::new(SystemIds::default()),
        );
        Store::open(StoreOptions {
            needed: self.needed,
            ..options
        })
        .unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A store that still runs keeps its schema; it goes with the server's data.
        let _ = scratch::remove(&self.place);
    }
}

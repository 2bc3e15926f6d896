//! Databases of a test's own, on the engine under test: files in a folder, or schemas on the PostgreSQL server
//! that `cargo xtask servers` started, when `ENGINE_UNDER_TEST=postgres`. All goes with the folder.

use std::{env, fmt::Write as _, path::Path};

use parking_lot::Mutex;
use pasar_chassis::databases::Databases;
use pasar_contracts::event::Service;
use pasar_store::{
    ids::{Ids, SystemIds},
    place::Place,
    scratch,
};
use tempfile::TempDir;

/// A folder, and the databases that belong to it. Keep it for longer than the stores.
pub struct Folder {
    folder: TempDir,
    databases: Databases,
    made: Mutex<Vec<Place>>,
}

/// What services of a host may make on a server.
const OF_A_HOST: [&str; 6] = [
    "users",
    "inventory",
    "orders",
    "payments",
    "relay",
    "sandbox",
];

impl Folder {
    /// # Panics
    /// If there is no temporary folder, or no server where one is to be tested with.
    #[must_use]
    pub fn new() -> Self {
        let databases = server().map_or_else(Databases::default, |url| {
            let mut random = [0; 6];
            SystemIds::default().fill(&mut random);
            let mut prefix = "t".to_owned();
            for byte in random {
                // Writing into a string cannot fail.
                let _ = write!(prefix, "{byte:02x}");
            }
            Databases::on_server(&format!("{url}?schema={prefix}_{{service}}"))
                .expect("TEST_POSTGRES is the URL of a database")
                .alone()
        });
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            databases,
            made: Mutex::default(),
        }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// For a host.
    #[must_use]
    pub fn databases(&self) -> Databases {
        if self.databases.are_on_server() {
            let places = OF_A_HOST.map(|name| self.databases.named(self.path(), name));
            self.made.lock().extend(places);
        }
        self.databases.clone()
    }

    /// The place of a service's database.
    #[must_use]
    pub fn place(&self, service: Service) -> Place {
        self.named(service.as_str())
    }

    /// The place of a database by another name.
    #[must_use]
    pub fn named(&self, name: &str) -> Place {
        let place = self.databases.named(self.path(), name);
        self.made.lock().push(place.clone());
        place
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for place in self.made.get_mut().drain(..) {
            // A store that still runs keeps its schema; it goes with the server's data.
            let _ = scratch::remove(&place);
        }
    }
}

/// Whether tests run on PostgreSQL.
///
/// # Panics
/// If an engine is asked for that there is not.
#[must_use]
pub fn is_on_server() -> bool {
    server().is_some()
}

fn server() -> Option<String> {
    let engine = env::var("ENGINE_UNDER_TEST").ok()?;
    match engine.as_str() {
        "sqlite" => None,
        "postgres" => {
            let url = env::var("TEST_POSTGRES");
            Some(url.expect("`cargo xtask servers run -- COMMAND` sets TEST_POSTGRES"))
        }
        other => panic!("there is no engine called {other}"),
    }
}

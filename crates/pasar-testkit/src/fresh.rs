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
    /// Of its databases on a server, with `{service}` in it.
    url: Option<String>,
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
        Self::with(server().as_deref())
    }

    /// Files, whatever the engine under test is.
    ///
    /// # Panics
    /// If there is no temporary folder.
    #[must_use]
    pub fn of_files() -> Self {
        Self::with(None)
    }

    /// Schemas of a database of PostgreSQL, whatever the engine under test is.
    ///
    /// # Panics
    /// If there is no temporary folder, or the URL names no database.
    #[must_use]
    pub fn on(server: &str) -> Self {
        Self::with(Some(server))
    }

    fn with(server: Option<&str>) -> Self {
        let url = server.map(|server| format!("{server}?schema={}_{{service}}", fresh_prefix()));
        let databases = url.as_deref().map_or_else(Databases::default, |url| {
            Databases::on_server(url)
                .expect("the URL of a database of PostgreSQL")
                .alone()
        });
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            url,
            databases,
            made: Mutex::default(),
        }
    }

    /// What a process is told of its databases, if they are on a server.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
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

fn fresh_prefix() -> String {
    let mut random = [0; 6];
    SystemIds::default().fill(&mut random);
    let mut prefix = "t".to_owned();
    for byte in random {
        // Writing into a string cannot fail.
        let _ = write!(prefix, "{byte:02x}");
    }
    prefix
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

//! A database of a test's own: a file, or a schema on the server that `cargo xtask servers` started, when the test
//! command asks for that engine.

use std::sync::atomic::{AtomicU32, Ordering};

use pasar_store::{
    ids::{Ids, SystemIds},
    place::Place,
    scratch,
};

pub(crate) struct Fresh {
    pub(crate) place: Place,
    pub(crate) folder: tempfile::TempDir,
    /// Empty for a file.
    pub(crate) schema: String,
}

impl Fresh {
    /// On the engine under test.
    pub(crate) fn new() -> Self {
        match url() {
            Some(url) => Self::on(&url),
            None => {
                let folder = tempfile::tempdir().unwrap();
                let place = Place::File(folder.path().join("orders.db"));
                Self {
                    place,
                    folder,
                    schema: String::new(),
                }
            }
        }
    }

    /// On PostgreSQL; `None` where that is not under test: the test command runs all tests on each engine.
    pub(crate) fn postgres() -> Option<Self> {
        url().as_deref().map(Self::on)
    }

    /// The URL of its schema on the server under test.
    pub(crate) fn url(&self) -> String {
        format!("{}?schema={}", url().unwrap(), self.schema)
    }

    /// False where another engine is under test.
    pub(crate) fn is_sqlite() -> bool {
        url().is_none()
    }

    fn on(url: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let mut random = [0; 6];
        SystemIds::default().fill(&mut random);
        let name = random.iter().map(|byte| format!("{byte:02x}"));
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let schema = format!("t{number}_{}", name.collect::<String>());
        Self {
            place: Place::postgres(&format!("{url}?schema={schema}")).unwrap(),
            folder: tempfile::tempdir().unwrap(),
            schema,
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // A store that still runs keeps its schema; it goes with the server's folder.
        let _ = scratch::remove(&self.place);
    }
}

/// Of a database on the server, if tests are to run on it.
pub(crate) fn url() -> Option<String> {
    let engine = std::env::var("ENGINE_UNDER_TEST").ok()?;
    match engine.as_str() {
        "postgres" => Some(
            std::env::var("TEST_POSTGRES").expect("`cargo xtask servers run` sets TEST_POSTGRES"),
        ),
        "sqlite" => None,
        other => panic!("there is no engine called {other}"),
    }
}

//! The real program, started on a free port with a data folder of its own.
//!
//! When a system is dropped, it is told to end, must end well, and `pasar check` must find nothing:
//! so every test also proves that nothing is left over.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    thread,
};

use pasar_testkit::process::Process;
use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;

/// A running system.
pub(crate) struct System {
    process: Process,
    url: String,
    folder: Folder,
}

/// Where a system keeps what outlives its process.
#[derive(Clone)]
pub(crate) struct Folder {
    folder: Arc<TempDir>,
    config: String,
}

/// How the line begins that the program says once it takes requests; it ends in the address.
const READY: &str = "pasar ";

impl Folder {
    /// `config` is what differs from the defaults.
    pub(crate) fn new(config: &str) -> Self {
        Self {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            config: format!("{config}\n{MANY_REQUESTS}"),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log.txt")
    }

    /// The program with the demo's menu and keys, ready to be started.
    pub(crate) fn command(&self) -> Command {
        let config = self.folder.path().join("pasar.toml");
        fs::write(&config, &self.config).unwrap();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = program();
        command
            .args(["up", "--demo", "--bind", "127.0.0.1:0"])
            .arg("--data")
            .arg(self.data())
            .arg("--config")
            .arg(config)
            .stderr(log);
        command
    }

    /// The key that `demo.env` has for a role.
    pub(crate) fn key(&self, role: &str) -> String {
        let text = fs::read_to_string(self.data().join("demo.env")).unwrap();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{role}=")));
        value
            .unwrap_or_else(|| panic!("no {role} in demo.env"))
            .to_owned()
    }

    pub(crate) fn print_log(&self) {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines.len().saturating_sub(80);
        println!("the system's log ends:\n{}", lines[end..].join("\n"));
    }
}

/// Tests call far more often than a client may.
const MANY_REQUESTS: &str = "[gateway.rate_limits]
anonymous = { requests = 0, per_s = 60 }
authenticated = { requests = 0, per_s = 60 }
login = { requests = 0, per_s = 60 }
";

/// The program without the variables of whoever runs the tests.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pasar"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PASAR_") {
            command.env_remove(name);
        }
    }
    command
}

impl System {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    pub(crate) fn start_with(config: &str) -> Self {
        Self::start_in(Folder::new(config))
    }

    pub(crate) fn start_in(folder: Folder) -> Self {
        let mut process = Process::start(&mut folder.command()).unwrap();
        let url = ready_at(&mut process).unwrap_or_else(|error| {
            folder.print_log();
            panic!("{error}");
        });
        Self {
            process,
            url,
            folder,
        }
    }

    pub(crate) fn api(&self, role: &str) -> Api {
        Api::new(&self.url, Some(self.folder.key(role)))
    }

    pub(crate) fn anonymous(&self) -> Api {
        Api::new(&self.url, None)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What is left when the system is dropped.
    pub(crate) fn into_folder(self) -> Folder {
        self.folder.clone()
    }

    /// Waits until followers and effects have done all that there is to do.
    pub(crate) async fn quiet(&self) {
        let data = self.folder.data();
        let checked = tokio::task::spawn_blocking(move || check(&data, &[]))
            .await
            .unwrap();
        assert!(checked.0.status.success(), "{:#}", checked.1);
    }

    /// Asks it to end and waits for it.
    pub(crate) fn stop(&mut self) {
        let told = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(told.success());
        let ended = self.process.wait().unwrap();
        assert!(ended.success(), "the system ended with {ended}");
    }
}

impl System {
    /// The same data under a new process, after [`System::stop`].
    pub(crate) fn start_again(mut self) -> Self {
        assert!(self.process.ended().unwrap().is_some(), "it still runs");
        self.process = Process::start(&mut self.folder.command()).unwrap();
        self.url = ready_at(&mut self.process).unwrap();
        self
    }
}

pub(crate) fn ready_at(process: &mut Process) -> std::io::Result<String> {
    let line = process.wait_for_line(READY)?;
    Ok(line.rsplit(' ').next().unwrap_or_default().to_owned())
}

/// Runs `pasar check` on a data folder.
pub(crate) fn check(data: &Path, more: &[&str]) -> (Output, Value) {
    let output = program()
        .args(["check", "--json", "--data"])
        .arg(data)
        .args(more)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, report)
}

impl Drop for System {
    fn drop(&mut self) {
        if thread::panicking() {
            self.folder.print_log();
            return;
        }
        if self.process.ended().unwrap().is_none() {
            self.stop();
        }
        let (output, report) = check(&self.folder.data(), &[]);
        assert!(output.status.success(), "check says {report:#}");
        assert_eq!(report["in_flight"], Value::Array(Vec::new()), "{report:#}");
    }
}

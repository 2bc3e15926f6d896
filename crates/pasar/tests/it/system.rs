//! The real program, started on free ports with a data folder of its own: as one process, or as one for each
//! service and the gateway. `SHAPE_UNDER_TEST=processes` runs every test of a system in the second shape.
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

use crate::{api::Api, ports::free_ports};

/// A running system.
pub(crate) struct System {
    /// By the name of what each runs; the gateway, or all in one, is the last.
    processes: Vec<(&'static str, Process)>,
    url: String,
    folder: Folder,
}

/// Where a system keeps what outlives its processes.
#[derive(Clone)]
pub(crate) struct Folder {
    folder: Arc<TempDir>,
    config: String,
    shape: Shape,
}

/// What the processes of a system are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    One,
    /// One a service, and the gateway.
    Apart,
}

/// What runs in a process of its own; the gateway comes last.
pub(crate) const APART: [&str; 6] = [
    "users",
    "inventory",
    "orders",
    "payments",
    "relay",
    "gateway",
];
/// In the shape of one process.
const ALL: &str = "all";
const GATEWAY: &str = "gateway";
const SHAPE: &str = "SHAPE_UNDER_TEST";

/// How the line begins that the program says once it takes requests; it ends in the address.
const READY: &str = "pasar ";

impl Shape {
    fn under_test() -> Self {
        match std::env::var(SHAPE).as_deref() {
            Ok("processes") => Self::Apart,
            Ok("one") | Err(_) => Self::One,
            Ok(other) => panic!("{SHAPE} is one or processes, not {other}"),
        }
    }
}

impl Folder {
    /// For one process. `config` is what differs from the defaults.
    pub(crate) fn new(config: &str) -> Self {
        Self {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            config: format!("{config}\n{MANY_REQUESTS}"),
            shape: Shape::One,
        }
    }

    pub(crate) fn of_shape(shape: Shape, config: &str) -> Self {
        let mut folder = Self::new(config);
        folder.shape = shape;
        if shape == Shape::Apart {
            let ports = free_ports::<{ APART.len() }>();
            folder.config = apart(&folder.config, ports);
        }
        folder
    }

    /// The programs of the system, ready to be started.
    fn commands(&self) -> Vec<(&'static str, Command)> {
        match self.shape {
            Shape::One => vec![(ALL, self.command())],
            Shape::Apart => APART.map(|name| (name, self.command_of(name))).into(),
        }
    }

    pub(crate) fn command_of(&self, name: &str) -> Command {
        let mut command = self.program();
        command.args(["up", name, "--only", "--demo"]);
        self.add_places(command)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log.txt")
    }

    /// The program with the demo's menu and keys, ready to be started as one process.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.program();
        command.args(["up", "--demo", "--bind", "127.0.0.1:0"]);
        self.add_places(command)
    }

    fn program(&self) -> Command {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = program();
        command.stderr(log);
        command
    }

    fn add_places(&self, mut command: Command) -> Command {
        let config = self.folder.path().join("pasar.toml");
        fs::write(&config, &self.config).unwrap();
        command
            .arg("--data")
            .arg(self.data())
            .arg("--config")
            .arg(config);
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

    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub(crate) fn print_log(&self) {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines.len().saturating_sub(80);
        println!("the system's log ends:\n{}", lines[end..].join("\n"));
    }
}

/// What processes of one machine have to know of each other.
fn apart(config: &str, ports: [u16; APART.len()]) -> String {
    let gateway = ports[APART.len() - 1];
    let mut text = format!(
        "public_url = \"http://127.0.0.1:{gateway}\"\ndrain_notice_ms = 500\ngateway.bind = \"127.0.0.1:{gateway}\"\n{config}\n"
    );
    for (name, port) in APART
        .iter()
        .zip(ports)
        .filter(|(name, _)| **name != GATEWAY)
    {
        text += &format!(
            "[services.{name}]\nurls = [\"http://127.0.0.1:{port}\"]\nbind = \"127.0.0.1:{port}\"\n"
        );
    }
    text
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
        Self::start_in(Folder::of_shape(Shape::under_test(), config))
    }

    pub(crate) fn start_in(folder: Folder) -> Self {
        let (processes, url) = start_all(&folder);
        Self {
            processes,
            url,
            folder,
        }
    }

    /// Kills one process at once, as a power cut would.
    pub(crate) fn kill(&mut self, name: &str) {
        self.process(name).kill().unwrap();
    }

    /// Starts one again that was killed.
    pub(crate) fn revive(&mut self, name: &'static str) {
        let mut process = Process::start(&mut self.folder.command_of(name)).unwrap();
        ready_at(&mut process).unwrap_or_else(|error| {
            self.folder.print_log();
            panic!("{error}");
        });
        *self.process(name) = process;
    }

    fn process(&mut self, name: &str) -> &mut Process {
        let found = self.processes.iter_mut().find(|(known, _)| *known == name);
        &mut found.expect("the system has such a process").1
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

    /// Asks it to end and waits for it: first the gateway, so that nobody asks what has ended.
    pub(crate) fn stop(&mut self) {
        let (last, others) = self.processes.split_last_mut().unwrap();
        tell_to_end(&last.1);
        wait_for_end(last);
        for (_, process) in &*others {
            tell_to_end(process);
        }
        others.iter_mut().for_each(wait_for_end);
    }
}

impl System {
    /// The same data under new processes, after [`System::stop`].
    pub(crate) fn start_again(mut self) -> Self {
        for (name, process) in &mut self.processes {
            assert!(process.ended().unwrap().is_some(), "{name} still runs");
        }
        (self.processes, self.url) = start_all(&self.folder);
        self
    }
}

fn tell_to_end(process: &Process) {
    let told = Command::new("kill")
        .arg(process.id().to_string())
        .status()
        .unwrap();
    assert!(told.success());
}

fn wait_for_end((name, process): &mut (&'static str, Process)) {
    let ended = process.wait().unwrap();
    assert!(ended.success(), "{name} ended with {ended}");
}

/// Answers where clients reach it. The gateway comes last, so that it finds the others when it takes requests.
fn start_all(folder: &Folder) -> (Vec<(&'static str, Process)>, String) {
    let start =
        |(name, command): &mut (&'static str, Command)| (*name, Process::start(command).unwrap());
    let wait = |(name, process): &mut (&'static str, Process)| {
        ready_at(process).unwrap_or_else(|error| {
            folder.print_log();
            panic!("{name}: {error}");
        })
    };
    let mut commands = folder.commands();
    let mut last = commands.pop().unwrap();
    let mut processes: Vec<_> = commands.iter_mut().map(start).collect();
    for process in &mut processes {
        wait(process);
    }
    let mut last = start(&mut last);
    let url = wait(&mut last);
    processes.push(last);
    (processes, url)
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
        if self.processes[0].1.ended().unwrap().is_none() {
            self.stop();
        }
        let (output, report) = check(&self.folder.data(), &[]);
        assert!(output.status.success(), "check says {report:#}");
        assert_eq!(report["in_flight"], Value::Array(Vec::new()), "{report:#}");
    }
}

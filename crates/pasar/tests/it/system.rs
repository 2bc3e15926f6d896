//! The real program, started on free ports with a data folder of its own: as one process, as one for each
//! service and the gateway, or as two for each service on PostgreSQL. `SHAPE_UNDER_TEST=processes` runs every test
//! of a system in the second shape, `SHAPE_UNDER_TEST=cluster` in the third.
//!
//! When a system is dropped, it is told to end, must end well, and `pasar check` must find nothing:
//! so every test also proves that nothing is left over.

mod folder;

use std::{
    path::Path,
    process::{Command, Output},
    thread,
};

use pasar_testkit::process::Process;
use serde_json::Value;

use self::folder::CONFIG;
pub(crate) use self::folder::{APART, Folder, Shape, program};
use crate::api::Api;

/// A running system.
pub(crate) struct System {
    /// The gateway, or all in one, is the last.
    processes: Vec<Instance>,
    url: String,
    folder: Folder,
}

/// One process of a system.
struct Instance {
    /// What it runs.
    name: &'static str,
    /// From 0, among those that run the same.
    number: usize,
    process: Process,
}

/// How the line begins that the program says once it takes requests; it ends in the address.
const READY: &str = "pasar ";

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
        self.kill_instance(name, 0);
    }

    pub(crate) fn kill_instance(&mut self, name: &str, number: usize) {
        self.instance(name, number).process.kill().unwrap();
    }

    /// Starts one again that was killed.
    pub(crate) fn revive(&mut self, name: &'static str) {
        self.revive_instance(name, 0);
    }

    pub(crate) fn revive_instance(&mut self, name: &'static str, number: usize) {
        let mut command = self.folder.command_of_instance(name, number);
        let mut process = Process::start(&mut command).unwrap();
        ready_at(&mut process).unwrap_or_else(|error| {
            self.folder.print_log();
            panic!("{error}");
        });
        self.instance(name, number).process = process;
    }

    /// Asks one process to end, and waits for it.
    pub(crate) fn end_instance(&mut self, name: &str, number: usize) {
        let instance = self.instance(name, number);
        tell(&instance.process, "-TERM");
        wait_for_end(instance);
    }

    /// Stops a process where it stands, or lets it go on.
    pub(crate) fn signal_instance(&mut self, name: &str, number: usize, signal: &str) {
        tell(&self.instance(name, number).process, signal);
    }

    fn instance(&mut self, name: &str, number: usize) -> &mut Instance {
        let is_it = |instance: &&mut Instance| instance.name == name && instance.number == number;
        let found = self.processes.iter_mut().find(is_it);
        found.expect("the system has such a process")
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

    /// What is started from now on is of this version.
    pub(crate) fn go_on_with_this_version(&mut self) {
        self.folder.start_with_program(None);
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
        tell(&last.process, "-TERM");
        wait_for_end(last);
        for instance in &*others {
            tell(&instance.process, "-TERM");
        }
        others.iter_mut().for_each(wait_for_end);
    }
}

impl System {
    /// The same data under new processes, after [`System::stop`].
    pub(crate) fn start_again(mut self) -> Self {
        for Instance { name, process, .. } in &mut self.processes {
            assert!(process.ended().unwrap().is_some(), "{name} still runs");
        }
        (self.processes, self.url) = start_all(&self.folder);
        self
    }
}

fn tell(process: &Process, signal: &str) {
    let told = Command::new("kill")
        .args([signal, &process.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success());
}

fn wait_for_end(instance: &mut Instance) {
    let ended = instance.process.wait().unwrap();
    assert!(ended.success(), "{} ended with {ended}", instance.name);
}

/// Answers where clients reach it. The gateway comes last, so that it finds the others when it takes requests.
fn start_all(folder: &Folder) -> (Vec<Instance>, String) {
    let start = |(name, number, command): &mut (&'static str, usize, Command)| Instance {
        name,
        number: *number,
        process: Process::start(command).unwrap(),
    };
    let wait = |instance: &mut Instance| {
        ready_at(&mut instance.process).unwrap_or_else(|error| {
            folder.print_log();
            panic!("{}: {error}", instance.name);
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

/// Runs `pasar check` on a data folder, or on what the configuration beside it names.
pub(crate) fn check(data: &Path, more: &[&str]) -> (Output, Value) {
    let config = data.with_file_name(CONFIG);
    let config = config.is_file().then(|| ["--config".into(), config]);
    let output = program()
        .args(["check", "--json", "--data"])
        .arg(data)
        .args(config.into_iter().flatten())
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
        if self.processes[0].process.ended().unwrap().is_none() {
            self.stop();
        }
        let (output, report) = check(&self.folder.data(), &[]);
        assert!(output.status.success(), "check says {report:#}");
        assert_eq!(report["in_flight"], Value::Array(Vec::new()), "{report:#}");
    }
}

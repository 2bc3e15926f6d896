//! Bad input at every route: schemathesis against a running demo. What it tries and what must hold is
//! in `crates/pasar/tests/api`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{
    python,
    workspace::{self, Workspace},
};

const SCRIPT: &str = "crates/pasar/tests/api/run.py";
/// It calls far more often than a client may.
const CONFIG: &str = "[gateway.rate_limits]
anonymous = { requests = 0, per_s = 60 }
authenticated = { requests = 0, per_s = 60 }
login = { requests = 0, per_s = 60 }
";

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    if let Some(what) = python::missing() {
        bail!(what);
    }
    run_against(workspace, &workspace.build_tests()?)
}

pub(crate) fn run_against(workspace: &Workspace, program: &Path) -> anyhow::Result<()> {
    let python = python::environment(workspace)?.join("python");
    let folder = workspace.target().join("api");
    let data = folder.join("data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    fs::create_dir_all(&folder)?;
    let system = System::start(program, &folder, &data)?;
    let mut command = workspace.program(python);
    workspace::run(command.arg(SCRIPT).arg(&system.url).arg(&data))?;
    drop(system);
    // Whatever was tried, the databases still agree.
    workspace::run(Command::new(program).args(["check", "--data"]).arg(&data))
}

/// A demo that runs as long as this lives.
struct System {
    process: Child,
    url: String,
    /// What it says after the first line goes here; a closed pipe would end it.
    _output: BufReader<ChildStdout>,
}

impl System {
    fn start(program: &Path, folder: &Path, data: &Path) -> anyhow::Result<Self> {
        let config = folder.join("pasar.toml");
        fs::write(&config, CONFIG)?;
        let log = fs::File::create(folder.join("log.txt"))?;
        let mut process = Command::new(program)
            .args(["up", "--demo", "--bind", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start the program")?;
        let mut output = BufReader::new(process.stdout.take().context("its output is piped")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        // The first line ends in the address.
        let url = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        anyhow::ensure!(
            url.starts_with("http"),
            "it ended before it was ready: see log.txt"
        );
        Ok(Self {
            process,
            url,
            _output: output,
        })
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // A kill is an end like any other: the check that follows must find nothing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

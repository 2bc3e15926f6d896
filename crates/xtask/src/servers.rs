//! Real brokers for tests and examples: started on ports of their own below `target/servers`, and stopped again.
//!
//! What the tests need to know stands in `servers.json` there; `pasar_testkit::servers` reads it.

mod authority;
mod install;
mod kafka;
mod mosquitto;
mod nats;
mod place;
mod postgres;
pub(crate) mod process;
mod rabbitmq;
mod redis;

use std::{
    collections::BTreeMap,
    env, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::{place::Place, process::Program};
use crate::workspace::{self, Workspace};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Install what is missing and start the servers; those that run already are left as they are
    Start {
        /// Only these: redis, nats, rabbitmq, mosquitto, kafka, postgres
        names: Vec<String>,
    },
    /// Stop what was started; the data stays
    Stop { names: Vec<String> },
    /// End what was started as a crash would, with SIGKILL; the data stays
    Kill { names: Vec<String> },
    /// Start them, run a command with `PASAR_TEST_SERVERS` set, and stop them again
    Run {
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<String>,
    },
}

/// One kind of server.
struct Kind {
    name: &'static str,
    /// Programs that must be there, and the Debian packages that bring them.
    needs: &'static [(&'static str, &'static str)],
    /// What else it needs: things that come from elsewhere.
    fetch: fn(&Workspace, &Place) -> anyhow::Result<()>,
    /// `Place::port` of these gives its ports, without TLS and with it.
    port: u16,
    tls_port: u16,
    /// Writes its configuration; gives the programs to start, in order.
    prepare: fn(&Place) -> anyhow::Result<Vec<Program>>,
    /// Whether it answers as it should on its first port.
    answers: fn(&Place, &mut TcpStream) -> io::Result<bool>,
}

const KINDS: [Kind; 6] = [
    redis::KIND,
    nats::KIND,
    mosquitto::KIND,
    rabbitmq::KIND,
    kafka::KIND,
    postgres::KIND,
];

/// How long a server may take to answer after it was started.
const START_LIMIT: Duration = Duration::from_secs(90);
/// And to answer one question.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    match &options.action {
        Action::Start { names } => {
            let servers = start(workspace, names)?;
            servers.print();
            for (name, why) in &servers.missing {
                println!("{name:<10} left out: {why}");
            }
            ensure!(
                servers.missing.is_empty() || !workspace::in_ci(),
                "in CI nothing may be left out"
            );
        }
        Action::Stop { names } => stop(workspace, &kinds(names)?)?,
        Action::Kill { names } => kill(workspace, &kinds(names)?)?,
        Action::Run { command } => {
            let servers = start(workspace, &[])?;
            let (program, args) = command.split_first().context("a command is required")?;
            let result = workspace::run(servers.told_to(workspace.program(program).args(args)));
            stop(workspace, &servers.started)?;
            result?;
        }
    }
    Ok(())
}

/// Servers that run.
pub(crate) struct Servers {
    listing: PathBuf,
    place: Place,
    running: Vec<&'static Kind>,
    /// Those that did not run before.
    started: Vec<&'static Kind>,
    /// Those that cannot be had here, and why.
    missing: BTreeMap<&'static str, String>,
}

impl Servers {
    /// Tells a command where the servers are.
    pub(crate) fn told_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        if self.has_postgres() {
            command
                .env("TEST_POSTGRES", postgres::url(&self.place))
                .env("TEST_POSTGRES_CA", self.place.ca());
        }
        command.env("PASAR_TEST_SERVERS", &self.listing)
    }

    /// Of a database for tests and tries, if PostgreSQL runs.
    pub(crate) fn postgres_url(&self) -> Option<String> {
        self.has_postgres().then(|| postgres::url(&self.place))
    }

    pub(crate) fn has_postgres(&self) -> bool {
        self.running
            .iter()
            .any(|kind| kind.name == postgres::KIND.name)
    }

    /// Stops those that were started.
    pub(crate) fn stop(&self, workspace: &Workspace) -> anyhow::Result<()> {
        stop(workspace, &self.started)
    }

    /// Says which servers cannot be had, if any.
    pub(crate) fn missing_said(&self) -> Option<String> {
        let said: Vec<_> = self
            .missing
            .iter()
            .map(|(name, why)| format!("tests with {name}: {why}"))
            .collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    fn print(&self) {
        for kind in &self.running {
            let port = self.place.port(kind.port);
            println!(
                "{:<10} 127.0.0.1:{port}, with TLS :{}",
                kind.name,
                self.place.port(kind.tls_port),
            );
        }
        println!(
            "user {}, password {}, CA {}; all in {}",
            place::USER,
            self.place.password,
            self.place.ca().display(),
            self.listing.display()
        );
    }
}

/// Starts these servers, or all, and waits until each answers.
pub(crate) fn start(workspace: &Workspace, names: &[String]) -> anyhow::Result<Servers> {
    let began = Instant::now();
    let place = Place::open(&workspace.target().join("servers"))?;
    authority::ensure(&place)?;
    let mut missing = BTreeMap::new();
    let mut started = Vec::new();
    let mut running = Vec::new();
    for kind in kinds(names)? {
        if process::runs(&place.folder(kind.name))? {
            running.push(kind);
            continue;
        }
        let ready = install::programs(kind.needs)
            .and_then(|()| (kind.fetch)(workspace, &place))
            .and_then(|()| (kind.prepare)(&place));
        match ready {
            Ok(programs) => {
                process::start(&place.folder(kind.name), &programs)?;
                started.push(kind);
                running.push(kind);
            }
            Err(error) => {
                missing.insert(kind.name, format!("{error:#}"));
            }
        }
    }
    let servers = Servers {
        listing: place.root().join("servers.json"),
        place,
        running,
        started,
        missing,
    };
    for kind in &servers.running {
        if let Err(error) = wait_for(&servers.place, kind) {
            servers.stop(workspace)?;
            return Err(error);
        }
    }
    write_listing(&servers)?;
    println!(
        "servers answer after {:.1} s",
        began.elapsed().as_secs_f32()
    );
    Ok(servers)
}

fn stop(workspace: &Workspace, kinds: &[&'static Kind]) -> anyhow::Result<()> {
    let place = Place::open(&workspace.target().join("servers"))?;
    if kinds.len() == KINDS.len() {
        // Whoever finds no list knows that nothing runs.
        let _ = fs::remove_file(place.root().join("servers.json"));
    }
    let folders: Vec<_> = kinds.iter().map(|kind| place.folder(kind.name)).collect();
    process::stop(&folders)
}

fn kill(workspace: &Workspace, kinds: &[&'static Kind]) -> anyhow::Result<()> {
    let place = Place::open(&workspace.target().join("servers"))?;
    kinds
        .iter()
        .try_for_each(|kind| process::kill(&place.folder(kind.name)))
}

fn kinds(names: &[String]) -> anyhow::Result<Vec<&'static Kind>> {
    const ALL: &[Kind] = &KINDS;
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            ALL.iter()
                .find(|kind| kind.name == name)
                .with_context(|| format!("there is no server called {name}"))
        })
        .collect()
}

/// Adds these servers to the list. One that a test takes away for a while stays in it.
fn write_listing(servers: &Servers) -> anyhow::Result<()> {
    let place = &servers.place;
    let before: Value = fs::read(&servers.listing)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut running = before["servers"].as_object().cloned().unwrap_or_default();
    let known = running.len();
    for kind in &servers.running {
        let ports = json!({
            "port": place.port(kind.port),
            "tls_port": place.port(kind.tls_port),
        });
        running.insert(kind.name.to_owned(), ports);
    }
    let target = servers.listing.ancestors().nth(2);
    if known == running.len() && before["target"] == json!(target) {
        return Ok(());
    }
    let listing = json!({
        "user": place::USER,
        "limited_user": place::LIMITED_USER,
        "password": place.password,
        "ca": place.ca(),
        "other_ca": place.other_ca(),
        "servers": running,
        "missing": servers.missing,
        // Starts and stops single servers for tests of outages.
        "xtask": env::current_exe()?,
        "target": target,
    });
    fs::write(&servers.listing, serde_json::to_vec_pretty(&listing)?)?;
    Ok(())
}

fn wait_for(place: &Place, kind: &Kind) -> anyhow::Result<()> {
    let began = Instant::now();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port(kind.port)));
    loop {
        let answered = TcpStream::connect_timeout(&address, ANSWER_LIMIT).and_then(|mut stream| {
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            stream.set_write_timeout(Some(ANSWER_LIMIT))?;
            (kind.answers)(place, &mut stream)
        });
        if matches!(answered, Ok(true)) {
            return Ok(());
        }
        let log = place.folder(kind.name).join("log.txt");
        if !process::runs(&place.folder(kind.name))? {
            bail!("{} ended at its start: see {}", kind.name, log.display());
        }
        ensure!(
            began.elapsed() < START_LIMIT,
            "{} does not answer after {} s: see {}",
            kind.name,
            START_LIMIT.as_secs(),
            log.display()
        );
        process::look_again_soon();
    }
}

/// Most kinds come whole in a Debian package.
fn nothing_else(_: &Workspace, _: &Place) -> anyhow::Result<()> {
    Ok(())
}

//! `cargo xtask cluster`: every service as processes of its own on this machine, on one PostgreSQL, behind one
//! gateway. It goes on until it is interrupted, and then ends all that it started.

mod instances;
mod ready;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};

use self::instances::Instances;
use crate::{
    servers::{self, Servers},
    workspace::Workspace,
};

#[derive(Args)]
pub(crate) struct Options {
    /// Processes of each service
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=8))]
    instances: u16,
    /// What the databases are on; a SQLite file belongs to one process
    #[arg(long, value_enum, default_value_t = Engine::Postgres)]
    engine: Engine,
    /// Begin with empty databases and new keys
    #[arg(long)]
    fresh: bool,
    /// A program that is built already [default: builds one with optimisations]
    #[arg(long)]
    program: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Postgres,
    Sqlite,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    ensure!(
        options.engine == Engine::Postgres || options.instances == 1,
        "a SQLite file belongs to one process: say --instances 1 with --engine sqlite"
    );
    let program = match &options.program {
        Some(program) => program.canonicalize().context("there is no such program")?,
        None => workspace.build_release()?,
    };
    let root = workspace.target().join("cluster");
    // What an earlier one left behind, if it was killed.
    Instances::end_those_in(&root)?;
    if options.fresh && root.exists() {
        fs::remove_dir_all(&root)?;
    }
    fs::create_dir_all(&root)?;
    let server = match options.engine {
        Engine::Postgres => Some(postgres(workspace)?),
        Engine::Sqlite => None,
    };
    let mut config = String::new();
    if let Some(server) = &server {
        config = format!("[database]\nurl = \"{}\"\n", databases(server, &root)?);
    }
    let instances = Instances::plan(&root, program, options.instances)?;
    let started = instances.start(&config).and_then(|()| {
        instances.print();
        wait_for_interrupt()
    });
    println!("ending");
    let ended = instances.end();
    if let Some(server) = &server {
        server.stop(workspace)?;
    }
    started.and(ended)
}

fn postgres(workspace: &Workspace) -> anyhow::Result<Servers> {
    let servers = servers::start(workspace, &["postgres".to_owned()])?;
    match servers.missing_said() {
        None => Ok(servers),
        Some(missing) => Err(anyhow::anyhow!("{missing}")),
    }
}

/// A schema for each service, under a name that belongs to the data folder: keys and rows fit each other.
fn databases(server: &Servers, root: &std::path::Path) -> anyhow::Result<String> {
    let path = root.join("name");
    if !path.is_file() {
        fs::write(&path, format!("cluster{}", std::process::id()))?;
    }
    let name = fs::read_to_string(&path)?;
    let url = server.postgres_url().context("PostgreSQL runs")?;
    Ok(format!("{url}?schema={}_{{service}}", name.trim()))
}

/// Ctrl-C, or what asks a program to end.
fn wait_for_interrupt() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

//! `pasar check`: holds the services' databases against each other and names what does not fit.
//!
//! It reads bounded pages beside a running system, so two databases are never seen at one moment.
//! What looks wrong in the first look is therefore looked at again, until nothing about it is in
//! flight; only what is wrong then is reported. It changes nothing.

mod case;
mod databases;
mod deliveries;
mod feeds;
mod judge;
mod ledger;
mod orders;
mod relay;
mod report;
mod rows;
mod stock;
mod tables;
mod work;

use std::{path::PathBuf, process::ExitCode, thread, time::Duration};

pub(crate) use self::databases::is_on_duty;
use self::{databases::Databases, report::Report};
use crate::{cli::Data, config::Config, output};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data: Data,
    /// Configuration file, where it says that the databases are on a server
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
    /// Further folders, where services have folders of their own
    #[arg(long, value_name = "FOLDER")]
    also: Vec<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// How long what is in flight may take to end before it is looked at no more
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
    /// The sandbox's books, if the sandbox is a process with a folder of its own
    #[arg(long, value_name = "FILE", hide = true)]
    books: Option<PathBuf>,
}

/// 0: nothing is wrong; 1: something is; 2: it could not look.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let opened = Config::load(args.config).and_then(|config| {
        let places = config.database.databases()?;
        let has_sandbox = config.payments.sandbox.enabled;
        let folders = [args.data.data].into_iter().chain(args.also).collect();
        Databases::open(&places, folders, args.books, has_sandbox)
    });
    let looked = opened.and_then(|databases| {
        let mut report = Report::new(databases.is_running()?);
        look(&databases, Duration::from_secs(args.patience), &mut report)?;
        Ok(report)
    });
    let report = match looked {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: cannot check: {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let text = match args.json {
        true => report.to_json()? + "\n",
        false => report.to_text(),
    };
    // Whoever reads only the beginning is told by the exit code all the same.
    if let Err(error) = output::try_say(format_args!("{text}")) {
        eprintln!("error: cannot write the report: {error}");
        return Ok(ExitCode::from(2));
    }
    Ok(if report.finds_nothing() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn look(databases: &Databases, patience: Duration, report: &mut Report) -> anyhow::Result<()> {
    let heads = feeds::heads(databases)?;
    feeds::check(databases, report)?;
    rows::check(databases, report)?;
    if let Some(shop) = &databases.shop {
        stock::check(shop, report)?;
        ledger::check(shop, report)?;
        orders::check(shop, patience, report)?;
    }
    relay::check(databases, report)?;
    deliveries::check(databases, report)?;
    feeds::check_followers(databases, &heads, patience, report)?;
    if databases.shop.is_some() {
        report.note_what_was_not_seen(databases.relay.is_some());
    }
    Ok(())
}

/// Between two looks at what is in flight.
fn pause() {
    #[expect(
        clippy::disallowed_methods,
        reason = "another process's commits cannot be waited for"
    )]
    thread::sleep(Duration::from_millis(100));
}

//! `pasar parked`: the events of others that a service could not take, and giving up those that it never can.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use pasar_chassis::databases::Databases;
use pasar_contracts::event::Service;
use pasar_store::{
    inspect::Inspector,
    parked::{Parked, list},
};

use crate::{alone, cli::Data, config::Config, up};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The service that could not take them
    service: Service,
    /// Give up all events of this key that wait; the service must not run. May be there several times
    #[arg(long, value_name = "KEY")]
    give_up: Vec<String>,
    #[command(flatten)]
    data: Data,
    /// Configuration file, as `pasar up` has it
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        service, give_up, ..
    } = args;
    ensure!(
        service != Service::Gateway,
        "the gateway has no database: nothing of it waits"
    );
    let config = Config::load(args.config)?;
    let data = args.data.data;
    let databases = alone::databases(&config, &data, service)?;
    if give_up.is_empty() {
        let place = databases.place(&data, service);
        let inspector = Inspector::open(service, place, up::migrations(service))?;
        show(service, &inspector.read(|tx| list(tx, None))?);
        return Ok(ExitCode::SUCCESS);
    }
    give_up_all(service, &give_up, databases, &data).await
}

fn show(service: Service, waiting: &[Parked]) {
    if waiting.is_empty() {
        println!("{service} has taken all events that it was told: nothing waits");
        return;
    }
    waiting.iter().for_each(print);
    println!(
        "\n{} wait. They are tried again while {service} runs, every half minute: mend the cause. What can never be \
         taken, such as what is told about an order that a restore took away, is given up while {service} does not \
         run, all of a key at once:\n\n    pasar parked {service} --give-up {}",
        waiting.len(),
        waiting[0].event.key
    );
}

fn print(
    Parked {
        publisher,
        event,
        fault,
        since,
    }: &Parked,
) {
    println!(
        "{publisher} {}  {}  {}  since {since}\n    {fault}",
        event.sequence, event.key, event.event_type
    );
}

async fn give_up_all(
    service: Service,
    keys: &[String],
    databases: Databases,
    data: &Path,
) -> anyhow::Result<ExitCode> {
    let (host, _lock) = alone::take(databases, data, service)?;
    let store = up::open_store(&host, service)?;
    let mut missing = false;
    for key in keys {
        let given_up = store.give_up_parked(key).await;
        let given_up = given_up.with_context(|| format!("the events of {key} are not given up"))?;
        given_up.iter().for_each(print);
        if given_up.is_empty() {
            println!("nothing of {key} waits in {service}");
            missing = true;
        } else {
            let many = given_up.len();
            println!("{many} of {key} are given up: {service} never takes them");
        }
    }
    store.close();
    Ok(ExitCode::from(u8::from(missing)))
}

//! `pasar up`: all services in one process behind the gateway, or some of what makes up a system.

mod boot;
mod demo;
mod elsewhere;
mod menu;
mod set;
pub(crate) mod signals;
mod welcome;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::bail;
use pasar_chassis::telemetry;
use pasar_contracts::event::Service;

use self::{boot::System, set::Set, signals::Ending};
pub(crate) use self::{
    boot::{migrations, open_one as open_store},
    elsewhere::http_feed,
    set::{ALL, follows},
};
use crate::{
    cli::Data,
    config::Config,
    lock::{self, DataLock},
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What to run in this process: users, inventory, orders, payments, relay, gateway [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<Service>,
    /// Run `relay` alone, as one of several processes, without the accounts and gateway that it brings along
    #[arg(long)]
    only: bool,
    /// Load a small café menu and write keys for each role to demo.env in the data folder
    #[arg(long)]
    demo: bool,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "PASAR_BIND")]
    bind: Option<SocketAddr>,
    #[command(flatten)]
    data: Data,
    /// Configuration file; `pasar config` prints what it may hold
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut config = Config::load(args.config)?;
    if args.demo {
        config.open_for_demo();
    }
    let set = Set::of(&args.names, args.only || config.tells_of_processes());
    if let Some(bind) = args.bind {
        listen_at(&mut config, &set, bind)?;
    }
    let data = args.data.data;
    lock::make_folder(&data)?;
    // Databases on a server keep others out by themselves.
    let in_files = !config.database.databases()?.are_on_server();
    let locked = set.services.iter().filter(|_| in_files);
    let locks = DataLock::take_all(&data, locked.map(|name| name.as_str()))?;
    telemetry::init_logs(&config.log)?;
    let (drain, notice) = (config.drain(), config.drain_notice());
    let ending = Ending::listen()?;
    let system = System::start(&data, config, &set).await?;
    let demo = match args.demo {
        true => Some(demo::prepare(&system, &data).await?),
        false => None,
    };
    system.host.health.booted();
    welcome::print(&system, &set, &data, demo.as_ref(), begun.elapsed());
    ending.told().await?;
    if !set.is_whole {
        // Whoever balances over this process notices, while it still takes what comes.
        system.host.health.winds_down();
        tokio::time::sleep(notice).await;
    }
    let left = system.stop(drain).await;
    drop(locks);
    if left.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("pasar: ended {} that did not end in time", left.join(", "));
    Ok(ExitCode::FAILURE)
}

/// The flag says where the process listens: its gateway, or else its one service.
fn listen_at(config: &mut Config, set: &Set, bind: SocketAddr) -> anyhow::Result<()> {
    if set.gateway {
        config.gateway.bind = bind;
        return Ok(());
    }
    let mut services = set.services.iter();
    let (Some(service), None) = (services.next(), services.next()) else {
        bail!(
            "--bind names one address, and {} listen on one each; say which in the configuration: \
             [services.{}] bind = \"{bind}\"",
            set.names(),
            set.services.first().map_or("orders", |name| name.as_str())
        );
    };
    let place = config.services.entry(service.to_string()).or_default();
    place.bind = Some(bind);
    Ok(())
}

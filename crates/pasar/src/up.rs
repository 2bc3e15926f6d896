//! `pasar up`: all services, or a closed set of them, in one process behind the gateway.

mod boot;
mod demo;
mod menu;
mod set;
pub(crate) mod signals;
mod welcome;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Instant};

use pasar_chassis::telemetry;
use pasar_contracts::event::Service;

use self::{boot::System, signals::Ending};
use crate::{cli::Data, config::Config, lock::DataLock};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Services to run in this process [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<Service>,
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
    let mut config = Config::load(args.config, args.bind)?;
    if args.demo {
        config.open_for_demo();
    }
    let services = set::closed(&args.names)?;
    let data = args.data.data;
    let lock = DataLock::take(&data)?;
    telemetry::init_logs(&config.log)?;
    let drain = config.drain();
    let ending = Ending::listen()?;
    let system = System::start(&data, config, &services).await?;
    let demo = match args.demo {
        true => Some(demo::prepare(&system, &data).await?),
        false => None,
    };
    system.host.health.booted();
    welcome::print(&system, &data, demo.as_ref(), begun.elapsed());
    ending.told().await?;
    let left = system.stop(drain).await;
    drop(lock);
    if left.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("pasar: ended {} that did not end in time", left.join(", "));
    Ok(ExitCode::FAILURE)
}

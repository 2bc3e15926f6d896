//! `pasar sandbox`: the payments sandbox as a process of its own, with books that a crash of Pasar does not
//! touch. The tests count charges there.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use pasar_chassis::{
    host::Host,
    http::{self, Limits},
    keyring::Keyring,
    telemetry::{self, LogConfig},
};
use pasar_payments::{
    config::SandboxConfig,
    sandbox::{
        Sandbox,
        router::{SandboxAccess, sandbox_router},
    },
};
use tokio::net::TcpListener;

use crate::{cli::Data, config, lock::DataLock, up::signals::Ending};

const DRAIN: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8090")]
    bind: SocketAddr,
    #[command(flatten)]
    data: Data,
    /// What each answer takes, in milliseconds
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Where Pasar takes this provider's notices
    #[arg(long)]
    notify_url: Option<String>,
    /// Shared with Pasar's `payments.http`: `whsec_..`
    #[arg(long, env = "PASAR_SANDBOX_SECRET", hide_env_values = true)]
    secret: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    telemetry::init_logs(&LogConfig::default())?;
    let _lock = DataLock::take(&args.data.data, "sandbox")?;
    let listener = TcpListener::bind(args.bind)
        .await
        .with_context(|| format!("cannot listen on {}; name another with --bind", args.bind))?;
    let address = config::reachable(listener.local_addr()?);
    let public_url = format!("http://{address}");
    let system = Host::system(
        &args.data.data,
        Keyring::ephemeral(&pasar_store::ids::SystemIds::default()),
        &public_url,
    );
    let settings = SandboxConfig {
        delay_ms: args.delay_ms,
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::open(&system, settings)?;
    let access = SandboxAccess {
        secret: args.secret.parse().context("--secret")?,
        notify_url: args.notify_url,
    };
    http::serve(
        &system,
        listener,
        sandbox_router(sandbox, access)?,
        &Limits::default(),
    );
    let ending = Ending::listen()?;
    println!("the payments sandbox is ready at {public_url}");
    ending.told().await?;
    system.tasks.drain(DRAIN).await;
    Ok(ExitCode::SUCCESS)
}

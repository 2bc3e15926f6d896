//! `pasar health`: whether the process on this machine is ready, for containers without a shell to ask with.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Address that it listens on
    #[arg(long, env = "PASAR_BIND", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// Where it is, if that does not follow from the address
    #[arg(long)]
    url: Option<String>,
}

const PATIENCE: Duration = Duration::from_secs(2);

/// Ends with success if it is ready, so that it can be a health check as it is.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let url = args
        .url
        .unwrap_or_else(|| format!("http://{}", reached(args.bind)));
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .context("cannot make a client")?;
    let answer = client
        .get(format!("{}/readyz", url.trim_end_matches('/')))
        .send()
        .await
        .with_context(|| format!("nobody answers at {url}"))?;
    if answer.status().is_success() {
        return Ok(ExitCode::SUCCESS);
    }
    let status = answer.status();
    let why = answer.text().await.unwrap_or_default();
    eprintln!("pasar: not ready ({status}) {why}");
    Ok(ExitCode::FAILURE)
}

/// A process that listens everywhere is reached here.
fn reached(mut bind: SocketAddr) -> SocketAddr {
    if bind.ip().is_unspecified() {
        let ip = match bind.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        bind.set_ip(ip);
    }
    bind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_listens_everywhere_is_asked_here() {
        let asked = |bind: &str| reached(bind.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:9103"), "127.0.0.1:9103");
        assert_eq!(asked("[::]:80"), "[::1]:80");
        assert_eq!(asked("10.0.0.3:80"), "10.0.0.3:80");
    }
}

//! `pasar health`: whether the process on this machine is ready, for containers without a shell to ask with.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, ensure};
use pasar_contracts::event::Service;

use crate::config::{Config, reachable};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Service that runs in a process of its own, for its address in the configuration [default: the gateway]
    name: Option<Service>,
    /// Address that it listens on [default: the configuration's, which is 127.0.0.1:8080 if it says nothing]
    #[arg(long, env = "PASAR_BIND")]
    bind: Option<SocketAddr>,
    /// Where it is, if that does not follow from the address
    #[arg(long)]
    url: Option<String>,
    /// Configuration file, as `pasar up` has it
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
}

const PATIENCE: Duration = Duration::from_secs(2);

/// Ends with success if it is ready, so that it can be a health check as it is.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let is_told = args.url.is_some();
    let url = url(args)?;
    let client = reqwest::Client::builder()
        .no_proxy()
        // Its certificate is for the name that clients know, and this asks the machine itself.
        .danger_accept_invalid_certs(!is_told)
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

fn url(args: Args) -> anyhow::Result<String> {
    if let Some(url) = args.url {
        ensure!(
            url.starts_with("http://") || url.starts_with("https://"),
            "the address {url:?} does not begin with http:// or https://; give it like --url http://127.0.0.1:8080"
        );
        return Ok(url);
    }
    let http = |address| format!("http://{}", reachable(address));
    if let Some(bind) = args.bind {
        return Ok(http(bind));
    }
    let config = Config::load(args.config)?;
    match args.name {
        None | Some(Service::Gateway) => Ok(config.gateway_here()),
        Some(service) => {
            let bind = config.place(service)?.bind;
            let bind = bind.with_context(|| {
                format!(
                    "where {service} listens must be told: [services.{service}] bind, or --bind"
                )
            })?;
            Ok(http(bind))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_listens_everywhere_is_asked_here() {
        let asked = |bind: &str| reachable(bind.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:9103"), "127.0.0.1:9103");
        assert_eq!(asked("[::]:80"), "[::1]:80");
        assert_eq!(asked("10.0.0.3:80"), "10.0.0.3:80");
    }
}

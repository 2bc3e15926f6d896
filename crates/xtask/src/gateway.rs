//! The gateway as a process of its own beside nginx, in front of the same service, on the same cores.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::Value;

use crate::{
    nginx::{self, Server},
    workspace::Workspace,
};

#[derive(Args)]
pub(crate) struct Options {
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How often each is measured, in turn
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// A program that is built already [default: builds one with optimisations]
    #[arg(long)]
    program: Option<PathBuf>,
}

const PACKAGE: &str = "nginx";
const PROGRAM: &str = "usr/sbin/nginx";
/// The one token that nginx accepts: as long as Pasar's are.
const TOKEN_BYTES: usize = 400;
/// What the service answers: an object like an order's, without what could be compressed away.
const ANSWER_BYTES: usize = 400;

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let program = match &options.program {
        Some(program) => program.canonicalize().context("there is no such program")?,
        None => workspace.build_release()?,
    };
    let folder = workspace.target().join("nginx");
    let root = nginx::unpack(workspace, &folder, &[PACKAGE], PROGRAM)?;
    let service = Server::start(&root, &folder, "service", "", service_at)?;
    let token = "t".repeat(TOKEN_BYTES);
    // Free a moment ago; the bench starts inventory there.
    let inventory = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let proxy = |address| proxy_at(address, service.address, inventory, &token);
    let proxy = Server::start(&root, &folder, "proxy", "", proxy)?;
    let mut bench = nginx::limited(&program);
    bench.args(["bench", "gateway", "--json"]);
    for (name, value) in [
        ("--connections", options.connections),
        ("--seconds", options.seconds),
        ("--rounds", options.rounds),
    ] {
        bench.arg(name).arg(value.to_string());
    }
    let pids: Vec<_> = proxy.pids()?.iter().map(u32::to_string).collect();
    bench.arg("--service").arg(service.address.to_string());
    bench.arg("--inventory").arg(inventory.to_string());
    bench.arg("--peer").arg(proxy.address.to_string());
    bench.arg("--peer-pids").arg(pids.join(","));
    bench.arg("--peer-token").arg(&token);
    let output = bench.stderr(Stdio::inherit()).output()?;
    proxy.stop()?;
    service.stop()?;
    ensure!(
        output.status.success(),
        "pasar bench gateway ended with {}",
        output.status
    );
    print(&serde_json::from_slice::<Vec<Value>>(&output.stdout)?)
}

fn service_at(address: SocketAddr) -> String {
    let body = "x".repeat(ANSWER_BYTES);
    format!(
        "  server {{
    listen {address} backlog=4096;
    tcp_nodelay on;
    default_type application/json;
    location = /v1/echo {{ return 200 '{{\"echo\":\"{body}\"}}'; }}
  }}"
    )
}

/// One token in a table is the least that a check of a token can be; each token has its own rate.
fn proxy_at(
    address: SocketAddr,
    service: SocketAddr,
    inventory: SocketAddr,
    token: &str,
) -> String {
    format!(
        "  map_hash_bucket_size 1024;
  map $http_authorization $client {{ default \"\"; \"Bearer {token}\" one; }}
  limit_req_zone $client zone=clients:10m rate=1000000r/s;
  upstream service {{ server {service}; keepalive 128; keepalive_requests 10000000; }}
  upstream inventory {{ server {inventory}; keepalive 128; keepalive_requests 10000000; }}
  limit_req zone=clients burst=1000000 nodelay;
  proxy_http_version 1.1;
  proxy_set_header Connection \"\";
  proxy_set_header Host $host;
  proxy_set_header Authorization \"\";
  server {{
    listen {address} backlog=4096;
    tcp_nodelay on;
    if ($client = \"\") {{ return 401; }}
    location /v1/echo {{ proxy_pass http://service; }}
    location /v1/products {{ proxy_pass http://inventory; }}
  }}"
    )
}

fn print(rows: &[Value]) -> anyhow::Result<()> {
    let median = |service: &str, proxy: &str, pointer: &str| -> anyhow::Result<f64> {
        let mut figures: Vec<_> = rows
            .iter()
            .filter(|row| row["service"] == service && row["proxy"] == proxy)
            .filter_map(|row| row.pointer(pointer)?.as_f64())
            .collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.get(figures.len() / 2).copied();
        middle.with_context(|| format!("{pointer} of {proxy} was not measured"))
    };
    println!("\n| service | | gateway | nginx | ratio |\n|---|---|---|---|---|");
    for service in ["echo", "inventory"] {
        for (what, pointer) in [
            ("requests/s", "/per_s"),
            ("CPU of the proxy, \u{b5}s a request", "/proxy_cpu_us"),
            ("p50, \u{b5}s", "/latency/p50_us"),
            ("p99, \u{b5}s", "/latency/p99_us"),
        ] {
            let ours = median(service, "pasar", pointer)?;
            let theirs = median(service, "peer", pointer)?;
            println!(
                "| {service} | {what} | {ours:.1} | {theirs:.1} | {:.2} |",
                ours / theirs
            );
        }
    }
    Ok(())
}

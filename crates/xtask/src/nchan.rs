//! Live streams beside those of nginx with nchan: the same reader measures both, one after the other, on the
//! same cores.

use std::{io::Write as _, net::SocketAddr, path::Path, process::Stdio};

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use crate::{
    nginx::{self, Server},
    workspace::Workspace,
};

#[derive(Args)]
pub(crate) struct Options {
    /// Subscribers of the phases that deliver
    #[arg(long, default_value_t = 1_000)]
    subscribers: u32,
    /// Idle connections whose memory is measured
    #[arg(long, default_value_t = 10_000)]
    idle: u32,
    /// Messages of the saturated phase
    #[arg(long, default_value_t = 5_000)]
    messages: u32,
    /// Seconds of the steady phase
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How often each is measured; the best counts, for both
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// The Debian packages that nginx and the module come in.
const PACKAGES: [&str; 2] = ["nginx", "libnginx-mod-nchan"];
const MODULE: &str = "usr/lib/nginx/modules/ngx_nchan_module.so";

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let program = workspace.build_release()?;
    let folder = workspace.target().join("nchan");
    let root = nginx::unpack(workspace, &folder, &PACKAGES, MODULE)?;
    let module = format!("load_module {}/{MODULE};", root.display());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(measure(&program, options, None)?);
        let server = Server::start(&root, &folder, "nchan", &module, channel_at)?;
        theirs.push(measure(&program, options, Some(&server))?);
        server.stop()?;
    }
    print(&ours, &theirs);
    Ok(())
}

/// Messages are kept for as long as the slowest reader may need.
fn channel_at(address: SocketAddr) -> String {
    format!(
        "  nchan_shared_memory_size 512M;
  server {{
    listen {address} backlog=4096;
    tcp_nodelay on;
    location = /pub {{
      nchan_publisher;
      nchan_channel_id bench;
      nchan_message_buffer_length 100000;
      nchan_message_timeout 10m;
    }}
    location = /sub {{
      nchan_subscriber eventsource;
      nchan_channel_id bench;
      nchan_subscriber_first_message newest;
    }}
  }}"
    )
}

fn measure(program: &Path, options: &Options, nchan: Option<&Server>) -> anyhow::Result<Value> {
    let mut bench = nginx::limited(program);
    bench.args(["bench", "live", "--json"]);
    for (name, value) in [
        ("--subscribers", options.subscribers),
        ("--idle", options.idle),
        ("--messages", options.messages),
        ("--seconds", options.seconds),
    ] {
        bench.arg(name).arg(value.to_string());
    }
    if let Some(server) = nchan {
        let pids: Vec<_> = server.pids()?.iter().map(u32::to_string).collect();
        bench.arg("--nchan").arg(server.address.to_string());
        bench.arg("--pids").arg(pids.join(","));
    }
    let output = bench.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("pasar bench live ended with {}", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Which of two figures is shown.
type Better = fn(f64, f64) -> f64;

/// The least or the most of one figure over all rounds.
fn best(reports: &[Value], pointer: &str, better: Better) -> Option<f64> {
    let figures = reports
        .iter()
        .filter_map(|report| report.pointer(pointer)?.as_f64());
    figures.reduce(better)
}

fn print(ours: &[Value], theirs: &[Value]) {
    println!("{:<44} {:>12} {:>12} {:>7}", "", "pasar", "nchan", "ratio");
    let rows: [(&str, &str, Better); 7] = [
        (
            "idle SSE connection, bytes",
            "/idle/0/bytes_per_connection",
            f64::min,
        ),
        (
            "idle WebSocket connection, bytes",
            "/idle/1/bytes_per_connection",
            f64::min,
        ),
        (
            "steady: CPU µs a delivery",
            "/steady/system_cpu_us",
            f64::min,
        ),
        (
            "steady: latency p99, µs",
            "/steady/latency/p99_us",
            f64::min,
        ),
        (
            "saturated: deliveries/s",
            "/saturated/deliveries_per_s",
            f64::max,
        ),
        (
            "saturated: CPU µs a delivery",
            "/saturated/system_cpu_us",
            f64::min,
        ),
        (
            "saturated: published/s",
            "/saturated/published_per_s",
            f64::max,
        ),
    ];
    for (what, pointer, better) in rows {
        let (own, other) = (best(ours, pointer, better), best(theirs, pointer, better));
        let shown = |figure: Option<f64>| {
            figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.2}"))
        };
        let ratio = own.zip(other).map(|(own, other)| own / other);
        println!(
            "{what:<44} {:>12} {:>12} {:>7}",
            shown(own),
            shown(other),
            shown(ratio)
        );
    }
    let _ = std::io::stdout().flush();
}

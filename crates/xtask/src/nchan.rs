//! Live streams beside those of nginx with nchan: the same reader measures both, one after the other, on the
//! same cores.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::workspace::{self, Workspace};

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

/// The Debian packages that nginx and the module come in. They are unpacked, not installed.
const PACKAGES: [&str; 2] = ["nginx", "libnginx-mod-nchan"];
/// nginx makes its folders for bodies here whatever its configuration says, if this one is there.
const NGINX_STATE: &str = "/var/lib/nginx";
const START_LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    workspace::run(&mut workspace.cargo(&["build", "--release", "-p", "pasar"]))?;
    let program = workspace.target().join("release/pasar");
    let folder = workspace.target().join("nchan");
    let nginx = unpack(workspace, &folder)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(measure(&program, options, None)?);
        let server = Server::start(&nginx, &folder)?;
        theirs.push(measure(&program, options, Some(&server))?);
        server.stop()?;
    }
    print(&ours, &theirs);
    Ok(())
}

/// Brings the packages and answers the folder that they were unpacked to.
fn unpack(workspace: &Workspace, folder: &Path) -> anyhow::Result<PathBuf> {
    let root = folder.join("root");
    if root.join("usr/sbin/nginx").is_file()
        && root
            .join("usr/lib/nginx/modules/ngx_nchan_module.so")
            .is_file()
    {
        return Ok(root);
    }
    fs::create_dir_all(folder)?;
    let mut download = workspace.program("apt-get");
    download.current_dir(folder).arg("download").args(PACKAGES);
    workspace::run(&mut download).context(
        "nginx and nchan are Debian packages: run `apt-get update`, or leave this comparison out",
    )?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "deb") {
            let mut unpack = workspace.program("dpkg-deb");
            workspace::run(unpack.arg("-x").arg(&path).arg(&root))?;
        }
    }
    Ok(root)
}

/// A running nginx.
struct Server {
    master: Child,
    address: SocketAddr,
}

impl Server {
    fn start(root: &Path, folder: &Path) -> anyhow::Result<Self> {
        // Free a moment ago, and nobody else's business here.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let configuration = folder.join("nginx.conf");
        fs::write(&configuration, configuration_of(root, folder, address))?;
        fs::create_dir_all(NGINX_STATE)?;
        let mut master = limited(&root.join("usr/sbin/nginx"));
        master.arg("-c").arg(&configuration).arg("-p").arg(folder);
        let master = master.spawn().context("cannot start nginx")?;
        let server = Self { master, address };
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).is_err() {
            ensure!(
                Instant::now() < deadline,
                "nginx does not listen; see above"
            );
            pause();
        }
        Ok(server)
    }

    /// The master and its workers.
    fn pids(&self) -> anyhow::Result<Vec<u32>> {
        let master = self.master.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children"))?;
        let workers = children.split_whitespace().map(str::parse);
        let mut pids = vec![master];
        for worker in workers {
            pids.push(worker?);
        }
        ensure!(pids.len() > 1, "nginx has no workers");
        Ok(pids)
    }

    fn stop(mut self) -> anyhow::Result<()> {
        let mut stop = Command::new("kill");
        workspace::run(stop.arg(self.master.id().to_string()))?;
        self.master.wait()?;
        Ok(())
    }
}

/// Two workers for two cores, messages kept for as long as the slowest reader may need, no log.
fn configuration_of(root: &Path, folder: &Path, address: SocketAddr) -> String {
    let (root, folder) = (root.display(), folder.display());
    format!(
        "load_module {root}/usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 18000; use epoll; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 10000000;
  nchan_shared_memory_size 512M;
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
  }}
}}
"
    )
}

/// A program that may open as many files as this machine allows.
fn limited(program: &Path) -> Command {
    let mut command = Command::new("sh");
    let script = "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\"";
    command.arg("-c").arg(script).arg(program);
    command
}

fn measure(program: &Path, options: &Options, nchan: Option<&Server>) -> anyhow::Result<Value> {
    let mut bench = limited(program);
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

#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when a server listens but trying"
)]
fn pause() {
    thread::sleep(Duration::from_millis(50));
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

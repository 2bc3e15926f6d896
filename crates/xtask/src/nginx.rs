//! nginx from Debian's packages, unpacked and not installed, to measure against.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::workspace::{self, Workspace};

/// nginx makes its folders for bodies here whatever its configuration says, if this one is there.
const NGINX_STATE: &str = "/var/lib/nginx";
const START_LIMIT: Duration = Duration::from_secs(10);

/// A running nginx.
pub(crate) struct Server {
    master: Child,
    pub(crate) address: SocketAddr,
}

/// Brings the packages and answers the folder that they were unpacked to.
pub(crate) fn unpack(
    workspace: &Workspace,
    folder: &Path,
    packages: &[&str],
    wanted: &str,
) -> anyhow::Result<PathBuf> {
    let root = folder.join("root");
    if root.join("usr/sbin/nginx").is_file() && root.join(wanted).is_file() {
        return Ok(root);
    }
    fs::create_dir_all(folder)?;
    let mut download = workspace.program("apt-get");
    download.current_dir(folder).arg("download").args(packages);
    workspace::run(&mut download).context(
        "nginx comes as a Debian package: run `apt-get update`, or leave this comparison out",
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

impl Server {
    /// `named` tells several apart. `http` is the inside of its http block, told where to listen.
    pub(crate) fn start(
        root: &Path,
        folder: &Path,
        named: &str,
        modules: &str,
        http: impl Fn(SocketAddr) -> String,
    ) -> anyhow::Result<Self> {
        // Free a moment ago, and nobody else's business here.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let configuration = folder.join(format!("{named}.conf"));
        let text = configuration_of(folder, named, modules, &http(address));
        fs::write(&configuration, text)?;
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
    pub(crate) fn pids(&self) -> anyhow::Result<Vec<u32>> {
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

    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let mut stop = Command::new("kill");
        workspace::run(stop.arg(self.master.id().to_string()))?;
        self.master.wait()?;
        Ok(())
    }
}

/// Two workers for two cores, no log.
fn configuration_of(folder: &Path, named: &str, modules: &str, http: &str) -> String {
    let folder = folder.display();
    format!(
        "{modules}
daemon off;
worker_processes auto;
pid {folder}/{named}.pid;
error_log {folder}/{named}.log warn;
events {{ worker_connections 18000; use epoll; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 10000000;
{http}
}}
"
    )
}

/// A program that may open as many files as this machine allows.
pub(crate) fn limited(program: &Path) -> Command {
    let mut command = Command::new("sh");
    let script = "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\"";
    command.arg("-c").arg(script).arg(program);
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when a server listens but trying"
)]
fn pause() {
    thread::sleep(Duration::from_millis(50));
}

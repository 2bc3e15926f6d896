//! The processes of a cluster: where each listens, what it is told, and how all start and end.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::ready;
use crate::servers::process::{self, Program};

const SERVICES: [&str; 5] = ["users", "inventory", "orders", "payments", "relay"];
const GATEWAY: &str = "gateway";
/// Where to look for free ports: of the gateway, and of the services.
const GATEWAY_PORT: u16 = 8080;
const FIRST_PORT: u16 = 9100;
const CONFIG: &str = "pasar.toml";

pub(super) struct Instances {
    root: PathBuf,
    program: PathBuf,
    services: Vec<Instance>,
    gateway: Instance,
}

/// One process.
struct Instance {
    service: &'static str,
    port: u16,
    /// Of its log, and of what is known of its process.
    folder: PathBuf,
}

impl Instances {
    pub(super) fn plan(root: &Path, program: PathBuf, each: u16) -> anyhow::Result<Self> {
        let mut port = FIRST_PORT - 1;
        let mut services = Vec::new();
        for service in SERVICES {
            for number in 1..=each {
                port = free_port(port + 1)?;
                services.push(Instance {
                    service,
                    port,
                    folder: root.join(format!("{service}-{number}")),
                });
            }
        }
        Ok(Self {
            root: root.to_owned(),
            program,
            services,
            gateway: Instance {
                service: GATEWAY,
                port: free_port(GATEWAY_PORT)?,
                folder: root.join(GATEWAY),
            },
        })
    }

    /// Ends what runs of a cluster in this folder, whoever started it.
    pub(super) fn end_those_in(root: &Path) -> anyhow::Result<()> {
        let Ok(entries) = fs::read_dir(root) else {
            return Ok(());
        };
        let folders: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.path())).collect();
        let folders: Vec<_> = folders
            .map_err(|error: std::io::Error| error)?
            .into_iter()
            .filter(|path| path.is_dir())
            .collect();
        process::stop(&folders)
    }

    /// Starts all, the gateway last, and waits until each takes requests.
    pub(super) fn start(&self, more: &str) -> anyhow::Result<()> {
        fs::write(self.root.join(CONFIG), self.config() + more)?;
        for instance in &self.services {
            self.start_one(instance)?;
        }
        for instance in &self.services {
            instance.wait()?;
        }
        self.start_one(&self.gateway)?;
        self.gateway.wait()
    }

    /// The gateway first, so that nobody asks what has ended.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        process::stop(std::slice::from_ref(&self.gateway.folder))?;
        let folders: Vec<_> = self
            .services
            .iter()
            .map(|instance| instance.folder.clone())
            .collect();
        process::stop(&folders)
    }

    pub(super) fn print(&self) {
        let gateway = self.gateway.url();
        let (root, program) = (self.root.display(), self.program.display());
        println!("\nthe cluster is ready at {gateway}\n");
        for instance in self.services.iter().chain([&self.gateway]) {
            let id = process::ids(&instance.folder).unwrap_or_default();
            let id = id.first().map_or_else(String::new, u32::to_string);
            println!(
                "  {:<10} {:<24} process {id:<8} {}",
                instance.service,
                instance.url(),
                instance.folder.join("log.txt").display()
            );
        }
        println!(
            "\n  keys for each role   . {root}/data/demo.env\n  configuration        {root}/{CONFIG}\n  \
             is all well          {program} check --data {root}/data --config {root}/{CONFIG}\n\n\
             The walk of the README works here; kill any process of a service and go on. Ctrl-C ends all."
        );
    }

    fn start_one(&self, instance: &Instance) -> anyhow::Result<()> {
        fs::create_dir_all(&instance.folder)?;
        let text = |path: &Path| path.display().to_string();
        let bind = format!("127.0.0.1:{}", instance.port);
        let args = [
            "up",
            instance.service,
            "--only",
            "--demo",
            "--bind",
            &bind,
            "--data",
            &text(&self.root.join("data")),
            "--config",
            &text(&self.root.join(CONFIG)),
        ];
        let program = Program {
            program: self.program.clone(),
            args: args.map(str::to_owned).into(),
            env: BTreeMap::new(),
        };
        process::start(&instance.folder, &[program])
    }

    /// What all processes have to know of each other.
    fn config(&self) -> String {
        let gateway = self.gateway.port;
        let mut text = format!(
            "public_url = \"{}\"\n\n[gateway]\nbind = \"127.0.0.1:{gateway}\"\n\n",
            self.gateway.url()
        );
        for service in SERVICES {
            let instances = self.services.iter().filter(|of| of.service == service);
            let urls: Vec<_> = instances.map(Instance::url).collect();
            text += &format!("[services.{service}]\nurls = {urls:?}\n\n");
        }
        text
    }
}

impl Instance {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn wait(&self) -> anyhow::Result<()> {
        let runs = || process::runs(&self.folder);
        ready::wait(self.port, runs).with_context(|| {
            format!(
                "{} does not start: see {}",
                self.service,
                self.folder.join("log.txt").display()
            )
        })
    }
}

/// The first port from there on that nobody has.
fn free_port(first: u16) -> anyhow::Result<u16> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (first..first + 1000)
        .find(is_free)
        .context("there is no free port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instance_is_told_of_once_and_the_gateway_is_no_service() {
        let root = tempfile::tempdir().unwrap();
        let plan = Instances::plan(root.path(), "pasar".into(), 2).unwrap();
        let config = plan.config();
        for instance in &plan.services {
            let url = format!("\"{}\"", instance.url());
            assert_eq!(config.matches(&url).count(), 1, "{config}");
        }
        assert_eq!(plan.services.len(), 10);
        assert!(!config.contains("[services.gateway]"), "{config}");
    }
}

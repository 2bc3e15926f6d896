//! What is measured: everything in one process, or a process for each service, on SQLite or PostgreSQL.

use std::{
    fs, iter,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use pasar_contracts::event::Service;

use super::process;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Shape {
    /// A process for each service and one for the gateway, instead of one for all
    #[arg(long, conflicts_with = "url")]
    pub(super) apart: bool,
    /// Processes of each service; more than one needs --apart and --database
    #[arg(long, default_value_t = 1, conflicts_with = "url", value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(super) instances: u16,
    /// PostgreSQL instead of SQLite: a URL with {service} in it, of databases or schemas that are empty
    #[arg(long, conflicts_with = "url")]
    database: Option<String>,
    /// Process of that PostgreSQL on this machine, whose processor time is told apart
    #[arg(long, requires = "database")]
    database_pid: Option<u32>,
}

/// One process of a shape.
pub(super) struct Planned {
    pub(super) service: Service,
    pub(super) address: SocketAddr,
}

/// Behind the gateway, in the order in which they start.
const SERVICES: [Service; 5] = [
    Service::Users,
    Service::Inventory,
    Service::Orders,
    Service::Payments,
    Service::Relay,
];
const CONFIG: &str = "pasar.toml";

impl Shape {
    /// A process for each service, on SQLite.
    pub(super) fn one_of_each() -> Self {
        Self {
            apart: true,
            instances: 1,
            ..Self::default()
        }
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.instances == 1 || (self.apart && self.database.is_some()),
            "a SQLite file belongs to one process: --instances needs --apart and --database"
        );
        Ok(())
    }

    /// Processor time of the database's processes so far, if it is known which they are.
    pub(super) fn database_cpu(&self) -> Option<Duration> {
        self.database_pid.and_then(process::cpu_with_children)
    }

    /// The processes of services, each with a port nobody has, and the gateway's, which comes last.
    pub(super) fn plan(&self) -> anyhow::Result<Vec<Planned>> {
        let services = SERVICES
            .iter()
            .flat_map(|service| iter::repeat_n(*service, self.instances.into()));
        // All are held until all are known, so that none is given twice.
        let mut held = Vec::new();
        let mut planned = Vec::new();
        for service in services.chain([Service::Gateway]) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            planned.push(Planned {
                service,
                address: listener.local_addr()?,
            });
            held.push(listener);
        }
        Ok(planned)
    }

    /// Writes what all processes have to know.
    pub(super) fn write_config(&self, data: &Path, planned: &[Planned]) -> anyhow::Result<PathBuf> {
        let mut text = places(planned);
        if let Some(url) = &self.database {
            text += &format!("[database]\nurl = {url:?}\n");
        }
        write(data, &text)
    }
}

/// Where each process is, as the configuration has it.
pub(super) fn places(planned: &[Planned]) -> String {
    let mut text = String::new();
    if let Some(gateway) = planned.last() {
        let address = gateway.address;
        text +=
            &format!("public_url = \"http://{address}\"\n\n[gateway]\nbind = \"{address}\"\n\n");
    }
    for service in SERVICES {
        let urls: Vec<_> = planned
            .iter()
            .filter(|of| of.service == service)
            .map(|of| format!("http://{}", of.address))
            .collect();
        if !urls.is_empty() {
            text += &format!("[services.{service}]\nurls = {urls:?}\n\n");
        }
    }
    text
}

pub(super) fn write(data: &Path, config: &str) -> anyhow::Result<PathBuf> {
    let path = data.join(CONFIG);
    fs::write(&path, config).context("cannot write the configuration of the bench")?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_a_port_of_its_own_and_all_are_told_of_each_service() {
        let shape = Shape {
            apart: true,
            instances: 2,
            database: Some("postgres://pasar:secret@localhost/x?schema=a_{service}".to_owned()),
            database_pid: None,
        };
        let data = tempfile::tempdir().unwrap();
        let planned = shape.plan().unwrap();
        assert_eq!(planned.len(), 11);
        let path = shape.write_config(data.path(), &planned).unwrap();
        let config = fs::read_to_string(&path).unwrap();
        for of in &planned[..10] {
            let url = format!("\"http://{}\"", of.address);
            assert_eq!(config.matches(&url).count(), 1, "{config}");
        }
        crate::config::Config::of_file(path).unwrap();
    }

    #[test]
    fn a_sqlite_file_is_not_shared_by_instances() {
        let two = Shape {
            apart: true,
            instances: 2,
            ..Shape::default()
        };
        assert!(two.check().is_err());
    }
}

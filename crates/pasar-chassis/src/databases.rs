//! Where the databases of the services are: files in the data folder, or databases of a PostgreSQL server.

use std::{fmt, path::Path, sync::Arc};

use pasar_contracts::event::Service;
use pasar_store::place::{InvalidUrl, Place};

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Databases {
    /// A URL with `{service}` in it. It holds a password.
    url: Option<Arc<str>>,
    verify_only: bool,
    alone: bool,
}

/// What stands for a service's name in the URL.
const SERVICE: &str = "{service}";

#[derive(Debug, thiserror::Error)]
pub enum InvalidDatabases {
    #[error("expected {SERVICE} in the URL of the databases, as each service has one of its own")]
    NoService,
    #[error(transparent)]
    Url(#[from] InvalidUrl),
}

impl Databases {
    /// On a server: `postgres://user:password@host/{service}`, or `.../pasar?schema={service}` where all share one
    /// database.
    pub fn on_server(url: &str) -> Result<Self, InvalidDatabases> {
        if !url.contains(SERVICE) {
            return Err(InvalidDatabases::NoService);
        }
        on(url, Service::Orders.as_str())?;
        Ok(Self {
            url: Some(url.into()),
            verify_only: false,
            alone: false,
        })
    }

    /// Refuses a database that lacks steps of its schema, instead of taking them.
    #[must_use]
    pub const fn verified_only(mut self, verify_only: bool) -> Self {
        self.verify_only = verify_only;
        self
    }

    /// For a process that is the only one on its databases, as in most tests.
    #[must_use]
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Whether other processes may run the same services on the same databases.
    #[must_use]
    pub const fn are_shared(&self) -> bool {
        self.url.is_some() && !self.alone
    }

    #[must_use]
    pub const fn migrates(&self) -> bool {
        !self.verify_only
    }

    /// The place of a service's database; `data` is the folder of the files.
    ///
    /// # Panics
    /// Never: the URL was read when this was made, and a service's name is a plain word.
    #[must_use]
    pub fn place(&self, data: &Path, service: Service) -> Place {
        self.named(data, service.as_str())
    }

    /// The place of a database that is no service's.
    ///
    /// # Panics
    /// If the name is not a plain word.
    #[must_use]
    pub fn named(&self, data: &Path, name: &str) -> Place {
        match &self.url {
            None => Place::File(data.join(format!("{name}.db"))),
            Some(url) => on(url, name).expect("the URL was read before"),
        }
    }

    #[must_use]
    pub const fn are_on_server(&self) -> bool {
        self.url.is_some()
    }
}

fn on(url: &str, name: &str) -> Result<Place, InvalidUrl> {
    Place::postgres(&url.replace(SERVICE, name))
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.are_on_server() {
            "on a server"
        } else {
            "files"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_a_database_of_its_own() {
        let data = Path::new("/data");
        let files = Databases::default();
        assert_eq!(
            files.place(data, Service::Orders).to_string(),
            "/data/orders.db"
        );
        let server = Databases::on_server("postgres://pasar:hush@db.example/{service}").unwrap();
        let orders = server.place(data, Service::Orders).to_string();
        assert_eq!(orders, "postgres://db.example:5432/orders");
        let shared = Databases::on_server("postgres://pasar@localhost/pasar?schema={service}");
        let users = shared.unwrap().place(data, Service::Users).to_string();
        assert_eq!(users, "postgres://localhost:5432/pasar?schema=users");
    }

    #[test]
    fn a_url_that_all_would_share_is_refused() {
        assert!(matches!(
            Databases::on_server("postgres://pasar@localhost/pasar"),
            Err(InvalidDatabases::NoService)
        ));
        assert!(Databases::on_server("postgres://{service}").is_err());
    }

    #[test]
    fn its_password_is_never_shown() {
        let server = Databases::on_server("postgres://pasar:hush@host/{service}").unwrap();
        assert!(!format!("{server:?}").contains("hush"));
    }
}

//! Where a service's database is: a file for SQLite, or a URL for PostgreSQL. A password is never shown.

mod url;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use url::InvalidUrl;

/// The place of one database.
#[derive(Clone)]
pub enum Place {
    File(PathBuf),
    Postgres(Arc<Server>),
}

/// A PostgreSQL database, as its URL names it.
pub struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    /// Whose tables are meant; `public` if the URL names none.
    pub(crate) schema: String,
    pub(crate) tls: Tls,
}

/// Whether the way to the server is encrypted. What is encrypted is also verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Off,
    /// Believes the public authorities.
    Public,
    /// Believes the authorities in this file (PEM) alone.
    File(PathBuf),
}

impl Place {
    /// A database of PostgreSQL: `postgres://user:password@host:port/database?schema=..&sslmode=..&sslrootcert=..`
    ///
    /// A server on another machine is reached over TLS unless `sslmode=disable` says otherwise.
    pub fn postgres(url: &str) -> Result<Self, InvalidUrl> {
        url::parse(url).map(|server| Self::Postgres(Arc::new(server)))
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(server) => server.fmt(f),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            port,
            database,
            schema,
            ..
        } = self;
        write!(f, "postgres://{host}:{port}/{database}")?;
        if schema != url::DEFAULT_SCHEMA {
            write!(f, "?schema={schema}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

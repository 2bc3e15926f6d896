//! Reading the URL of a PostgreSQL database. Strict: what is not understood is refused, not ignored.

use std::{borrow::Cow, path::PathBuf};

use percent_encoding::percent_decode_str;

use super::{Server, Tls};

pub(super) const DEFAULT_SCHEMA: &str = "public";
const DEFAULT_PORT: u16 = 5432;
/// PostgreSQL's own limit on names.
const LONGEST_NAME: usize = 63;

/// What is wrong with a URL. It never holds the URL, which has a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("expected postgres://user:password@host:port/database")]
    Form,
    #[error("expected a database name after the host, of 63 bytes at most")]
    Database,
    #[error("expected a schema of lower-case letters, digits and _, of 63 at most")]
    Schema,
    #[error("expected sslmode=disable or sslmode=verify-full")]
    SslMode,
    #[error("expected no other parameters than schema, sslmode and sslrootcert")]
    Parameter,
}

pub(super) fn parse(url: &str) -> Result<Server, InvalidUrl> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .ok_or(InvalidUrl::Form)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').ok_or(InvalidUrl::Database)?;
    let (credentials, address) = authority.rsplit_once('@').ok_or(InvalidUrl::Form)?;
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (host, port) = split_address(address)?;
    let database = decode(database)?;
    if database.is_empty() || database.len() > LONGEST_NAME || database.contains('/') {
        return Err(InvalidUrl::Database);
    }
    let mut server = Server {
        tls: if is_here(host) { Tls::Off } else { Tls::Public },
        host: host.to_owned(),
        port,
        user: decode(user)?,
        password: decode(password)?,
        database,
        schema: DEFAULT_SCHEMA.to_owned(),
    };
    if server.user.is_empty() {
        return Err(InvalidUrl::Form);
    }
    read_query(&mut server, query)?;
    Ok(server)
}

fn read_query(server: &mut Server, query: &str) -> Result<(), InvalidUrl> {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(InvalidUrl::Parameter)?;
        let value = decode(value)?;
        match name {
            "schema" if is_plain_name(&value) => server.schema = value,
            "schema" => return Err(InvalidUrl::Schema),
            "sslmode" if value == "disable" => server.tls = Tls::Off,
            "sslmode" if value == "verify-full" => {
                if server.tls == Tls::Off {
                    server.tls = Tls::Public;
                }
            }
            "sslmode" => return Err(InvalidUrl::SslMode),
            "sslrootcert" => server.tls = Tls::File(PathBuf::from(value)),
            _ => return Err(InvalidUrl::Parameter),
        }
    }
    Ok(())
}

/// `host`, `host:port`, `[::1]:port`.
fn split_address(address: &str) -> Result<(&str, u16), InvalidUrl> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(InvalidUrl::Form)?;
            let port = match port.strip_prefix(':') {
                Some(port) => Some(port),
                None if port.is_empty() => None,
                None => return Err(InvalidUrl::Form),
            };
            (host, port)
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() {
        return Err(InvalidUrl::Form);
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| InvalidUrl::Form)?,
        None => DEFAULT_PORT,
    };
    Ok((host, port))
}

fn is_here(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A name that needs no quotes, so that it cannot be anything else in a statement.
fn is_plain_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.as_bytes()[0].is_ascii_digit()
}

fn decode(text: &str) -> Result<String, InvalidUrl> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| InvalidUrl::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    #[test]
    fn a_url_names_server_database_schema_and_encryption() {
        let server =
            parse("postgres://pa%40sar:s%3Acret@db.example:6432/orders?schema=shop_1").unwrap();
        assert_eq!(
            (server.user.as_str(), server.password.as_str()),
            ("pa@sar", "s:cret")
        );
        assert_eq!((server.host.as_str(), server.port), ("db.example", 6432));
        assert_eq!(
            (server.database.as_str(), server.schema.as_str()),
            ("orders", "shop_1")
        );
        assert_eq!(
            server.tls,
            Tls::Public,
            "another machine is reached over TLS"
        );
        let here = parse("postgres://pasar@[::1]/orders").unwrap();
        assert_eq!(
            (here.host.as_str(), here.port, &here.tls),
            ("::1", 5432, &Tls::Off)
        );
        let file =
            parse("postgres://pasar@localhost/o?sslrootcert=/etc/ca.pem&sslmode=verify-full");
        assert_eq!(file.unwrap().tls, Tls::File("/etc/ca.pem".into()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (url, why) in [
            ("mysql://a@b/c", InvalidUrl::Form),
            ("postgres://host/db", InvalidUrl::Form),
            ("postgres://a@host", InvalidUrl::Database),
            ("postgres://a@host/", InvalidUrl::Database),
            ("postgres://a@host:x/db", InvalidUrl::Form),
            ("postgres://a@host/db?schema=a;drop", InvalidUrl::Schema),
            ("postgres://a@host/db?sslmode=prefer", InvalidUrl::SslMode),
            ("postgres://a@host/db?sslrootcertt=x", InvalidUrl::Parameter),
        ] {
            assert_eq!(parse(url).err(), Some(why), "{url}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let place = Place::postgres("postgres://user:hush@host/db").unwrap();
        let shown = format!(
            "{place} {place:?} {:?}",
            parse("postgres://user:hush@host/db")
        );
        assert!(
            !shown.contains("hush") && shown.contains("postgres://host:5432/db"),
            "{shown}"
        );
    }
}

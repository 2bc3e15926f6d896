//! The other ends of brokers: what a reader of each kind gets, by the client library that its users have.
//!
//! One suite of the relay runs over all of them, and so do the tests of kills and outages of the whole program.

#![expect(
    clippy::unwrap_used,
    reason = "an end is part of a test, which fails by panicking"
)]

pub mod kafka;
pub mod mqtt;
pub mod nats;
pub mod rabbitmq;
pub mod redis;

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicU64, Ordering},
    time::UNIX_EPOCH,
};

use serde_json::Value;

use crate::servers::Server;

/// A real client of a kind's server.
pub trait End: Send + Sized + 'static {
    /// As [`Server::shared`] calls it.
    const SERVER: &'static str;
    /// What names begin with that the server's limited user may use, if it has such rules.
    const ALLOWED: Option<&'static str>;
    /// Whether a message's attributes go along beside its body.
    const HAS_ATTRIBUTES: bool;
    /// Whether it gets later what came while it was away.
    const IS_DURABLE: bool;
    /// Whether that is so even if the server was killed meanwhile.
    const SURVIVES_KILL: bool;
    /// Whether a client of the server uses only the address that it was given.
    const CAN_BE_CUT: bool;

    /// The settings of a destination called `name` there: with `kind`.
    fn settings(access: &Access, name: &str) -> Value;

    /// Listens to what is sent to `name` once this returns; if durable, also to what was sent before.
    fn listen(server: &Server, name: &str) -> impl Future<Output = Self> + Send;

    /// The next message. Waits without end, also where the server is gone: whoever waits has a deadline.
    fn next(&mut self) -> impl Future<Output = Got> + Send;
}

/// How a destination gets to a server.
pub struct Access {
    pub host: &'static str,
    pub port: u16,
    pub is_tls: bool,
    pub ca: Option<String>,
    pub user: String,
    pub password: String,
}

impl Access {
    #[must_use]
    pub fn plain(server: &Server) -> Self {
        Self {
            host: "127.0.0.1",
            port: server.port,
            is_tls: false,
            ca: None,
            user: server.user.clone(),
            password: server.password.clone(),
        }
    }

    #[must_use]
    pub fn tls(server: &Server, ca: &str) -> Self {
        Self {
            host: "localhost",
            port: server.tls_port,
            is_tls: true,
            ca: Some(ca.to_owned()),
            ..Self::plain(server)
        }
    }

    /// `redis://127.0.0.1:6379`, with the scheme for where there is TLS and where not.
    #[must_use]
    pub fn url(&self, plain: &str, encrypted: &str) -> String {
        let scheme = if self.is_tls { encrypted } else { plain };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub body: Vec<u8>,
    pub content_type: String,
    /// CloudEvents attributes, without what the protocol puts before their names.
    pub attributes: BTreeMap<String, String>,
}

impl Got {
    /// Of a protocol that carries nothing but bytes: what they tell themselves.
    #[must_use]
    pub fn body_only(body: Vec<u8>) -> Self {
        let mut attributes = BTreeMap::new();
        if let Ok(Value::Object(event)) = serde_json::from_slice(&body) {
            for name in ["id", "position"] {
                let text = event.get(name).and_then(Value::as_str);
                attributes.extend(text.map(|text| (name.to_owned(), text.to_owned())));
            }
        } else if let Some(number) = str::from_utf8(&body)
            .ok()
            .and_then(|text| text.strip_prefix("message "))
        {
            attributes.insert("id".to_owned(), format!("msg_{number}"));
        }
        Self {
            body,
            content_type: String::new(),
            attributes,
        }
    }

    /// Its place in the log.
    ///
    /// # Panics
    /// If it does not say so.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.attributes["position"].parse().unwrap()
    }

    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.attributes["id"]
    }
}

/// A name that no other test uses, and no earlier run.
///
/// # Panics
/// If the system does not say when this process began.
#[must_use]
pub fn new_name(start: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = std::process::id();
    let started = fs::metadata("/proc/self")
        .and_then(|entry| entry.modified())
        .unwrap()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{start}t{started}-{process}-{count}")
}

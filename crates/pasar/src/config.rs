//! The whole configuration. It is read before anything is opened or bound.

use std::{collections::BTreeMap, env, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use pasar_chassis::{
    config::{self, Sources},
    databases::Databases,
    telemetry::LogConfig,
};
use pasar_contracts::event::Service;
use serde::Deserialize;

use self::place::Place;

pub(crate) mod place;

/// The defaults with what they mean: what `pasar config` prints, and what is read first.
pub(crate) const DEFAULTS: &str = include_str!("../config.default.toml");

/// Variables with our prefix that are flags or secrets, no configuration.
const NOT_CONFIGURATION: &[&str] = &[
    "PASAR_ADMIN_PASSWORD",
    "PASAR_BIND",
    "PASAR_CONFIG",
    "PASAR_CRASH_POINT",
    "PASAR_DATA",
    "PASAR_KEY",
    "PASAR_KEYRING",
    "PASAR_KEYRING_FILE",
    "PASAR_URL",
    "PASAR_WEBHOOK_SECRET",
];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    public_url: String,
    drain_ms: u64,
    pub(crate) database: DatabaseConfig,
    drain_notice_ms: u64,
    pub(crate) log: LogConfig,
    pub(crate) feeds: FeedsConfig,
    /// Where services are that run in processes of their own.
    pub(crate) services: BTreeMap<String, Place>,
    pub(crate) gateway: pasar_gateway::config::Config,
    pub(crate) users: pasar_users::config::Config,
    pub(crate) inventory: pasar_inventory::config::Config,
    pub(crate) orders: pasar_orders::config::Config,
    pub(crate) payments: pasar_payments::config::Config,
    pub(crate) relay: pasar_relay::config::Config,
}

/// Where the databases are.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseConfig {
    /// Empty for files. It holds a password.
    url: String,
    migrate: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedsConfig {
    /// 0: all of them.
    keep_s: u64,
}

impl FeedsConfig {
    /// How long feeds are kept at least; the whole feeds if there is none.
    pub(crate) fn keep(&self) -> Option<Duration> {
        (self.keep_s > 0).then(|| Duration::from_secs(self.keep_s))
    }
}

impl DatabaseConfig {
    pub(crate) fn databases(&self) -> anyhow::Result<Databases> {
        let databases = if self.url.is_empty() {
            Databases::default()
        } else {
            Databases::on_server(&self.url).context("database.url (PASAR_DATABASE__URL)")?
        };
        Ok(databases.verified_only(!self.migrate))
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = if self.url.is_empty() { "" } else { ".." };
        f.debug_struct("DatabaseConfig")
            .field("url", &url)
            .field("migrate", &self.migrate)
            .finish()
    }
}

impl Config {
    /// Defaults, then the file and the environment.
    pub(crate) fn load(file: Option<PathBuf>) -> anyhow::Result<Self> {
        Self::read(&Sources {
            defaults: DEFAULTS,
            file,
            environment: env::vars().collect(),
            not_configuration: NOT_CONFIGURATION,
            flags: Vec::new(),
        })
    }

    /// Defaults, then the file: whoever runs tests may have variables of their own.
    #[cfg(test)]
    pub(crate) fn of_file(file: PathBuf) -> anyhow::Result<Self> {
        Self::read(&Sources {
            defaults: DEFAULTS,
            file: Some(file),
            ..Sources::default()
        })
    }

    /// What clients reach a gateway in another process by.
    pub(crate) fn public_url_elsewhere(&self) -> anyhow::Result<String> {
        ensure!(
            !self.public_url.is_empty() || self.gateway.bind.port() != 0,
            "where clients reach the gateway is not known here; say it in the configuration of every process: \
             public_url = \"https://shop.example\""
        );
        Ok(self.public_url(self.gateway.bind))
    }

    /// Where a service of ours is, or listens.
    pub(crate) fn place(&self, service: Service) -> anyhow::Result<&Place> {
        self.services.get(service.as_str()).with_context(|| {
            format!("where {service} is must be told: [services.{service}] urls = [\"http://..\"]")
        })
    }

    /// Whether the configuration says anything of services in other processes.
    pub(crate) fn tells_of_processes(&self) -> bool {
        let defaults = Self::read(&Sources {
            defaults: DEFAULTS,
            ..Sources::default()
        });
        defaults.is_ok_and(|defaults| defaults.services != self.services)
    }

    /// How long a process that is to end still takes what comes, so that gateways notice and ask others.
    pub(crate) const fn drain_notice(&self) -> Duration {
        Duration::from_millis(self.drain_notice_ms)
    }

    fn check_public_url(&self) -> anyhow::Result<()> {
        let expected = || {
            format!(
                "public_url: expected where clients reach the gateway, such as https://shop.example, got {:?}",
                self.public_url
            )
        };
        if self.public_url.is_empty() {
            return Ok(());
        }
        let url: http::Uri = self.public_url.parse().with_context(expected)?;
        let scheme = url.scheme_str().unwrap_or_default();
        // Paths of the API begin right after it.
        let is_whole = url.host().is_some_and(|host| !host.is_empty())
            && matches!(url.path(), "" | "/")
            && url.query().is_none();
        ensure!(matches!(scheme, "http" | "https") && is_whole, expected());
        Ok(())
    }

    fn check_places(&self) -> anyhow::Result<()> {
        let mut answered = BTreeMap::new();
        for (name, place) in &self.services {
            match name.parse::<Service>() {
                Ok(Service::Gateway) => {
                    bail!("services.gateway: the gateway is told by public_url")
                }
                Ok(_) => place.check_ours(name)?,
                Err(_) => place.check_foreign(name)?,
            }
            for prefix in &place.prefixes {
                if let Some(other) = answered.insert(prefix, name) {
                    bail!("services.{name}.prefixes: {prefix} is answered by {other} already");
                }
            }
        }
        Ok(())
    }

    /// What clients reach the gateway by, once it is known where that listens.
    pub(crate) fn public_url(&self, address: SocketAddr) -> String {
        if !self.public_url.is_empty() {
            return self.public_url.trim_end_matches('/').to_owned();
        }
        self.listening_at(address)
    }

    /// Where a gateway of this configuration answers on its own machine.
    pub(crate) fn gateway_here(&self) -> String {
        self.listening_at(self.gateway.bind)
    }

    fn listening_at(&self, address: SocketAddr) -> String {
        let scheme = if self.gateway.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", reachable(address))
    }

    /// A demo runs on a laptop: nothing outside is to be protected, and `curl` needs no key for a message.
    pub(crate) fn open_for_demo(&mut self) {
        self.relay.open_client_topic = true;
        self.relay.allow_private_networks = true;
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    fn read(sources: &Sources) -> anyhow::Result<Self> {
        let config: Self = config::load(sources)
            .context("the configuration cannot be used; `pasar config` shows what there is")?;
        config.database.databases()?;
        config.gateway.validate().context("gateway")?;
        config.check_public_url()?;
        config.check_places()?;
        config.users.check()?;
        config.orders.check()?;
        config.payments.check()?;
        config.relay.check()?;
        Ok(config)
    }
}

/// Where a client on this machine finds a listener: one on all addresses is also on loopback.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Config::read(&Sources {
            defaults: DEFAULTS,
            environment: environment.iter().map(owned).collect(),
            not_configuration: NOT_CONFIGURATION,
            ..Sources::default()
        })
    }

    /// The text is what people read, so it must say what an absent value would mean.
    #[test]
    fn the_commented_defaults_are_the_defaults_of_every_service() {
        let config = read(&[]).unwrap();
        let same = |text: &dyn fmt::Debug, code: &dyn fmt::Debug| {
            assert_eq!(format!("{text:#?}"), format!("{code:#?}"));
        };
        same(&config.log, &LogConfig::default());
        same(&config.gateway, &pasar_gateway::config::Config::default());
        same(&config.users, &pasar_users::config::Config::default());
        same(
            &config.inventory,
            &pasar_inventory::config::Config::default(),
        );
        same(&config.orders, &pasar_orders::config::Config::default());
        same(&config.payments, &pasar_payments::config::Config::default());
        same(&config.relay, &pasar_relay::config::Config::default());
    }

    #[test]
    fn the_environment_reaches_every_section_and_a_slip_is_named() {
        let config = read(&[
            ("PASAR_PAYMENTS__SANDBOX__DELAY_MS", "50"),
            ("PASAR_KEY", "x"),
        ]);
        assert_eq!(config.unwrap().payments.sandbox.delay_ms, 50);
        let slip = format!(
            "{:#}",
            read(&[("PASAR_ORDERS__DEADLIN_S", "1")]).unwrap_err()
        );
        assert!(
            slip.contains("PASAR_ORDERS__DEADLIN_S") && slip.contains("deadline_s"),
            "{slip}"
        );
        let wrong = format!(
            "{:#}",
            read(&[("PASAR_ORDERS__DEADLINE_S", "0")]).unwrap_err()
        );
        assert!(wrong.contains("orders.deadline_s"), "{wrong}");
    }

    #[test]
    fn the_url_of_the_databases_is_checked_and_never_shown() {
        let url = "postgres://pasar:hush@db.example/{service}";
        let config = read(&[("PASAR_DATABASE__URL", url)]).unwrap();
        assert!(config.database.databases().unwrap().are_on_server());
        assert!(!format!("{config:?}").contains("hush"));
        let shared = read(&[(
            "PASAR_DATABASE__URL",
            "postgres://pasar:hush@db.example/pasar",
        )]);
        let refused = format!("{:#}", shared.unwrap_err());
        assert!(
            refused.contains("{service}") && !refused.contains("hush"),
            "{refused}"
        );
    }

    #[test]
    fn links_lead_to_the_configured_address_or_to_the_listener() {
        let mut config = read(&[]).unwrap();
        let url = |config: &Config, address: &str| config.public_url(address.parse().unwrap());
        assert_eq!(url(&config, "127.0.0.1:4000"), "http://127.0.0.1:4000");
        assert_eq!(url(&config, "0.0.0.0:80"), "http://127.0.0.1:80");
        assert_eq!(url(&config, "[::]:80"), "http://[::1]:80");
        config.public_url = "https://kopi.example/".to_owned();
        assert_eq!(url(&config, "0.0.0.0:80"), "https://kopi.example");
    }

    #[test]
    fn a_public_url_is_a_whole_one_and_nothing_more() {
        for good in [
            "http://localhost:8080",
            "https://shop.example/",
            "http://[::1]:80",
        ] {
            assert!(read(&[("PASAR_PUBLIC_URL", good)]).is_ok(), "{good}");
        }
        let bad = [
            "shop",
            "shop.example:8080",
            "ftp://shop.example",
            "https://",
            "https://shop.example/kopi",
            "https://shop.example?a=1",
        ];
        for bad in bad {
            let refused = format!("{:#}", read(&[("PASAR_PUBLIC_URL", bad)]).unwrap_err());
            assert!(refused.contains("https://shop.example"), "{bad}: {refused}");
        }
    }

    #[test]
    fn two_services_cannot_answer_the_same() {
        let refused = read(&[
            ("PASAR_SERVICES__A__URLS", "http://a:1"),
            ("PASAR_SERVICES__A__PREFIXES", "/v1/extra"),
            ("PASAR_SERVICES__B__URLS", "http://b:1"),
            ("PASAR_SERVICES__B__PREFIXES", "/v1/more,/v1/extra"),
        ]);
        let refused = format!("{:#}", refused.unwrap_err());
        assert!(refused.contains("/v1/extra is answered by a"), "{refused}");
    }
}

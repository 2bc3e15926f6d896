//! The configuration: compiled-in commented defaults, then a file, then the environment, then flags.
//! It is read whole, into one struct, before anything is opened or bound.

use std::path::PathBuf;

use figment::{
    Error, Figment, Metadata, Profile, Provider, Source,
    error::{Actual, Kind},
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};
use serde::de::DeserializeOwned;

/// Where values come from; each overrides those before it.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The defaults, as commented TOML. They are the documentation, and they are complete.
    pub defaults: &'static str,
    /// A file that must exist.
    pub file: Option<PathBuf>,
    /// The process's environment: `PASAR_ORDERS__DEADLINE_S` is `orders.deadline_s`.
    pub environment: Vec<(String, String)>,
    /// Variables that begin with `PASAR_` and are not configuration, such as `PASAR_KEYRING`.
    pub not_configuration: &'static [&'static str],
    /// Flags as (key, value, the flag's name): `("server.bind", "0.0.0.0:8080", "--bind")`.
    pub flags: Vec<(String, String, &'static str)>,
}

/// What cannot be used in the configuration: key, where it comes from, what is expected.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(Vec<String>);

const PREFIX: &str = "PASAR_";

/// Reads all sources into a struct, which should refuse unknown fields.
pub fn load<T: DeserializeOwned>(sources: &Sources) -> Result<T, ConfigError> {
    let mut figment = Figment::new().merge(Defaults(sources.defaults));
    if let Some(file) = &sources.file {
        figment = figment.merge(Toml::file_exact(file));
    }
    let ours = sources.environment.iter().filter(|(name, _)| {
        name.starts_with(PREFIX) && !sources.not_configuration.contains(&name.as_str())
    });
    for (name, value) in ours {
        let key = name[PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
        figment = figment.merge(One {
            key,
            value: value.clone(),
            from: format!("environment variable {name}"),
        });
    }
    for (key, value, flag) in &sources.flags {
        figment = figment.merge(One {
            key: key.clone(),
            value: value.clone(),
            from: format!("flag {flag}"),
        });
    }
    figment
        .extract()
        .map_err(|errors| ConfigError(errors.into_iter().map(|error| explain(&error)).collect()))
}

/// Like `server.bind: expected a socket address, got "x" (environment variable PASAR_SERVER__BIND)`.
fn explain(error: &Error) -> String {
    let mut key = error.path.clone();
    let what = match &error.kind {
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("expected {}, got {}", in_words(expected), said(actual))
        }
        Kind::UnknownField(field, expected) => {
            if key.last() != Some(field) {
                key.push(field.clone());
            }
            match expected {
                [] => "there is no such key; none is expected here".to_owned(),
                known => format!("there is no such key; expected one of {}", known.join(", ")),
            }
        }
        Kind::UnknownVariant(variant, expected) => {
            format!("expected one of {}, got {variant:?}", expected.join(", "))
        }
        Kind::MissingField(field) => {
            key.push(field.to_string());
            "a value is expected, but there is none".to_owned()
        }
        other => other.to_string(),
    };
    let from = match error.metadata.as_ref() {
        Some(metadata) => match &metadata.source {
            Some(Source::File(path)) => format!(" (file {})", path.display()),
            _ => format!(" ({})", metadata.name),
        },
        None => String::new(),
    };
    if key.is_empty() {
        format!("{what}{from}")
    } else {
        format!("{}: {what}{from}", key.join("."))
    }
}

/// What is expected, without the names of our types.
fn in_words(expected: &str) -> String {
    let whole = |most: u32| format!("a whole number from 0 to {most}");
    match expected {
        "u8" => whole(u8::MAX.into()),
        "u16" => whole(u16::MAX.into()),
        "u32" => whole(u32::MAX),
        "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        expected if expected.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

fn said(actual: &Actual) -> String {
    match actual {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(text) => format!("{text:?}"),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// The compiled-in defaults.
struct Defaults(&'static str);

impl Provider for Defaults {
    fn metadata(&self) -> Metadata {
        Metadata::named("compiled-in defaults")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Toml::string(self.0).data()
    }
}

/// One value from the environment or a flag. Numbers, booleans and lists are recognised.
struct One {
    key: String,
    value: String,
    from: String,
}

impl Provider for One {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.from.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let value: Value = self
            .value
            .parse()
            .unwrap_or_else(|_| Value::from(self.value.clone()));
        let nested = figment::util::nest(&self.key, value);
        let dict = nested.into_dict().ok_or("a key is empty")?;
        Ok(Profile::Default.collect(dict))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        server: Server,
        orders: Orders,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Server {
        bind: SocketAddr,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Orders {
        deadline_s: u32,
        name: String,
    }

    const DEFAULTS: &str = "
        [server]
        bind = '127.0.0.1:8080'
        [orders]
        deadline_s = 900
        name = 'a'
    ";

    fn sources(environment: &[(&str, &str)]) -> Sources {
        Sources {
            defaults: DEFAULTS,
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            not_configuration: &["PASAR_KEYRING"],
            ..Sources::default()
        }
    }

    fn error(sources: &Sources) -> String {
        load::<Config>(sources).unwrap_err().to_string()
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pasar.toml");
        std::fs::write(&file, "[orders]\ndeadline_s = 1\nname = 'file'").unwrap();
        let mut sources = sources(&[
            ("PASAR_ORDERS__DEADLINE_S", "2"),
            ("PASAR_KEYRING", "{}"),
            ("PATH", "/bin"),
        ]);
        sources.file = Some(file);
        sources.flags = vec![("server.bind".into(), "127.0.0.1:0".into(), "--bind")];
        let config: Config = load(&sources).unwrap();
        assert_eq!(config.server.bind.port(), 0);
        assert_eq!(config.orders.deadline_s, 2);
        assert_eq!(config.orders.name, "file");
    }

    #[test]
    fn a_text_that_looks_like_a_number_is_said_to_be_one() {
        let error = error(&sources(&[("PASAR_ORDERS__NAME", "7")]));
        assert!(error.contains("orders.name"), "{error}");
    }

    #[test]
    fn an_address_with_brackets_is_a_text() {
        let config: Config = load(&sources(&[("PASAR_SERVER__BIND", "[::1]:7")])).unwrap();
        assert_eq!(config.server.bind.to_string(), "[::1]:7");
    }

    #[test]
    fn an_error_names_key_source_and_what_is_expected() {
        let check = |name: &str, value: &str, parts: &[&str]| {
            let error = error(&sources(&[(name, value)]));
            for part in parts {
                assert!(error.contains(part), "{error} lacks {part}");
            }
        };
        let deadline = "PASAR_ORDERS__DEADLINE_S";
        check(
            deadline,
            "soon",
            &[
                "orders.deadline_s",
                deadline,
                "expected a whole number from 0 to 4294967295, got \"soon\"",
            ],
        );
        check(
            deadline,
            "-1",
            &["orders.deadline_s", "whole number", "got -1"],
        );
        check(deadline, "[1]", &["whole number", "got a list"]);
        check("PASAR_ORDERS", "1", &["orders: expected a table, got 1"]);
        check(
            "PASAR_SERVER__BIND",
            "x",
            &["server.bind", "PASAR_SERVER__BIND"],
        );
        check(
            "PASAR_ORDERS__DEADLIN",
            "1",
            &["orders.deadlin:", "deadline_s", "no such key"],
        );
    }

    #[test]
    fn a_file_that_is_not_there_or_no_toml_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut sources = sources(&[]);
        sources.file = Some(folder.path().join("pasar.toml"));
        assert!(error(&sources).contains("pasar.toml"));
        std::fs::write(folder.path().join("pasar.toml"), "[orders\n").unwrap();
        assert!(
            error(&sources).contains("pasar.toml"),
            "{}",
            error(&sources)
        );
    }

    #[test]
    fn a_missing_value_is_named_with_its_path() {
        let mut sources = sources(&[]);
        sources.defaults = "[server]\nbind = '127.0.0.1:8080'\n[orders]\nname = 'a'";
        let error = error(&sources);
        assert!(error.starts_with("orders.deadline_s: "), "{error}");
    }
}

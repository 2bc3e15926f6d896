//! NATS: core subjects, which whoever listens at that moment gets, or JetStream, which keeps what it
//! acknowledges.
//!
//! The library connects by itself: it gets addresses that the guard has checked, no name, and may neither
//! follow servers that a server names nor connect again by itself.

mod connection;
mod login;

use std::sync::Arc;

use async_nats::HeaderMap;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use utoipa::ToSchema;

use self::{connection::Connection, login::Login};
use crate::{
    destination::{Destination, InvalidSettings, Network, Next, Parcel, Sent},
    destinations::{
        attributes::attributes,
        broker::{Broker, MAX_TEXT_BYTES, Place, failed, unreachable},
        link::Link,
        settings::{check_text, invalid},
        template::Template,
    },
};

/// The kind `nats`.
pub struct Nats;

/// Publishes each message to a subject of NATS, with its CloudEvents attributes as headers `ce-..`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NatsDestination)]
pub(crate) struct Settings {
    /// `nats://host:4222` or, with TLS, `tls://host:4222`.
    #[schema(example = "tls://nats.example:4222")]
    url: String,
    /// The subject; may hold `{topic}`, `{type}`, `{key}`. In a key, what a subject gives a meaning is
    /// percent-encoded; a type's dots stay. No wildcards.
    #[schema(example = "shop.{topic}")]
    subject: String,
    /// Whether a message counts as delivered only once a JetStream stream has stored it. Otherwise it does
    /// once the server has taken it.
    #[serde(default)]
    jetstream: bool,
    /// With a password; or one of `token`, `nkey`, `credentials`.
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    /// The seed of a user's key (`SU..`).
    nkey: Option<String>,
    /// The text of a credentials file: a user's JWT and seed.
    credentials: Option<String>,
    /// Where the server's answers to us go: the user must be allowed to publish and subscribe below it.
    /// `_INBOX` if absent.
    #[schema(example = "_INBOX")]
    inbox_prefix: Option<String>,
    /// Certificates (PEM) to trust beside the public ones.
    ca: Option<String>,
}

impl Broker for Nats {
    const NAME: &'static str = "nats";
    const SECRETS: &'static [&'static str] = &["/password", "/token", "/nkey", "/credentials"];
    const CONCURRENCY: u16 = 64;
    type Settings = Settings;
    type Read = (Place, Login, Template, bool);

    fn read(settings: Settings) -> Result<Self::Read, InvalidSettings> {
        check_text("/subject", &settings.subject, MAX_TEXT_BYTES)?;
        let subject = Template::parse(&settings.subject)
            .map_err(|error| invalid("/subject", error.to_string()))?;
        check_subject("/subject", &settings.subject)?;
        if let Some(prefix) = &settings.inbox_prefix {
            check_text("/inbox_prefix", prefix, MAX_TEXT_BYTES)?;
            check_subject("/inbox_prefix", prefix)?;
        }
        let place = Place::read(
            &settings.url,
            settings.ca.as_deref(),
            ("nats", 4222),
            ("tls", 4222),
        )?;
        let jetstream = settings.jetstream;
        let login = Login::read(settings)?;
        Ok((place, login, subject, jetstream))
    }

    fn open(
        (place, login, subject, jetstream): Self::Read,
        network: Network,
    ) -> Arc<dyn Destination> {
        Arc::new(Publisher {
            place,
            login,
            subject,
            jetstream,
            network,
            link: Link::default(),
        })
    }
}

/// Words joined by dots, none of them a wildcard.
fn is_subject(text: &str) -> bool {
    text.split('.')
        .all(|word| !word.is_empty() && word.chars().all(is_plain))
}

fn check_subject(pointer: &str, text: &str) -> Result<(), InvalidSettings> {
    if is_subject(text) {
        return Ok(());
    }
    Err(invalid(
        pointer,
        "expected words joined by dots, without spaces and the wildcards * and >",
    ))
}

/// What a type may hold in a subject: its words are words of the subject.
fn is_plain(character: char) -> bool {
    !(character.is_whitespace() || matches!(character, '*' | '>'))
}

/// What a key may: with a dot it could reach another subject.
fn is_plain_in_key(character: char) -> bool {
    is_plain(character) && character != '.'
}

struct Publisher {
    place: Place,
    login: Login,
    subject: Template,
    jetstream: bool,
    network: Network,
    link: Link<Connection>,
}

impl Destination for Publisher {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        Box::pin(async move { self.publish(parcel).await.unwrap_or_else(|sent| sent) })
    }
}

impl Publisher {
    async fn publish(&self, parcel: &Parcel) -> Result<Sent, Sent> {
        let connection = self
            .link
            .get(
                self.network.connect_timeout,
                Connection::is_open,
                async || Connection::open(&self.place, &self.login, &self.network).await,
            )
            .await?;
        let subject = self
            .subject
            .fill_with(&parcel.message, is_plain, is_plain_in_key);
        if !is_subject(&subject) {
            return Err(failed(
                "the message's type has a dot too many to be part of a subject",
                Next::Never,
            ));
        }
        let headers = self.headers(parcel)?;
        let body = parcel.body.clone();
        let sending = async {
            if self.jetstream {
                connection.store(subject, headers, body).await
            } else {
                connection.tell(subject, headers, body).await
            }
        };
        let timeout = self.network.attempt_timeout;
        let sent = tokio::time::timeout(timeout, sending).await;
        let sent = sent.unwrap_or_else(|_| {
            unreachable(format!(
                "NATS did not answer within {} ms",
                timeout.as_millis()
            ))
        });
        if matches!(sent, Sent::Unreachable(_)) {
            self.link.forget(&connection).await;
        }
        Ok(sent)
    }

    fn headers(&self, parcel: &Parcel) -> Result<HeaderMap, Sent> {
        let mut headers = HeaderMap::new();
        let mut add = |name: String, text: &str| {
            let value = text.parse::<async_nats::HeaderValue>();
            let name = name.parse::<async_nats::HeaderName>();
            match (name, value) {
                (Ok(name), Ok(value)) => {
                    headers.insert(name, value);
                    Ok(())
                }
                _ => Err(failed(
                    "an attribute of the message has a line break, which no NATS header can have",
                    Next::Never,
                )),
            }
        };
        for (name, text) in attributes(&parcel.message) {
            add(format!("ce-{name}"), &text)?;
        }
        add("content-type".to_owned(), &parcel.content_type)?;
        if self.jetstream {
            // A message's id is unique in its topic only, and a stream may get it from two subscriptions.
            let id = format!(
                "{}/{}/{}",
                parcel.subscription, parcel.message.topic, parcel.message.id
            );
            add("Nats-Msg-Id".to_owned(), &id)?;
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::destination::Kind as _;

    fn checked(more: Value) -> Result<(), String> {
        let mut settings =
            json!({ "kind": "nats", "url": "nats://a.example", "subject": "shop.{topic}.{key}" });
        let (Some(all), Value::Object(more)) = (settings.as_object_mut(), more) else {
            panic!("expected objects");
        };
        all.extend(more);
        Nats.check(all).map_err(|error| error.to_string())
    }

    #[test]
    fn one_way_to_log_in_is_enough() {
        assert_eq!(checked(json!({})), Ok(()));
        assert_eq!(checked(json!({ "username": "a", "password": "b" })), Ok(()));
        assert_eq!(checked(json!({ "token": "t", "jetstream": true })), Ok(()));
        assert_eq!(
            checked(json!({ "token": "t", "username": "a" })),
            Err("destination/token: expected one of username, token, nkey and credentials".into())
        );
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (settings, field) in [
            (json!({ "subject": "a.*" }), "/subject"),
            (json!({ "subject": "a..b" }), "/subject"),
            (json!({ "subject": "a b" }), "/subject"),
            (json!({ "subject": "{id}" }), "/subject"),
            (json!({ "inbox_prefix": "a.>" }), "/inbox_prefix"),
            (json!({ "nkey": "SUhunter2" }), "/nkey"),
            (json!({ "credentials": "hunter2" }), "/credentials"),
            (json!({ "url": "http://a.example" }), "/url"),
        ] {
            let refused = checked(settings).unwrap_err();
            assert!(refused.contains(field), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}

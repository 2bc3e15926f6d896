//! Redis: a channel, which whoever listens at that moment gets, or a stream, which keeps what it is given.
//! A message counts as delivered once Redis has answered its command.

use std::sync::Arc;

use ::redis::{Cmd, RedisConnectionInfo, RedisError, Value as Answer, aio::MultiplexedConnection};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::task::AbortHandle;
use utoipa::ToSchema;

use crate::{
    destination::{Destination, InvalidSettings, Network, Next, Parcel, Sent},
    destinations::{
        attributes::attributes,
        broker::{Broker, MAX_TEXT_BYTES, Place, check_credentials, failed, unreachable},
        link::Link,
        settings::{check_text, invalid},
        template::Template,
    },
};

/// The kind `redis`.
pub struct Redis;

/// What Redis takes where its configuration says nothing else (`proto-max-bulk-len`).
const DEFAULT_MAX_BYTES: usize = 512 * 1024 * 1024;
/// Databases that Redis can be configured to have.
const MAX_DATABASE: u16 = 9_999;

/// Publishes each message to a channel of Redis, or adds it to a stream.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RedisDestination)]
pub(crate) struct Settings {
    /// `redis://host:6379` or, with TLS, `rediss://host:6379`.
    #[schema(example = "rediss://redis.example:6379")]
    url: String,
    /// The channel to publish to; may hold `{topic}`, `{type}`, `{key}`. Either this or `stream`.
    #[schema(example = "client")]
    channel: Option<String>,
    /// The stream to add to; may hold `{topic}`, `{type}`, `{key}`. An entry has the message's CloudEvents
    /// attributes as fields, with `datacontenttype` and `data`.
    stream: Option<String>,
    /// Entries that the stream keeps, about; all if absent.
    #[schema(minimum = 1)]
    maxlen: Option<u64>,
    /// Of a channel: whether a message that nobody listened to counts as a failure, and is tried again.
    #[serde(default)]
    require_subscriber: bool,
    username: Option<String>,
    password: Option<String>,
    /// The number of the database; a channel is the same in all.
    #[serde(default)]
    #[schema(maximum = 9999)]
    db: u16,
    /// Certificates (PEM) to trust beside the public ones.
    ca: Option<String>,
}

impl Broker for Redis {
    const NAME: &'static str = "redis";
    const SECRETS: &'static [&'static str] = &["/password"];
    const CONCURRENCY: u16 = 64;
    type Settings = Settings;
    type Read = (Place, RedisConnectionInfo, Target);

    fn read(settings: Settings) -> Result<Self::Read, InvalidSettings> {
        check_credentials(settings.username.as_deref(), settings.password.as_deref())?;
        if settings.db > MAX_DATABASE {
            return Err(invalid("/db", format!("expected 0 to {MAX_DATABASE}")));
        }
        let target = target(&settings)?;
        let place = Place::read(
            &settings.url,
            settings.ca.as_deref(),
            ("redis", 6379),
            ("rediss", 6379),
        )?;
        let login = RedisConnectionInfo {
            db: settings.db.into(),
            username: settings.username,
            password: settings.password,
            ..RedisConnectionInfo::default()
        };
        Ok((place, login, target))
    }

    fn open((place, login, target): Self::Read, network: Network) -> Arc<dyn Destination> {
        Arc::new(Publisher {
            place,
            login,
            target,
            network,
            link: Link::default(),
        })
    }
}

/// Where messages go.
pub(crate) enum Target {
    Channel {
        name: Template,
        require_subscriber: bool,
    },
    Stream {
        name: Template,
        maxlen: Option<u64>,
    },
}

fn target(settings: &Settings) -> Result<Target, InvalidSettings> {
    let template = |pointer: &str, text: &str| {
        check_text(pointer, text, MAX_TEXT_BYTES)?;
        Template::parse(text).map_err(|error| invalid(pointer, error.to_string()))
    };
    match (&settings.channel, &settings.stream) {
        (Some(channel), None) => {
            if settings.maxlen.is_some() {
                return Err(invalid("/maxlen", "expected only with a stream"));
            }
            Ok(Target::Channel {
                name: template("/channel", channel)?,
                require_subscriber: settings.require_subscriber,
            })
        }
        (None, Some(stream)) => {
            if settings.require_subscriber {
                return Err(invalid(
                    "/require_subscriber",
                    "expected only with a channel",
                ));
            }
            if settings.maxlen == Some(0) {
                return Err(invalid("/maxlen", "expected 1 or more"));
            }
            Ok(Target::Stream {
                name: template("/stream", stream)?,
                maxlen: settings.maxlen,
            })
        }
        (None, None) => Err(invalid("/channel", "expected a channel or a stream")),
        (Some(_), Some(_)) => Err(invalid(
            "/stream",
            "expected a channel or a stream, not both",
        )),
    }
}

struct Publisher {
    place: Place,
    login: RedisConnectionInfo,
    target: Target,
    network: Network,
    link: Link<Connection>,
}

/// Commands of several callers share it; answers come in their order.
struct Connection {
    commands: MultiplexedConnection,
    /// Bytes of one argument.
    max_bytes: usize,
    driver: AbortHandle,
}

impl Connection {
    fn is_open(&self) -> bool {
        !self.driver.is_finished()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
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
                async || self.connect().await,
            )
            .await?;
        if parcel.body.len() > connection.max_bytes {
            // Redis would close the connection, and with it fail what others have in flight.
            return Err(failed(
                format!(
                    "the message is larger than Redis takes ({} bytes, proto-max-bulk-len)",
                    connection.max_bytes
                ),
                Next::Never,
            ));
        }
        let command = self.command(parcel);
        let mut commands = connection.commands.clone();
        let timeout = self.network.attempt_timeout;
        let answer =
            tokio::time::timeout(timeout, command.query_async::<Answer>(&mut commands)).await;
        match answer {
            Ok(Ok(answer)) => Ok(self.told(&answer)),
            Ok(Err(error)) => {
                if error.is_unrecoverable_error() {
                    self.link.forget(&connection).await;
                }
                Err(refused(&error))
            }
            Err(_) => {
                self.link.forget(&connection).await;
                Err(unreachable(format!(
                    "Redis did not answer within {} ms",
                    timeout.as_millis()
                )))
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Sent> {
        let stream = self.place.connect(&self.network).await?;
        let (mut commands, driver) = MultiplexedConnection::new(&self.login, stream)
            .await
            .map_err(|error| refused(&error))?;
        let driver = self.network.spawn("Redis connection", driver);
        // Not every user may ask.
        let asked = ::redis::cmd("CONFIG")
            .arg("GET")
            .arg("proto-max-bulk-len")
            .query_async::<(String, usize)>(&mut commands)
            .await;
        Ok(Connection {
            commands,
            max_bytes: asked.map_or(DEFAULT_MAX_BYTES, |(_, bytes)| bytes),
            driver,
        })
    }

    fn command(&self, parcel: &Parcel) -> Cmd {
        match &self.target {
            Target::Channel { name, .. } => {
                let mut command = ::redis::cmd("PUBLISH");
                command
                    .arg(name.fill(&parcel.message, is_plain))
                    .arg(&parcel.body[..]);
                command
            }
            Target::Stream { name, maxlen } => {
                let mut command = ::redis::cmd("XADD");
                command.arg(name.fill(&parcel.message, is_plain));
                if let Some(maxlen) = maxlen {
                    command.arg("MAXLEN").arg("~").arg(*maxlen);
                }
                command.arg("*");
                for (field, text) in attributes(&parcel.message) {
                    command.arg(&*field).arg(&*text);
                }
                command
                    .arg("datacontenttype")
                    .arg(&*parcel.content_type)
                    .arg("data")
                    .arg(&parcel.body[..]);
                command
            }
        }
    }

    /// What an answer without an error means.
    fn told(&self, answer: &Answer) -> Sent {
        let detail = match (&self.target, answer) {
            (
                Target::Channel {
                    require_subscriber: true,
                    ..
                },
                Answer::Int(0),
            ) => return failed("nobody is subscribed to the channel", Next::Retry),
            (Target::Channel { .. }, Answer::Int(count)) => Some(format!("{count} subscribers")),
            (Target::Stream { .. }, Answer::BulkString(id)) => {
                Some(format!("entry {}", String::from_utf8_lossy(id)))
            }
            _ => None,
        };
        Sent::Delivered {
            status: None,
            detail,
        }
    }
}

/// What type and key may hold in the name of a channel or stream: everything, as Redis gives no character a
/// meaning there.
const fn is_plain(_: char) -> bool {
    true
}

/// What the owner of the subscription can do about an error.
fn refused(error: &RedisError) -> Sent {
    let said = error.detail().unwrap_or_default();
    let code = error.code().unwrap_or_default();
    if matches!(code, "WRONGPASS" | "NOAUTH")
        || error.kind() == ::redis::ErrorKind::AuthenticationFailed
    {
        return failed(
            "Redis refuses the login; change username and password of the destination",
            Next::Retry,
        );
    }
    if error.is_unrecoverable_error() || error.is_timeout() {
        return unreachable(format!("the connection broke: {error}"));
    }
    match code {
        // It starts, or its cluster finds itself.
        "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" => {
            unreachable(format!("Redis is not ready: {code} {said}"))
        }
        "NOPERM" => failed(
            format!("the user may not do this ({said}); allow it with ACL SETUSER in Redis"),
            Next::Retry,
        ),
        "READONLY" => failed(
            "this Redis is a replica and takes no writes; give the address of its master",
            Next::Retry,
        ),
        "MOVED" | "ASK" | "CROSSSLOT" => failed(
            "this Redis belongs to a cluster and another node has this stream; give the address of that node",
            Next::Retry,
        ),
        "WRONGTYPE" => failed(
            "the name of the stream stands for something else in Redis; change stream or db",
            Next::Retry,
        ),
        _ => failed(format!("Redis refuses: {error}"), Next::Retry),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::destination::Kind as _;

    fn checked(more: Value) -> Result<(), String> {
        let mut settings = json!({ "kind": "redis", "url": "redis://a.example" });
        let (Some(all), Value::Object(more)) = (settings.as_object_mut(), more) else {
            panic!("expected objects");
        };
        all.extend(more);
        Redis.check(all).map_err(|error| error.to_string())
    }

    #[test]
    fn a_channel_or_a_stream_is_named() {
        assert_eq!(checked(json!({ "channel": "client" })), Ok(()));
        assert_eq!(
            checked(json!({ "stream": "{topic}", "maxlen": 1000, "db": 3 })),
            Ok(())
        );
        assert_eq!(
            checked(json!({})),
            Err("destination/channel: expected a channel or a stream".into())
        );
        assert_eq!(
            checked(json!({ "channel": "a", "stream": "b" })),
            Err("destination/stream: expected a channel or a stream, not both".into())
        );
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (settings, field) in [
            (json!({ "channel": "a", "maxlen": 5 }), "/maxlen"),
            (json!({ "stream": "a", "maxlen": 0 }), "/maxlen"),
            (
                json!({ "stream": "a", "require_subscriber": true }),
                "/require_subscriber",
            ),
            (json!({ "channel": "{id}" }), "/channel"),
            (json!({ "channel": "a", "db": 10_000 }), "/db"),
            (json!({ "channel": "a", "password": "p" }), "/username"),
        ] {
            let refused = checked(settings).unwrap_err();
            assert!(refused.contains(field), "{refused}");
        }
    }
}

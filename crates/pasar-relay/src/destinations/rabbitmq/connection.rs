//! One connection to RabbitMQ: how it is made, its channels, and what its errors mean.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lapin::{
    AsyncTcpStream, BasicProperties, Channel, Confirmation, ConnectionProperties, ErrorKind,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    types::ShortString,
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::{
    Route,
    wire::{Cutter, Wire, runtime},
};
use crate::{
    destination::{Network, Next, Sent},
    destinations::broker::{Place, failed, unreachable},
};

/// Publications in flight on one connection, each on a channel of its own. RabbitMQ allows 2,047.
const MAX_CHANNELS: u16 = 256;
/// Seconds after which a connection that says nothing is dead.
const HEARTBEAT_S: u16 = 30;

pub(crate) struct Server {
    pub(super) place: Place,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) vhost: String,
}

impl Server {
    /// Connects through the guard, and logs in.
    pub(super) async fn connect(&self, network: &Network) -> Result<Connection, Sent> {
        // If this future is dropped before the broker has answered, the wire is cut: else lapin's thread would
        // wait on.
        let cutter = Cutter::default();
        let not_yet = cutter.armed();
        let refused = Arc::new(Mutex::new(None));
        let connector = {
            let (place, network) = (self.place.clone(), network.clone());
            let (cutter, refused) = (cutter.clone(), Arc::clone(&refused));
            // lapin runs this on a thread of its own.
            async move |_: AMQPUri, _| {
                let connecting = place.connect(&network);
                let connected = tokio::time::timeout(network.connect_timeout, connecting)
                    .await
                    .unwrap_or_else(|_| Err(unreachable("no connection in time")));
                match connected {
                    Ok(stream) => Ok(AsyncTcpStream::Plain(Wire::new(stream, &cutter))),
                    Err(sent) => {
                        *refused.lock() = Some(sent);
                        cutter.ended();
                        Err(io::Error::from(io::ErrorKind::NotConnected).into())
                    }
                }
            }
        };
        let properties = ConnectionProperties::default().with_connection_name("pasar".into());
        let connecting = Box::pin(lapin::Connection::connector(
            self.uri(),
            runtime(),
            connector,
            properties,
        ));
        let connection = match cutter.answer(connecting).await {
            Some(Ok(connection)) => connection,
            failed => {
                let refused = refused.lock().take();
                return Err(refused.unwrap_or_else(|| match failed {
                    Some(Err(error)) => self.failure(&error),
                    _ => unreachable("the connection to RabbitMQ was lost while it was made"),
                }));
            }
        };
        not_yet.disarm();
        let most = connection.configuration().channel_max().min(MAX_CHANNELS);
        Ok(Connection {
            connection,
            username: self.username.clone(),
            idle: Mutex::default(),
            slots: Semaphore::new(most.max(1).into()),
            cutter,
            is_given_up: AtomicBool::new(false),
        })
    }

    fn uri(&self) -> AMQPUri {
        AMQPUri {
            // The connector sees to TLS.
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: self.username.clone(),
                    password: self.password.clone(),
                },
                host: self.place.host.clone(),
                port: self.place.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString {
                heartbeat: Some(HEARTBEAT_S),
                ..AMQPQueryString::default()
            },
        }
    }

    /// Why there is no connection.
    fn failure(&self, error: &lapin::Error) -> Sent {
        let ErrorKind::ProtocolError(protocol) = error.kind() else {
            return unreachable(format!("no connection to RabbitMQ: {error}"));
        };
        match protocol.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => failed(
                format!(
                    "RabbitMQ refused the login of {}; correct username and password",
                    self.username
                ),
                Next::Retry,
            ),
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => failed(
                format!(
                    "the virtual host {} is missing, or {} has no access to it; correct vhost, or grant the permission",
                    self.vhost, self.username
                ),
                Next::Retry,
            ),
            _ => unreachable(format!(
                "RabbitMQ closed the connection: {}",
                protocol.get_message()
            )),
        }
    }
}

pub(super) struct Connection {
    connection: lapin::Connection,
    username: String,
    idle: Mutex<Vec<Channel>>,
    slots: Semaphore,
    cutter: Cutter,
    is_given_up: AtomicBool,
}

impl Connection {
    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected() && !self.cutter.has_ended()
    }

    /// It does not answer: it is cut, not closed, once nobody uses it.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    /// Resolves once the broker has confirmed, or the connection has ended.
    pub(super) async fn publish(
        &self,
        route: &Route,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), Sent> {
        let publishing = self.publish_on_channel(route, key, body, properties);
        let answered = self.cutter.answer(publishing).await;
        answered.unwrap_or_else(|| Err(unreachable("the connection to RabbitMQ was lost")))
    }

    async fn publish_on_channel(
        &self,
        route: &Route,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), Sent> {
        let _slot = self.slots.acquire().await;
        let idle = self.idle.lock().pop();
        let channel = match idle {
            Some(channel) if channel.status().connected() => channel,
            _ => self.new_channel().await.map_err(|error| lost(&error))?,
        };
        let mandatory = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let exchange = ShortString::from(route.exchange.as_str());
        let published = async {
            channel
                .basic_publish(exchange, key.clone(), mandatory, body, properties)
                .await?
                .await
        };
        // A channel that is not put back (the future was dropped, or this failed) is closed.
        let confirmation = published
            .await
            .map_err(|error| self.failure(&error, route))?;
        self.idle.lock().push(channel);
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => {
                Err(failed(route.nowhere(key.as_str()), Next::Retry))
            }
            Confirmation::Nack(None) => Err(failed(
                "RabbitMQ could not take the message; a queue may be full",
                Next::Retry,
            )),
            Confirmation::NotRequested => Err(failed(
                "RabbitMQ did not confirm, as confirms are off",
                Next::Retry,
            )),
        }
    }

    async fn new_channel(&self) -> lapin::Result<Channel> {
        let channel = self.connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(channel)
    }

    /// Why a message was not taken.
    fn failure(&self, error: &lapin::Error, route: &Route) -> Sent {
        let ErrorKind::ProtocolError(protocol) = error.kind() else {
            return lost(error);
        };
        let said = protocol.get_message().as_str();
        match protocol.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => failed(
                format!(
                    "there is no exchange {}; create it, or correct exchange",
                    route.exchange
                ),
                Next::Retry,
            ),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => failed(
                format!(
                    "{} may not write to {}; grant the permission, or correct username",
                    self.username,
                    match route.exchange.as_str() {
                        "" => "the default exchange",
                        exchange => exchange,
                    }
                ),
                Next::Retry,
            ),
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)
                if said.contains("message size") =>
            {
                failed(
                    format!("the message is larger than RabbitMQ takes: {said}"),
                    Next::Never,
                )
            }
            AMQPErrorKind::Soft(AMQPSoftError::CONTENTTOOLARGE) => failed(
                format!("the message is larger than RabbitMQ takes: {said}"),
                Next::Never,
            ),
            AMQPErrorKind::Soft(_) => {
                failed(format!("RabbitMQ refused the message: {said}"), Next::Retry)
            }
            AMQPErrorKind::Hard(_) => lost(error),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Else lapin says goodbye and closes it.
        if self.is_given_up.load(Ordering::Relaxed) {
            self.cutter.cut();
        }
    }
}

fn lost(error: &lapin::Error) -> Sent {
    unreachable(format!("the connection to RabbitMQ was lost: {error}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pasar_feed::tasks::Tasks;
    use pasar_testkit::{ends::new_name, servers};
    use tokio::time::Instant;

    use super::*;
    use crate::destinations::{guard::Guard, template::Template};

    /// Far less than an attempt may take.
    const AT_ONCE: Duration = Duration::from_secs(3);

    fn network() -> Network {
        Network {
            guard: Guard::open(),
            connect_timeout: Duration::from_mins(1),
            attempt_timeout: Duration::from_mins(1),
            tasks: Tasks::new(),
        }
    }

    fn server(port: u16, user: &str, password: &str) -> Server {
        Server {
            place: Place::at("127.0.0.1", port, false, None).unwrap(),
            username: user.to_owned(),
            password: password.to_owned(),
            vhost: "/".to_owned(),
        }
    }

    /// On one thread, so that what lapin does on this runtime waits for the test: it has noticed that the wire
    /// is cut, and told nobody yet.
    #[tokio::test]
    async fn who_publishes_while_the_connection_goes_is_told_at_once() {
        let Some(rabbitmq) = servers::Server::shared("rabbitmq").await else {
            return;
        };
        let server = server(rabbitmq.port, &rabbitmq.user, &rabbitmq.password);
        let connection = server.connect(&network()).await.unwrap();
        connection.cutter.cut();
        let began = Instant::now();
        while !connection.cutter.has_ended() {
            assert!(began.elapsed() < AT_ONCE, "lapin does not notice");
            std::thread::yield_now();
        }
        assert!(
            connection.connection.status().connected(),
            "lapin has told already"
        );
        let route = Route {
            exchange: String::new(),
            key: Template::parse(&new_name("")).unwrap(),
        };
        let publishing =
            connection.publish(&route, "nobody".into(), b"", BasicProperties::default());
        let sent = tokio::time::timeout(AT_ONCE, publishing).await.unwrap();
        assert!(matches!(sent, Err(Sent::Unreachable(_))), "{sent:?}");
    }
}

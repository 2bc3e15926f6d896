//! A connection to NATS that is used until it breaks, and how we learn that the server has a message.
//!
//! The server answers a publication with nothing, but takes what comes over one connection in order. So after
//! publications we publish to ourselves: once that is back, the server has what was before it. One such echo
//! is under way at a time and answers for all that waited, so it costs little under load. What the user may
//! not publish is answered, with an error that names the subject.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{
    AuthError, Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, PublishErrorKind,
    ServerAddr, ServerError, Subscriber,
    connection::State as ConnectionState,
    jetstream::{
        self, ErrorCode,
        context::{ContextBuilder, PublishError, PublishErrorKind as StoreErrorKind},
        message::PublishMessage,
    },
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

use super::Login;
use crate::{
    destination::{Network, Next, Sent},
    destinations::{
        broker::{Place, broken, failed, not_connected, unreachable},
        tls,
    },
};

pub(super) struct Connection {
    client: Client,
    jetstream: jetstream::Context,
    shared: Arc<Shared>,
    echoing: AbortHandle,
    /// Subjects that were published to without an error. An error reaches us on another way than the echo,
    /// and may be a little later.
    proven: Mutex<HashSet<String>>,
}

#[derive(Default)]
struct Shared {
    /// Publications that began.
    begun: AtomicU64,
    /// Publications that are on their way to the server.
    published: AtomicU64,
    more: Notify,
    news: watch::Sender<News>,
}

/// What the server told us.
#[derive(Default)]
struct News {
    /// So many publications did it take.
    taken: u64,
    closed: bool,
    /// Subjects that it refused, with what it said, up to which publication.
    refused: HashMap<String, (u64, String)>,
}

/// How much longer the first publication to a subject waits for an error.
const ERROR_GRACE: Duration = Duration::from_millis(50);
/// Subjects that are remembered as proven or refused.
const MAX_SUBJECTS: usize = 4_096;
/// `message size exceeds maximum allowed`, by JetStream's list of errors.
const TOO_LARGE: ErrorCode = ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM;

impl Connection {
    pub(super) async fn open(
        place: &Place,
        login: &Login,
        network: &Network,
    ) -> Result<Self, Sent> {
        let addresses = network
            .guard
            .resolve(&place.host, place.port)
            .await
            .map_err(|error| not_connected(&error))?;
        let servers: Vec<ServerAddr> = addresses
            .iter()
            .filter_map(|address| format!("nats://{address}").parse().ok())
            .collect();
        let shared = Arc::new(Shared::default());
        let client = options(place, login, network, &shared)?
            .max_reconnects(servers.len())
            .connect(servers)
            .await
            .map_err(|error| not_opened(&error))?;
        let inbox = client.new_inbox();
        let subscriber = client
            .subscribe(inbox.clone())
            .await
            .map_err(|error| unreachable(format!("the connection broke: {error}")))?;
        let echoing = echo(
            client.clone(),
            inbox.clone(),
            subscriber,
            Arc::clone(&shared),
        );
        let echoing = network.spawn("NATS connection", echoing);
        let jetstream = ContextBuilder::new()
            .timeout(network.attempt_timeout)
            .build(client.clone());
        let connection = Self {
            client,
            jetstream,
            shared,
            echoing,
            proven: Mutex::default(),
        };
        connection.prove(&inbox).await?;
        Ok(connection)
    }

    pub(super) fn is_open(&self) -> bool {
        self.client.connection_state() == ConnectionState::Connected
            && !self.shared.news.borrow().closed
    }

    /// Sees that we may talk to ourselves, or nothing would ever be confirmed.
    async fn prove(&self, inbox: &str) -> Result<(), Sent> {
        let begun = self.shared.begin();
        self.shared.published_one();
        match self.wait_until_taken(inbox, begun).await {
            Sent::Delivered { .. } => Ok(()),
            Sent::Failed(_) => Err(failed(
                format!(
                    "the user may not publish to and subscribe to {inbox}, which confirmations need; allow both for {}.>, or set inbox_prefix",
                    inbox.split('.').next().unwrap_or_default()
                ),
                Next::Retry,
            )),
            sent @ Sent::Unreachable(_) => Err(sent),
        }
    }

    /// Publishes to whoever listens.
    pub(super) async fn tell(&self, subject: String, headers: HeaderMap, body: Bytes) -> Sent {
        let begun = self.shared.begin();
        let published = self
            .client
            .publish_with_headers(subject.clone(), headers, body)
            .await;
        if let Err(error) = published {
            return match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => self.too_large(),
                PublishErrorKind::InvalidSubject => {
                    failed(format!("{subject} is no subject"), Next::Never)
                }
                PublishErrorKind::Send => unreachable("the connection broke"),
            };
        }
        self.shared.published_one();
        self.wait_until_taken(&subject, begun).await
    }

    async fn wait_until_taken(&self, subject: &str, begun: u64) -> Sent {
        // What is published later is taken later: this many are taken once ours is.
        let published = self.shared.published.load(Ordering::Acquire);
        let mut news = self.shared.news.subscribe();
        let taken = news
            .wait_for(|news| {
                news.taken >= published || news.closed || news.refused(subject, begun).is_some()
            })
            .await
            .is_ok_and(|news| news.taken >= published);
        if taken && !self.proven.lock().contains(subject) {
            let refused = news.wait_for(|news| news.refused(subject, begun).is_some());
            if tokio::time::timeout(ERROR_GRACE, refused).await.is_err() {
                let mut proven = self.proven.lock();
                if proven.len() >= MAX_SUBJECTS {
                    proven.clear();
                }
                proven.insert(subject.to_owned());
            }
        }
        let news = self.shared.news.borrow();
        match news.refused(subject, begun) {
            Some(said) => refused(subject, said),
            None if taken => Sent::Delivered {
                status: None,
                detail: None,
            },
            None => unreachable("the connection broke before NATS had confirmed the message"),
        }
    }

    /// Publishes to a stream; answers once it is stored there.
    pub(super) async fn store(&self, subject: String, headers: HeaderMap, body: Bytes) -> Sent {
        let begun = self.shared.begin();
        let publication = PublishMessage::build().headers(headers).payload(body);
        let storing = async {
            self.jetstream
                .send_publish(subject.clone(), publication)
                .await?
                .await
        };
        let mut news = self.shared.news.subscribe();
        let told = tokio::select! {
            biased;
            stored = storing => Some(stored),
            _ = news.wait_for(|news| news.closed || news.refused(&subject, begun).is_some()) => None,
        };
        match told {
            Some(Ok(ack)) => Sent::Delivered {
                status: None,
                detail: Some(format!("stored in {} as {}", ack.stream, ack.sequence)),
            },
            Some(Err(error)) => self.not_stored(&subject, &error),
            None => match self.shared.news.borrow().refused(&subject, begun) {
                Some(said) => refused(&subject, said),
                None => unreachable("the connection broke before the message was stored"),
            },
        }
    }

    fn not_stored(&self, subject: &str, error: &PublishError) -> Sent {
        match error.kind() {
            StoreErrorKind::StreamNotFound => failed(
                format!(
                    "no JetStream stream takes the subject {subject}; create one that does, or leave jetstream out"
                ),
                Next::Retry,
            ),
            StoreErrorKind::MaxPayloadExceeded => self.too_large(),
            StoreErrorKind::TimedOut => unreachable("JetStream did not confirm in time"),
            StoreErrorKind::BrokenPipe => unreachable("the connection broke"),
            _ => {
                let said = error
                    .source()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                let is_too_large = error
                    .source()
                    .and_then(|source| source.downcast_ref::<jetstream::Error>())
                    .is_some_and(|error| error.error_code() == TOO_LARGE);
                let next = if is_too_large {
                    Next::Never
                } else {
                    Next::Retry
                };
                failed(format!("JetStream refuses: {said}"), next)
            }
        }
    }

    fn too_large(&self) -> Sent {
        failed(
            format!(
                "the message is larger than NATS takes ({} bytes with headers, max_payload)",
                self.client.max_payload()
            ),
            Next::Never,
        )
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.echoing.abort();
    }
}

impl Shared {
    fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn published_one(&self) {
        self.published.fetch_add(1, Ordering::AcqRel);
        self.more.notify_one();
    }

    fn close(&self) {
        self.news.send_modify(|news| news.closed = true);
    }

    fn hear(&self, event: Event) {
        match event {
            Event::Disconnected | Event::Closed => self.close(),
            Event::ServerError(ServerError::Other(said)) => {
                let Some(subject) = subject_of(&said) else {
                    return;
                };
                let begun = self.begun.load(Ordering::Acquire);
                self.news.send_modify(|news| {
                    if news.refused.len() >= MAX_SUBJECTS {
                        news.refused.clear();
                    }
                    news.refused
                        .insert(subject.to_owned(), (begun, said.clone()));
                });
            }
            _ => {}
        }
    }
}

impl News {
    /// What the server said against a publication, if it did.
    fn refused(&self, subject: &str, begun: u64) -> Option<&str> {
        let (until, said) = self.refused.get(subject)?;
        (begun <= *until).then_some(said)
    }
}

/// `Permissions Violation for Publish to "orders.1"`.
fn subject_of(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once('"')?;
    rest.split_once('"').map(|(subject, _)| subject)
}

/// One echo at a time, as long as there is something to confirm.
async fn echo(client: Client, inbox: String, mut back: Subscriber, shared: Arc<Shared>) {
    loop {
        shared.more.notified().await;
        let mut taken = shared.news.borrow().taken;
        loop {
            let published = shared.published.load(Ordering::Acquire);
            if published == taken {
                break;
            }
            let sent = client.publish(inbox.clone(), Bytes::new()).await;
            if sent.is_err() || back.next().await.is_none() {
                return shared.close();
            }
            taken = published;
            shared.news.send_modify(|news| news.taken = taken);
        }
    }
}

/// The one connection: a second login is refused by ourselves, as what was in flight over the first would be
/// confirmed over it.
fn options(
    place: &Place,
    login: &Login,
    network: &Network,
    shared: &Arc<Shared>,
) -> Result<ConnectOptions, Sent> {
    let own = login.clone();
    let first = AtomicBool::new(true);
    let hearing = Arc::clone(shared);
    let options = ConnectOptions::with_auth_callback(move |nonce| {
        let answer = if first.swap(false, Ordering::AcqRel) {
            own.answer(&nonce)
        } else {
            Err(AuthError::new("a connection is used until it breaks"))
        };
        async { answer }
    })
    .name("pasar-relay")
    .custom_inbox_prefix(&login.inbox_prefix)
    .connection_timeout(network.connect_timeout)
    .retain_servers_order()
    .ignore_discovered_servers()
    .event_callback(move |event| {
        hearing.hear(event);
        std::future::ready(())
    });
    if place.tls.is_none() {
        return Ok(options);
    }
    let name = ServerName::try_from(place.host.clone())
        .map_err(|_| failed("the host's name cannot be in a certificate", Next::Retry))?;
    let config = tls::client_config_for(login.ca.as_deref(), name)
        .map_err(|error| failed(error.to_string(), Next::Retry))?;
    Ok(options.require_tls(true).tls_client_config(config))
}

fn refused(subject: &str, said: &str) -> Sent {
    failed(
        format!("the user may not publish to {subject} ({said}); allow it, or change the subject"),
        Next::Retry,
    )
}

fn not_opened(error: &async_nats::ConnectError) -> Sent {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => failed(
            "NATS refuses the login; change username and password, token, nkey or credentials of the destination",
            Next::Retry,
        ),
        _ => {
            let mut source = error.source();
            while let Some(error) = source {
                if let Some(error) = error.downcast_ref::<io::Error>() {
                    return broken(error);
                }
                source = error.source();
            }
            unreachable(format!("no connection: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_about_its_subject_and_what_was_published_before() {
        let shared = Shared::default();
        let first = shared.begin();
        shared.hear(Event::ServerError(ServerError::Other(
            "Permissions Violation for Publish to \"a.b\"".into(),
        )));
        let second = shared.begin();
        let news = shared.news.borrow();
        assert!(news.refused("a.b", first).is_some());
        assert!(news.refused("a.b", second).is_none());
        assert!(news.refused("a", first).is_none());
    }
}

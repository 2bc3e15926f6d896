//! What the delivery asks of a destination, whatever its kind. A kind is one file under `destinations/`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use pasar_feed::tasks::Tasks;
use pasar_types::{id::SubscriptionId, time::Timestamp};
use serde_json::{Map, Value};
use tokio::task::AbortHandle;

use crate::{config::Config, destinations::guard::Guard, message::Message};

/// A kind of destination: what its settings are, and how one is opened. Stateless.
pub trait Kind: Send + Sync {
    /// `kind` in the settings: `rest`, `redis`, ..
    fn name(&self) -> &'static str;

    /// Places in the settings that hold secrets, as JSON pointers; a `*` stands for any member
    /// (`/headers/*`). They are stored encrypted and never shown.
    fn secrets(&self) -> &'static [&'static str];

    /// Refuses settings that cannot work, naming the field. Connects to nothing.
    fn check(&self, settings: &Map<String, Value>) -> Result<(), InvalidSettings>;

    /// A destination with settings that were checked, secrets included. Connects when it first sends.
    fn open(
        &self,
        settings: &Map<String, Value>,
        network: &Network,
    ) -> Result<Arc<dyn Destination>, InvalidSettings>;

    /// Deliveries in flight at once where the subscription does not say.
    fn default_concurrency(&self) -> u16;

    /// Whether a destination that cannot be reached costs no attempt: a broker is down for everybody and
    /// comes back; a URL may just be wrong.
    fn outage_is_free(&self) -> bool;

    /// The schema of its settings, for the API's document.
    fn schema(&self) -> utoipa::openapi::RefOr<utoipa::openapi::Schema>;
}

/// An open destination. It keeps its connections, mends them, and closes them when dropped.
pub trait Destination: Send + Sync {
    /// Sends one message; resolves once the other end has confirmed it, or with what went wrong. It has a
    /// timeout of its own and never waits longer. Calls that overlap may be sent in the order of the calls
    /// only; what must be in order is not sent before its predecessor was answered.
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent>;
}

/// What all destinations share.
#[derive(Clone)]
pub struct Network {
    pub guard: Guard,
    /// How long connecting, and one attempt after that, may take.
    pub connect_timeout: Duration,
    pub attempt_timeout: Duration,
    /// Who owns what connections run in the background.
    pub tasks: Tasks,
}

/// How long a connection's task may go on while the process drains: longer than deliveries that are under way.
const LAST_WORDS: Duration = Duration::from_secs(6);

impl Network {
    /// As the configuration says.
    #[must_use]
    pub fn new(config: &Config, tasks: Tasks) -> Self {
        let guard = if config.allow_private_networks {
            Guard::open()
        } else {
            Guard::closed(config.allowed_networks.clone())
        };
        Self {
            guard,
            connect_timeout: Duration::from_millis(config.connect_timeout_ms),
            attempt_timeout: Duration::from_millis(config.attempt_timeout_ms),
            tasks,
        }
    }

    /// Runs what a connection needs, until that ends or the process does.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        let tasks = self.tasks.clone();
        self.tasks.spawn(name, async move {
            let too_late = async {
                tasks.draining().await;
                tokio::time::sleep(LAST_WORDS).await;
            };
            tokio::select! {
                () = task => {}
                () = too_late => {}
            }
        })
    }
}

/// A message on its way, already in the form that the subscription wants.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub subscription: SubscriptionId,
    pub message: Arc<Message>,
    pub body: Bytes,
    pub content_type: Arc<str>,
    /// 1 for the first.
    pub attempt: u32,
    /// When this attempt began.
    pub at: Timestamp,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Delivered {
        status: Option<u16>,
        /// The first bytes of the answer.
        detail: Option<String>,
    },
    /// The other end is there and did not take it.
    Failed(Failure),
    /// The other end cannot be reached: no connection, or it broke before an answer.
    Unreachable(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: Option<u16>,
    /// The first bytes of the answer, or what went wrong. No secrets.
    pub detail: String,
    pub next: Next,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again as the subscription's policy says.
    Retry,
    /// Not before so long.
    RetryAfter(Duration),
    /// This message will never be taken (too large): a dead letter at once.
    Never,
    /// The destination is gone for good: the subscription is disabled, the message kept.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("destination{pointer}: {why}")]
pub struct InvalidSettings {
    /// Where in the settings, as a JSON pointer.
    pub pointer: String,
    pub why: String,
}

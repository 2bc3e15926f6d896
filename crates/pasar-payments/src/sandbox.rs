//! The provider that plays one: it keeps books of its own in `sandbox.db`, durable before it answers,
//! and counts what it is asked, so that a double charge shows there and nowhere else.
//!
//! It deliberately takes a capture under a second idempotency key for a second capture.

pub mod books;
pub mod charge;
pub mod page;
pub mod router;

mod tables;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use pasar_chassis::host::Host;
use pasar_contracts::{
    api::payments::{ActionOutcome, Operation, ProviderAnswer, ProviderRequest},
    event::Service,
};
use pasar_store::{
    cause::Cause,
    fault::Fault,
    lane::{Class, LaneKey},
    store::{Migration, OpenError, Store, StoreOptions},
};
use pasar_types::id::PaymentId;

use crate::{
    config::SandboxConfig,
    provider::{Call, NoAnswer, Provider},
    sandbox::{
        books::{Acted, BookEntry, Reply, Terms},
        charge::{Behaviour, parse_action_id},
    },
};

/// Steps of the schema of `sandbox.db`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "sandbox/0001_books",
    sql: include_str!("../migrations/sandbox/0001_books.sql"),
}];

/// The database's name: of its file, or on the server.
pub const NAME: &str = "sandbox";

/// The sandbox with its books. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    store: Store,
    config: Arc<SandboxConfig>,
    /// Where its actions are reached.
    public_url: Arc<str>,
}

impl Sandbox {
    /// Opens the books where the host has its databases.
    pub fn open(host: &Host, config: SandboxConfig) -> Result<Self, OpenError> {
        let options = StoreOptions::at(
            Service::Payments,
            host.databases.named(&host.data, NAME),
            MIGRATIONS,
            Arc::clone(&host.clock),
            Arc::clone(&host.ids),
        );
        let store = Store::open(StoreOptions {
            migrate: host.databases.migrates(),
            ..options
        })?;
        Ok(Self::new(store, config, &host.public_url))
    }

    #[must_use]
    pub fn new(store: Store, config: SandboxConfig, public_url: &str) -> Self {
        Self {
            store,
            config: Arc::new(config),
            public_url: public_url.into(),
        }
    }

    /// Does what a provider does with one request, after the time that it takes.
    pub async fn handle(&self, request: &ProviderRequest, cause: Cause) -> Result<Reply, Fault> {
        let takes = self.takes(request);
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        let terms = self.terms();
        if request.operation == Operation::LookUp {
            let now = self.store.clock().now();
            let request = request.clone();
            return self
                .store
                .read(move |tx| books::look_up(tx, &request, &terms, now))
                .await;
        }
        let lane = LaneKey::of(request.reference.as_bytes());
        let request = request.clone();
        self.store
            .write(lane, Class::Internal, cause, move |ctx| {
                books::handle(ctx, &request, &terms)
            })
            .await
    }

    /// The customer does what an action asks for, or refuses to.
    pub async fn act(
        &self,
        action: &str,
        outcome: ActionOutcome,
        cause: Cause,
    ) -> Result<Acted, Fault> {
        let Some((reference, secret)) = parse_action_id(action) else {
            return Ok(Acted::NotFound);
        };
        let lane = LaneKey::of(reference.as_bytes());
        self.store
            .write(lane, Class::Internal, cause, move |ctx| {
                books::act(ctx, reference, &secret, outcome)
            })
            .await
    }

    /// What the books say, for an audit: charges with greater references, in their order.
    pub async fn audit(
        &self,
        after: Option<PaymentId>,
        limit: usize,
    ) -> Result<Vec<BookEntry>, Fault> {
        self.store
            .read(move |tx| books::audit(tx, after, limit))
            .await
    }

    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    fn takes(&self, request: &ProviderRequest) -> Duration {
        let token = request.token.as_ref().map(|token| &*token.0);
        let slow = token.map(Behaviour::of_token) == Some(Behaviour::Slow);
        let slow_ms = if slow { self.config.slow_ms } else { 0 };
        Duration::from_millis(self.config.delay_ms + slow_ms)
    }

    fn terms(&self) -> Terms {
        Terms {
            action_lifetime: Duration::from_secs(self.config.action_lifetime_s),
            public_url: Arc::clone(&self.public_url),
        }
    }
}

impl Provider for Sandbox {
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<ProviderAnswer, NoAnswer>> {
        Box::pin(async move {
            let reply = self
                .handle(&call.request, call.cause.clone())
                .await
                .map_err(|fault| NoAnswer::Unreachable(Box::new(fault)))?;
            if reply.lost {
                return Err(NoAnswer::Timeout(Duration::ZERO));
            }
            Ok(reply.answer)
        })
    }
}

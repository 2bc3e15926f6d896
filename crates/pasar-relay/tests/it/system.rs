//! A relay that runs, with a client for its routes.

use std::collections::BTreeMap;

use axum::Router;
use pasar_chassis::identity::Identity;
use pasar_contracts::{api::users::Role, event::Service};
use pasar_feed::follow::Feeds;
use pasar_relay::config::Config;
use pasar_store::cause::Actor;
use pasar_testkit::{client::Client, host::TestHost};
use pasar_types::id::{ApiKeyId, UserId};
use serde_json::Value;
use utoipa::openapi::OpenApi;

pub(crate) struct System {
    pub(crate) client: Client,
    pub(crate) router: Router,
    pub(crate) openapi: OpenApi,

    pub(crate) host: TestHost,
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let host = TestHost::new();
        let store = pasar_relay::open(&host.host).unwrap();
        let feeds: Feeds = BTreeMap::new();
        let running = pasar_relay::start(&host.host, store, &feeds, config)
            .await
            .unwrap();
        host.watch(Service::Relay, pasar_relay::MIGRATIONS);
        Self {
            client: Client::new(running.router.clone()),
            router: running.router,
            openapi: running.openapi,

            host,
        }
    }

    /// A message of the log, as whoever may read all reads it.
    pub(crate) async fn message(&self, topic: &str, id: &str) -> Value {
        let path = format!("/v1/messages/{topic}/{id}");
        let answer = self
            .client
            .get(&path)
            .as_(key(&["subscribe:*"]))
            .send()
            .await;
        answer.expect(200).value()
    }

    /// All messages of the log.
    pub(crate) async fn log(&self) -> Vec<Value> {
        let call = self.client.get("/v1/messages?limit=200");
        let answer = call.as_(key(&["subscribe:*"])).send().await;
        answer.expect(200).value()["items"]
            .as_array()
            .unwrap()
            .clone()
    }
}

/// An API key with scopes, and the role that goes with it.
pub(crate) fn key(scopes: &[&str]) -> Identity {
    let mut identity = Identity::anonymous();
    identity.actor = Actor::ApiKey {
        key: ApiKeyId::from_bytes([3; 16]),
        owner: UserId::from_bytes([4; 16]),
    };
    identity.roles = vec![Role::Integrator];
    identity.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    identity
}

/// Another one, of another owner.
pub(crate) fn other_key(scopes: &[&str]) -> Identity {
    let mut identity = key(scopes);
    identity.actor = Actor::ApiKey {
        key: ApiKeyId::from_bytes([5; 16]),
        owner: UserId::from_bytes([6; 16]),
    };
    identity
}

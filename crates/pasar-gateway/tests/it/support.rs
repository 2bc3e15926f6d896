//! A gateway with a fake users service, a fake orders service and a feed that tests write to.

pub(crate) mod elsewhere;
pub(crate) mod feed;
pub(crate) mod orders;
pub(crate) mod raw;
pub(crate) mod script;
pub(crate) mod signer;
pub(crate) mod users;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pasar_chassis::{host::Host, keyring::Keyring, service::BootError, telemetry::Metrics};
use pasar_contracts::{
    api::users::{Role, VerifiedApiKey},
    event::Service,
};
use pasar_feed::follow::{Feeds, Follow};
use pasar_gateway::{
    config::Config,
    gateway::{self, Started},
};
use pasar_store::{
    clock::{Clock, ManualClock, SystemClock},
    ids::SystemIds,
};
use pasar_types::id::{ApiKeyId, SessionId, UserId};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use self::{feed::FakeFeed, orders::FakeOrders, signer::Signer, users::FakeUsers};

pub(crate) const PUBLIC_URL: &str = "https://kopi.example";

pub(crate) struct System {
    pub(crate) address: SocketAddr,
    pub(crate) started: Started,
    pub(crate) host: Host,
    pub(crate) users: Arc<FakeUsers>,
    pub(crate) orders: Arc<FakeOrders>,
    pub(crate) feed: Arc<FakeFeed>,
    pub(crate) signer: Signer,
    client: reqwest::Client,
    _data: tempfile::TempDir,
}

/// What a test changes before the gateway starts.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the users feed can be followed.
    pub(crate) follows: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let config = Config {
            bind: ([127, 0, 0, 1], 0).into(),
            ..Config::default()
        };
        Self {
            config,
            clock: Arc::new(SystemClock),
            follows: true,
        }
    }
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        Self::try_with(change).await.unwrap()
    }

    pub(crate) async fn try_with(change: impl FnOnce(&mut Setup)) -> Result<Self, BootError> {
        let mut setup = Setup::default();
        change(&mut setup);
        let data = tempfile::tempdir().unwrap();
        let ids = SystemIds::default();
        let mut host = Host::system(data.path(), Keyring::ephemeral(&ids), PUBLIC_URL);
        host.clock = setup.clock;
        let signer = Signer::new(7, "first");
        let users = Arc::new(FakeUsers::new(signer.jwk()));
        let orders = Arc::new(FakeOrders::default());
        let feed = Arc::new(FakeFeed::default());
        let services = vec![
            (Service::Users, users::running(Arc::clone(&users))),
            (Service::Orders, orders::running(Arc::clone(&orders))),
        ];
        let mut feeds = Feeds::new();
        if setup.follows {
            feeds.insert(Service::Users, Arc::clone(&feed) as Arc<dyn Follow>);
        }
        let listener = gateway::bind(&setup.config).await.unwrap();
        let metrics = Metrics::detached().unwrap();
        let (services, remotes) = match is_apart() {
            true => (Vec::new(), elsewhere::serve(&host, services).await),
            false => (services, Vec::new()),
        };
        let started = gateway::start(
            &host,
            setup.config,
            listener,
            metrics,
            services,
            remotes,
            &feeds,
        )
        .await?;
        host.health.booted();
        Ok(Self {
            address: started.address,
            started,
            host,
            users,
            orders,
            feed,
            signer,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            _data: data,
        })
    }

    /// On a clock that the test moves.
    pub(crate) async fn at_rest(change: impl FnOnce(&mut Setup)) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let moved = Arc::clone(&clock);
        let system = Self::with(|setup| {
            setup.clock = clock;
            change(setup);
        })
        .await;
        (system, moved)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn get_as(&self, credential: &str, path: &str) -> Response {
        self.request(Method::GET, path)
            .bearer_auth(credential)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn status_as(&self, credential: &str, path: &str) -> StatusCode {
        self.get_as(credential, path).await.status()
    }

    /// A session of a user, and a token of it that is valid for ten minutes.
    pub(crate) fn logged_in(&self, user: u8, roles: &[Role]) -> (SessionId, String) {
        let session = SessionId::from_bytes([user; 16]);
        self.users
            .begin_session(session, UserId::from_bytes([user; 16]), roles);
        (session, self.signer.sign(&self.claims(user, roles)))
    }

    /// What a good token says.
    pub(crate) fn claims(&self, user: u8, roles: &[Role]) -> Value {
        let now = self.host.clock.now().as_micros() / 1_000_000;
        json!({
            "iss": PUBLIC_URL,
            "aud": "pasar",
            "sub": UserId::from_bytes([user; 16]),
            "sid": SessionId::from_bytes([user; 16]),
            "roles": roles,
            "iat": now,
            "exp": now + 600,
        })
    }

    /// An API key of a user, known to users.
    pub(crate) fn api_key(&self, key: u8, roles: &[Role]) -> (ApiKeyId, String) {
        let id = ApiKeyId::from_bytes([key; 16]);
        let secret = format!("pasar_sk_{id}_secret");
        self.users.give_key(
            &secret,
            VerifiedApiKey {
                user_id: UserId::from_bytes([key; 16]),
                api_key_id: id,
                roles: roles.to_vec(),
                scopes: vec!["publish:client".to_owned()],
                rate_limit: None,
            },
        );
        (id, secret)
    }
}

/// Whether the services are asked over the network, as `SHAPE_UNDER_TEST=processes` says.
pub(crate) fn is_apart() -> bool {
    std::env::var("SHAPE_UNDER_TEST").is_ok_and(|shape| shape == "processes")
}

/// The type of a problem document, which every refusal must be.
pub(crate) async fn problem_of(response: Response) -> (u16, String) {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    (
        status,
        body["type"]
            .as_str()
            .unwrap()
            .trim_start_matches("/problems/")
            .to_owned(),
    )
}

pub(crate) fn problem(status: u16, slug: &str) -> (u16, String) {
    (status, slug.to_owned())
}

/// Waits for something that comes without a signal of its own.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{what} did not happen in time"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

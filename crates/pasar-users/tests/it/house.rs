//! A users service that runs, and people in it.

use std::{collections::BTreeMap, net::IpAddr};

use axum::{Router, body::Body};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use pasar_chassis::{
    cause::Arrival,
    identity::{ClientAddress, Identity},
};
use pasar_contracts::{
    api::users::{
        ACCESS_TOKEN_AUDIENCE, ACCESS_TOKEN_TYPE, AccessClaims, CreatedApiKey, Jwks, Role,
        SessionStatus, Tokens, User, VerifiedApiKey,
    },
    event::Service,
};
use pasar_store::{cause::Actor, store::Store};
use pasar_testkit::{
    client::{Answer, Client, call},
    host::{PUBLIC_URL, TestHost},
};
use pasar_types::id::{SessionId, UserId};
use pasar_users::{MIGRATIONS, config::Config, operator};
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct House {
    pub(crate) host: TestHost,
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) router: Router,
    pub(crate) document: utoipa::openapi::OpenApi,
    config: Config,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let host = TestHost::new();
        host.watch(Service::Users, MIGRATIONS);
        Self::start(host, config).await
    }

    async fn start(host: TestHost, config: Config) -> Self {
        let store = pasar_users::open(&host.host).unwrap();
        let running =
            pasar_users::start(&host.host, store.clone(), &BTreeMap::new(), config.clone())
                .await
                .unwrap();
        Self {
            host,
            store,
            client: Client::new(running.router.clone()),
            router: running.router,
            document: running.openapi,
            config,
        }
    }

    /// The process ends, and another begins on the same data.
    pub(crate) async fn restarted(self) -> Self {
        self.restarted_with(|_| {}).await
    }

    pub(crate) async fn restarted_with(self, change: impl FnOnce(&mut Config)) -> Self {
        let Self {
            mut host,
            store,
            client,
            router,
            mut config,
            ..
        } = self;
        host.drain().await;
        drop((client, router));
        store.close();
        drop(store);
        host.restart();
        change(&mut config);
        Self::start(host, config).await
    }

    pub(crate) async fn register(&self, name: &str) -> User {
        let body = json!({
            "email": format!("{name}@example.com"), "password": PASSWORD, "name": name,
        });
        self.client
            .post("/v1/auth/register")
            .json(&body)
            .send()
            .await
            .expect(201)
            .json()
    }

    pub(crate) async fn try_login(&self, name: &str, password: &str) -> Answer {
        let body = json!({ "email": format!("{name}@example.com"), "password": password });
        self.client.post("/v1/auth/login").json(&body).send().await
    }

    pub(crate) async fn login(&self, name: &str) -> Tokens {
        self.try_login(name, PASSWORD).await.expect(200).json()
    }

    /// Logs in from another address than all other calls come from.
    pub(crate) async fn login_from(&self, address: &str, name: &str, password: &str) -> Answer {
        let body = json!({ "email": format!("{name}@example.com"), "password": password });
        let headers = http::HeaderMap::new();
        let arrival = Arrival::new(&*self.host.clock, &*self.host.host.ids, &headers);
        let address: IpAddr = address.parse().unwrap();
        let request = http::Request::post("/v1/auth/login")
            .header("content-type", "application/json")
            .extension(arrival)
            .extension(ClientAddress(Some(address)))
            .body(Body::from(body.to_string()))
            .unwrap();
        call(&self.router, request).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let body = json!({ "refresh_token": token });
        self.client
            .post("/v1/auth/refresh")
            .json(&body)
            .send()
            .await
    }

    /// Somebody with these roles, logged in.
    pub(crate) async fn person(&self, name: &str, roles: &[Role]) -> (User, Identity) {
        let user = self.register(name).await;
        if roles != [Role::Customer] {
            self.give_roles(user.id, roles).await;
        }
        let tokens = self.login(name).await;
        (user, self.identity(&tokens.access_token).await)
    }

    pub(crate) async fn give_roles(&self, user: UserId, roles: &[Role]) {
        let path = format!("/v1/users/{user}/roles");
        let body = json!({ "roles": roles });
        self.client
            .put(&path)
            .as_(operator_identity())
            .json(&body)
            .send()
            .await
            .expect(200);
    }

    pub(crate) async fn jwks(&self) -> Jwks {
        self.client
            .get("/.well-known/jwks.json")
            .send()
            .await
            .expect(200)
            .json()
    }

    /// Checks a token as the gateway has to: against the published keys and nothing else.
    pub(crate) async fn check(&self, token: &str) -> Result<AccessClaims, String> {
        let header = decode_header(token).map_err(|error| error.to_string())?;
        if header.typ.as_deref() != Some(ACCESS_TOKEN_TYPE) {
            return Err("wrong typ".to_owned());
        }
        let kid = header.kid.ok_or("no kid")?;
        let jwks = self.jwks().await;
        let key = jwks
            .keys
            .iter()
            .find(|key| key.kid == kid)
            .ok_or("unknown kid")?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[ACCESS_TOKEN_AUDIENCE]);
        validation.set_issuer(&[PUBLIC_URL]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By the clock of the test, below.
        validation.validate_exp = false;
        let key = DecodingKey::from_ed_components(&key.x).unwrap();
        let claims: AccessClaims = decode(token, &key, &validation)
            .map_err(|error| error.to_string())?
            .claims;
        let now = self.host.host.clock.now().as_micros() / 1_000_000;
        if now < claims.exp {
            Ok(claims)
        } else {
            Err("expired".to_owned())
        }
    }

    pub(crate) async fn identity(&self, access_token: &str) -> Identity {
        let claims = self.check(access_token).await.unwrap();
        let mut identity = Identity::user(claims.sub, claims.roles);
        identity.session = Some(claims.sid);
        identity
    }

    pub(crate) async fn session_status(&self, session: SessionId) -> SessionStatus {
        let path = format!("/internal/v1/sessions/{session}");
        self.client
            .get(&path)
            .as_(gateway())
            .send()
            .await
            .expect(200)
            .json()
    }

    pub(crate) async fn create_key(&self, owner: &Identity, body: &Value) -> CreatedApiKey {
        let call = self
            .client
            .post("/v1/api-keys")
            .as_(owner.clone())
            .json(body);
        call.send().await.expect(201).json()
    }

    pub(crate) async fn verify_key(&self, api_key: &str) -> Option<VerifiedApiKey> {
        let call = self
            .client
            .post("/internal/v1/credentials/verify")
            .as_(gateway());
        let answer = call.json(&json!({ "api_key": api_key })).send().await;
        match answer.status.as_u16() {
            200 => Some(answer.json()),
            401 => None,
            status => panic!("{status}: {}", answer.text()),
        }
    }

    /// What the gateway makes of a key.
    pub(crate) async fn key_identity(&self, api_key: &str) -> Identity {
        let key = self.verify_key(api_key).await.expect("the key is valid");
        let mut identity = Identity::user(key.user_id, key.roles);
        identity.actor = Actor::ApiKey {
            key: key.api_key_id,
            owner: key.user_id,
        };
        identity.scopes = key.scopes;
        identity
    }

    pub(crate) async fn first_admin(&self) -> Identity {
        operator::ensure_admin(&self.store, &self.config, Some(PASSWORD))
            .await
            .unwrap();
        let body = json!({ "email": "admin@localhost", "password": PASSWORD });
        let tokens: Tokens = self
            .client
            .post("/v1/auth/login")
            .json(&body)
            .send()
            .await
            .expect(200)
            .json();
        self.identity(&tokens.access_token).await
    }

    /// The events since the beginning, without their ids.
    pub(crate) fn event_types(&self) -> Vec<String> {
        let events = self.store.events_after(0, 10_000).unwrap();
        events
            .iter()
            .map(|event| event.event_type.clone())
            .collect()
    }
}

pub(crate) fn gateway() -> Identity {
    Identity::service(Service::Gateway)
}

pub(crate) fn operator_identity() -> Identity {
    let mut identity = Identity::anonymous();
    identity.actor = Actor::Operator;
    identity
}

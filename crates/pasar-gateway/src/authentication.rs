//! From credentials to an identity: access tokens by their signature, API keys by asking users, both
//! remembered for as long as they may be believed.
//!
//! It says who somebody is; what they may do is decided by the services.

mod access_token;
mod lives;
mod revocations;
mod signing_keys;
mod users;

use std::{future::Future, sync::Arc, time::Duration};

use http::{HeaderValue, header::WWW_AUTHENTICATE};
use moka::sync::Cache;
use pasar_chassis::{host::Host, identity::Identity, passport::Bearer, problem::Problem};
use pasar_contracts::{
    api::users::{API_KEY_PREFIX, RateLimit, SessionStatus, VerifiedApiKey},
    event::Service,
    problem::ProblemType,
};
use pasar_feed::follow::Feeds;
use pasar_store::{cause::Actor, clock::Clock};
use pasar_types::time::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::{
    authentication::{
        access_token::AccessToken,
        lives::{Life, Lives},
        revocations::Hearing,
        signing_keys::{SigningKey, SigningKeys},
        users::{Users, UsersUnavailable},
    },
    config::{Config, Quota, millis},
    rate_limit::{Client, Policy},
    upstream::Upstream,
};

/// Who somebody turned out to be, and for how long that may be believed.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) identity: Identity,
    /// The same for services in other processes.
    pub(crate) bearer: Bearer,
    pub(crate) client: Client,
    pub(crate) allowance: Allowance,
    /// On the wall clock: what the token itself says.
    expires_at: Option<Timestamp>,
    /// On the monotonic clock: when to ask again, unless the users feed tells when it ends.
    fresh_until: Duration,
    by_feed: bool,
    lives: [Arc<Life>; 2],
    signed_by: Option<Arc<SigningKey>>,
}

/// How many requests somebody may make.
#[derive(Clone, Debug)]
pub(crate) enum Allowance {
    General,
    Own(Policy),
    Unlimited,
}

pub(crate) struct Authenticator {
    clock: Arc<dyn Clock>,
    issuer: String,
    leeway: Duration,
    fresh: Duration,
    refused_fresh: Duration,
    users: Option<Arc<Users>>,
    signing_keys: Arc<SigningKeys>,
    lives: Arc<Lives>,
    /// Whether the users feed tells of what ends. Otherwise it is asked for.
    hearing: Hearing,
    slots: Cache<Fingerprint, Arc<Slot>>,
}

/// Credentials are kept as their SHA-256 only.
type Fingerprint = [u8; 32];

/// What is known of one credential; whoever comes while it is being verified waits for that.
struct Slot {
    answer: OnceCell<Result<Arc<Verified>, Refused>>,
}

/// Credentials that are not valid.
#[derive(Clone, Copy, Debug)]
struct Refused {
    detail: &'static str,
    fresh_until: Duration,
}

/// Longer than any key or token of ours.
const MAX_CREDENTIAL_BYTES: usize = 4_096;
/// How often an answer that was overtaken by an event is asked for again.
const ATTEMPTS: usize = 2;
const NO_LONGER_VALID: &str = "the credentials are not valid, or not any more";

impl Authenticator {
    /// Reads the signing keys and the users feed's head, so that nothing that ends from now on is missed.
    pub(crate) async fn start(
        host: &Host,
        config: &Config,
        users: Option<Upstream>,
        feeds: &Feeds,
    ) -> Arc<Self> {
        let users = users.map(|upstream| Arc::new(Users::new(upstream, host)));
        let lives = Arc::new(Lives::default());
        let credentials = &config.credentials;
        let signing_keys = Arc::new(SigningKeys::new(millis(credentials.unknown_key_ms)));
        if let Some(users) = &users {
            let every = millis(credentials.signing_keys_ms);
            signing_keys::keep_fresh(host, Arc::clone(&signing_keys), Arc::clone(users), every)
                .await;
        }
        let feed = feeds.get(&Service::Users).cloned();
        let hearing = Hearing::start(host, feed, Arc::clone(&lives)).await;
        Arc::new(Self {
            clock: Arc::clone(&host.clock),
            issuer: host.public_url.clone(),
            leeway: millis(credentials.leeway_ms),
            fresh: millis(credentials.api_key_ms),
            refused_fresh: millis(credentials.refused_api_key_ms),
            users,
            signing_keys,
            lives,
            hearing,
            slots: Cache::new(config.limits.cached_credentials),
        })
    }

    /// Who was seen with this credential before, if that still holds. Does not wait and asks nobody.
    pub(crate) fn recall(&self, credential: &str) -> Option<Arc<Verified>> {
        let slot = self.slots.get(&fingerprint(credential))?;
        let verified = slot.answer.get()?.as_ref().ok()?;
        self.holds(verified).then(|| Arc::clone(verified))
    }

    /// Who brings this credential. 401 if it is not valid; 503 if that cannot be found out now.
    pub(crate) async fn verify(&self, credential: &str) -> Result<Arc<Verified>, Problem> {
        if credential.is_empty() || credential.len() > MAX_CREDENTIAL_BYTES {
            return Err(refuse(NO_LONGER_VALID));
        }
        let fingerprint = fingerprint(credential);
        for _ in 0..ATTEMPTS {
            let slot = self.slot(fingerprint);
            match slot.answer.get_or_try_init(|| self.ask(credential)).await {
                Ok(Ok(verified)) if self.holds(verified) => return Ok(Arc::clone(verified)),
                // It ended, or changed, while it was being asked for.
                Ok(Ok(_)) => {}
                Ok(Err(refused)) => return Err(refuse(refused.detail)),
                Err(UsersUnavailable) => return Err(unavailable()),
            }
        }
        Err(refuse(NO_LONGER_VALID))
    }

    /// What is known of a credential, or the place for it.
    fn slot(&self, fingerprint: Fingerprint) -> Arc<Slot> {
        self.slots
            .get(&fingerprint)
            .filter(|slot| self.stands(slot))
            .unwrap_or_else(|| {
                let slot = Arc::new(Slot {
                    answer: OnceCell::new(),
                });
                self.slots.insert(fingerprint, Arc::clone(&slot));
                slot
            })
    }

    /// Resolves when what a stream was opened with no longer holds.
    pub(crate) fn ended(
        self: &Arc<Self>,
        credential: String,
        verified: Arc<Verified>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let this = Arc::clone(self);
        async move {
            let mut current = verified;
            loop {
                let wait = this.believable_for(&current);
                let [first, second] = &current.lives;
                tokio::select! {
                    () = first.ended() => return,
                    () = second.ended() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                // Rare, and large: a stream that waits does not hold the place for it.
                match Box::pin(this.verify(&credential)).await {
                    Ok(again) => current = again,
                    Err(_) => return,
                }
            }
        }
    }

    fn believable_for(&self, verified: &Verified) -> Duration {
        let mut fresh = verified.fresh_until.saturating_sub(self.clock.monotonic());
        if verified.by_feed && self.hearing.is_current() {
            // Whether it is still heard is looked at as often as others are asked for.
            fresh = fresh.max(self.fresh);
        }
        let expires = verified
            .expires_at
            .map(|at| (at + self.leeway).since(self.clock.now()));
        // Not below a moment, so that a clock that stands still cannot make this spin.
        fresh
            .min(expires.unwrap_or(Duration::MAX))
            .max(Duration::from_millis(10))
    }

    fn holds(&self, verified: &Verified) -> bool {
        let [first, second] = &verified.lives;
        first.is_live()
            && second.is_live()
            && verified
                .signed_by
                .as_ref()
                .is_none_or(|key| key.is_listed())
            && (verified.fresh_until > self.clock.monotonic()
                || (verified.by_feed && self.hearing.is_current()))
            && verified
                .expires_at
                .is_none_or(|at| at + self.leeway > self.clock.now())
    }

    /// Whether a slot's answer, or its absence, is still good.
    fn stands(&self, slot: &Slot) -> bool {
        match slot.answer.get() {
            None => true,
            Some(Ok(verified)) => self.holds(verified),
            Some(Err(refused)) => refused.fresh_until > self.clock.monotonic(),
        }
    }

    async fn ask(
        &self,
        credential: &str,
    ) -> Result<Result<Arc<Verified>, Refused>, UsersUnavailable> {
        let users = self.users.as_ref().ok_or(UsersUnavailable)?;
        let asked = if credential.starts_with(API_KEY_PREFIX) {
            self.ask_api_key(users, credential).await?
        } else {
            self.ask_access_token(users, credential).await?
        };
        let fresh_until = self.clock.monotonic() + self.refused_fresh;
        Ok(asked.map(Arc::new).map_err(|detail| Refused {
            detail,
            fresh_until,
        }))
    }

    async fn ask_api_key(
        &self,
        users: &Users,
        key: &str,
    ) -> Result<Result<Verified, &'static str>, UsersUnavailable> {
        let asked_at = self.clock.monotonic();
        let watermark = self.lives.watermark();
        let Some(VerifiedApiKey {
            user_id,
            api_key_id,
            roles,
            scopes,
            rate_limit,
        }) = users.verify_api_key(key).await?
        else {
            return Ok(Err(NO_LONGER_VALID));
        };
        let mut identity = Identity::user(user_id, roles);
        identity.actor = Actor::ApiKey {
            key: api_key_id,
            owner: user_id,
        };
        identity.scopes = scopes;
        identity.unlimited = rate_limit == Some(RateLimit::Unlimited);
        Ok(Ok(Verified {
            bearer: Bearer::of(&identity),
            identity,
            client: Client::ApiKey(api_key_id),
            allowance: allowance(rate_limit),
            expires_at: None,
            fresh_until: asked_at + self.fresh,
            by_feed: false,
            lives: [
                self.lives.of(api_key_id.as_bytes(), watermark),
                self.lives.of(user_id.as_bytes(), watermark),
            ],
            signed_by: None,
        }))
    }

    async fn ask_access_token(
        &self,
        users: &Users,
        token: &str,
    ) -> Result<Result<Verified, &'static str>, UsersUnavailable> {
        let Some(token) = AccessToken::parse(token) else {
            return Ok(Err(NO_LONGER_VALID));
        };
        let Some(key) = self
            .signing_keys
            .find(token.key_id(), users, &*self.clock)
            .await?
        else {
            return Ok(Err(NO_LONGER_VALID));
        };
        let claims = match token.verify(&key, &self.issuer, self.clock.now(), self.leeway) {
            Ok(claims) => claims,
            Err(detail) => return Ok(Err(detail)),
        };
        let asked_at = self.clock.monotonic();
        // Before it is asked: what ends after that is heard of.
        let is_heard = self.hearing.is_current();
        let watermark = self.lives.watermark();
        let status = users.session(claims.sid).await;
        let (roles, by_feed) = match status {
            Ok(Some(SessionStatus {
                live: true,
                user_id,
                roles,
                ..
            })) if user_id == claims.sub => (roles, is_heard),
            Ok(_) => return Ok(Err(NO_LONGER_VALID)),
            // The signature is good; whether the session was ended is asked again soon.
            Err(UsersUnavailable) => (claims.roles, false),
        };
        let expires_at = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        let mut identity = Identity::user(claims.sub, roles);
        identity.session = Some(claims.sid);
        identity.expires_at = Some(expires_at);
        Ok(Ok(Verified {
            bearer: Bearer::of(&identity),
            identity,
            client: Client::User(claims.sub),
            allowance: Allowance::General,
            expires_at: Some(expires_at),
            fresh_until: asked_at + self.fresh,
            by_feed,
            lives: [
                self.lives.of(claims.sid.as_bytes(), watermark),
                self.lives.of(claims.sub.as_bytes(), watermark),
            ],
            signed_by: Some(key),
        }))
    }
}

fn fingerprint(credential: &str) -> Fingerprint {
    Sha256::digest(credential).into()
}

fn allowance(rate_limit: Option<RateLimit>) -> Allowance {
    match rate_limit {
        None => Allowance::General,
        Some(RateLimit::Unlimited) => Allowance::Unlimited,
        Some(RateLimit::PerMinute(requests)) => Policy::new(
            "key",
            Quota {
                requests,
                per_s: 60,
            },
        )
        .map_or(Allowance::General, Allowance::Own),
    }
}

fn refuse(detail: &'static str) -> Problem {
    Problem::unauthenticated().detail(detail).header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"pasar\", error=\"invalid_token\""),
    )
}

fn unavailable() -> Problem {
    Problem::new(ProblemType::Unavailable)
        .detail("credentials cannot be checked at the moment")
        .retry_after(Duration::from_secs(1))
}

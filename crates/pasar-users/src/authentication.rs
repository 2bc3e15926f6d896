//! Proving who one is: by password, by refresh token, by API key. Hashing is done here, outside of the
//! transactions; what may follow is decided in the commands.

use std::time::Duration;

use pasar_contracts::api::users::{Role, TokenType, Tokens, VerifiedApiKey};
use pasar_store::{
    cause::{Actor, Cause},
    context::Context,
    fault::Fault,
    lane::{Class, LaneKey},
    store::Store,
};
use pasar_types::id::{SessionId, UserId};

use crate::{
    access_token::{AccessTokens, SignError},
    account::{Email, NewPassword},
    api_key::FullKey,
    commands::{
        change_password::{self, ChangePassword, change_password},
        log_in::{self, LogIn, log_in},
        record_failed_login::{RecordFailedLogin, record_failed_login},
        record_key_use::{is_news, record_key_use},
        refresh_session::{self, RefreshSession, refresh_session},
    },
    config::SessionLives,
    password::{Checked, PasswordError, Passwords, RETRY_AFTER},
    queries::{self, LoginView},
    refresh_token::{RefreshToken, RefreshTokens},
    source::Origin,
    throttle::{self, Attempt, Throttle, Throttled},
};

pub(crate) struct Authentication {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) access_tokens: AccessTokens,
    pub(crate) refresh_tokens: RefreshTokens,
    pub(crate) lives: SessionLives,
}

/// Who asks, and from where.
#[derive(Clone)]
pub(crate) struct Asking {
    pub(crate) cause: Cause,
    pub(crate) origin: Origin,
    /// What attempts from there are counted under.
    pub(crate) source: [u8; 32],
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("email or password is wrong")]
    WrongCredentials,
    #[error("the refresh token is not valid")]
    InvalidToken,
    #[error("the refresh token was used before")]
    ReusedToken,
    #[error("a machine's account has no password")]
    NoPassword,
    #[error("too many attempts")]
    Throttled(Duration),
    #[error("too many passwords wait to be hashed")]
    Busy(Duration),
    #[error("a token cannot be made")]
    Sign(#[from] SignError),
    #[error("a command failed")]
    Fault(#[from] Fault),
}

/// How often a login is tried whose account changes while its password is checked.
const MOST_TRIES: usize = 3;

impl Authentication {
    /// Gives tokens for an address and its password. All ways of being wrong look and take the same.
    pub(crate) async fn log_in(
        &self,
        email: &str,
        password: String,
        asking: &Asking,
    ) -> Result<Tokens, Refusal> {
        let email = Email::normalise(email);
        for _ in 0..MOST_TRIES {
            let (address, source) = (email.clone(), asking.origin.source.clone());
            let view = self
                .store
                .read(move |tx| queries::login_view(tx, &address, source.as_deref()))
                .await?;
            let checked = self.check(&email, &password, view.as_ref(), asking).await?;
            let Some((user, checked_hash)) = proven(view, checked) else {
                return Err(Refusal::WrongCredentials);
            };
            let command = LogIn {
                user,
                checked_hash,
                rehashed: self.rehashed(password.clone(), checked).await,
                lives: self.lives,
                origin: asking.origin.clone(),
            };
            let cause = Cause {
                actor: Actor::User(user),
                ..asking.cause.clone()
            };
            let outcome = self.write(cause, move |ctx| log_in(ctx, &command)).await?;
            if let log_in::Outcome::LoggedIn {
                session,
                roles,
                token,
            } = outcome
            {
                metrics::counter!("pasar_users_logins_total", "outcome" => "succeeded")
                    .increment(1);
                return self.tokens(user, session, roles, &token);
            }
        }
        Err(Refusal::WrongCredentials)
    }

    /// Exchanges a refresh token.
    pub(crate) async fn refresh(&self, token: &str, asking: &Asking) -> Result<Tokens, Refusal> {
        let presented = self
            .refresh_tokens
            .read(token)
            .ok_or(Refusal::InvalidToken)?;
        let successor = self.refresh_tokens.successor(&presented);
        let command = RefreshSession {
            presented,
            successor: successor.clone(),
            lives: self.lives,
            origin: asking.origin.clone(),
        };
        let cause = asking.cause.clone();
        match self
            .write(cause, move |ctx| refresh_session(ctx, &command))
            .await?
        {
            refresh_session::Outcome::Refreshed {
                user,
                session,
                roles,
            } => self.tokens(user, session, roles, &successor),
            refresh_session::Outcome::Invalid => Err(Refusal::InvalidToken),
            refresh_session::Outcome::Reused => {
                metrics::counter!("pasar_users_refresh_tokens_reused_total").increment(1);
                Err(Refusal::ReusedToken)
            }
        }
    }

    /// Sets a new password for whoever knows the current one.
    pub(crate) async fn change_password(
        &self,
        user: UserId,
        session: Option<SessionId>,
        current: &str,
        new: NewPassword,
        asking: &Asking,
    ) -> Result<(), Refusal> {
        for _ in 0..MOST_TRIES {
            let row = self.store.read(move |tx| queries::user(tx, user)).await?;
            let email = row.and_then(|row| row.email).ok_or(Refusal::NoPassword)?;
            let (address, source) = (email.clone(), asking.origin.source.clone());
            let view = self
                .store
                .read(move |tx| queries::login_view(tx, &address, source.as_deref()))
                .await?;
            let checked = self.check(&email, current, view.as_ref(), asking).await?;
            let Some((user, checked_hash)) = proven(view, checked) else {
                return Err(Refusal::WrongCredentials);
            };
            let command = ChangePassword {
                user,
                checked_hash,
                new_hash: self.passwords.hash(new.clone()).await?,
                session,
                origin: asking.origin.clone(),
            };
            let cause = asking.cause.clone();
            let outcome = self
                .write(cause, move |ctx| change_password(ctx, &command))
                .await?;
            if outcome == change_password::Outcome::Changed {
                return Ok(());
            }
        }
        Err(Refusal::WrongCredentials)
    }

    /// Who an API key acts for, if it is one of ours and has not been revoked.
    pub(crate) async fn verify_api_key(
        &self,
        text: &str,
        cause: Cause,
    ) -> Result<Option<VerifiedApiKey>, Fault> {
        let Some(key) = FullKey::read(text) else {
            return Ok(None);
        };
        let holder = self
            .store
            .read(move |tx| queries::key_holder(tx, key.id))
            .await?;
        let Some((row, owner)) = holder.filter(|(row, _)| key.has_hash(&row.secret_hash)) else {
            return Ok(None);
        };
        if is_news(row.last_used_at, self.store.clock().now()) {
            let used = self
                .store
                .write(LaneKey::ZERO, Class::Internal, cause, move |ctx| {
                    record_key_use(ctx, key.id)
                });
            if let Err(fault) = used.await {
                // The key is valid all the same.
                tracing::warn!(%fault, key = %key.id, "the use of an API key is not written down");
            }
        }
        Ok(Some(VerifiedApiKey {
            user_id: owner.id,
            api_key_id: row.id,
            roles: row
                .roles
                .into_iter()
                .filter(|role| owner.roles.contains(role))
                .collect(),
            scopes: row.scopes,
            rate_limit: row.rate_limit,
        }))
    }

    /// Checks a password, counting the attempt. A wrong one is written down.
    async fn check(
        &self,
        email: &str,
        password: &str,
        view: Option<&LoginView>,
        asking: &Asking,
    ) -> Result<Checked, Refusal> {
        let attempt = Attempt {
            account: throttle::account(email),
            source: asking.source,
            known_source: view.is_some_and(|view| view.known_source),
        };
        let admitted = self
            .throttle
            .admit(attempt)
            .map_err(|Throttled(wait)| Refusal::Throttled(wait))?;
        let hash = view.and_then(|view| view.password_hash.clone());
        let checked = match self.passwords.check(password.to_owned(), hash).await {
            Ok(checked) => checked,
            Err(error) => {
                admitted.take_back();
                return Err(error.into());
            }
        };
        if checked.matches {
            admitted.take_back();
            return Ok(checked);
        }
        metrics::counter!("pasar_users_logins_total", "outcome" => "failed").increment(1);
        let command = RecordFailedLogin {
            user: view.map(|view| view.user),
            origin: asking.origin.clone(),
        };
        self.write(asking.cause.clone(), move |ctx| {
            record_failed_login(ctx, &command)
        })
        .await?;
        Ok(checked)
    }

    /// The password's hash with the parameters of now, if its old one is outdated. Can wait for the next
    /// login while the pool is busy.
    async fn rehashed(&self, password: String, checked: Checked) -> Option<String> {
        let password = NewPassword::parse(&password)
            .ok()
            .filter(|_| checked.outdated)?;
        self.passwords.hash(password).await.ok()
    }

    fn tokens(
        &self,
        user: UserId,
        session: SessionId,
        roles: Vec<Role>,
        refresh_token: &RefreshToken,
    ) -> Result<Tokens, Refusal> {
        let now = self.store.clock().now();
        Ok(Tokens {
            access_token: self.access_tokens.issue(user, session, roles, now)?,
            refresh_token: self.refresh_tokens.write(refresh_token),
            token_type: TokenType::Bearer,
            expires_in: self.access_tokens.life.as_secs(),
        })
    }

    async fn write<T: Send + 'static>(
        &self,
        cause: Cause,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.store
            .write(LaneKey::ZERO, Class::New, cause, command)
            .await
    }
}

/// Whose password it was, and the hash that it matched.
fn proven(view: Option<LoginView>, checked: Checked) -> Option<(UserId, String)> {
    let view = view.filter(|_| checked.matches)?;
    Some((view.user, view.password_hash?))
}

impl From<PasswordError> for Refusal {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy(RETRY_AFTER),
            PasswordError::Argon2(what) => Self::Fault(Fault::Bug(what)),
        }
    }
}

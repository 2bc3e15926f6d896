//! Accounts, sessions, tokens and API keys.

use pasar_types::{
    id::{ApiKeyId, AuditEntryId, SessionId, UserId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// `typ` in the header of an access token (RFC 9068).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// `aud` of an access token. Its `iss` is the installation's public URL.
pub const ACCESS_TOKEN_AUDIENCE: &str = "pasar";
/// What an API key begins with: `pasar_sk_<id>_<secret>`.
pub const API_KEY_PREFIX: &str = "pasar_sk_";
/// What a refresh token begins with.
pub const REFRESH_TOKEN_PREFIX: &str = "pasar_rt_";

pub const MIN_PASSWORD_CHARS: usize = 8;
pub const MAX_PASSWORD_CHARS: usize = 256;
pub const MAX_NAME_CHARS: usize = 200;
/// Live API keys that one user may have.
pub const MAX_API_KEYS: u32 = 100;
pub const MAX_SCOPES: usize = 50;
/// The most that a key's own limit may be unless an admin sets it.
pub const MAX_OWN_REQUESTS_PER_MINUTE: u32 = 6_000;

/// What somebody is allowed to be.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Customer,
    Staff,
    Kiosk,
    Admin,
    Integrator,
}

impl Role {
    /// Every role, in the order in which lists of roles are written.
    pub const ALL: &[Self] = &[
        Self::Customer,
        Self::Staff,
        Self::Kiosk,
        Self::Admin,
        Self::Integrator,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Kiosk => "kiosk",
            Self::Admin => "admin",
            Self::Integrator => "integrator",
        }
    }
}

/// Who somebody wants to be here. The account begins as a customer's.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterUser {
    #[schema(min_length = 3, max_length = 254, example = "sari@example.com")]
    pub email: String,
    #[schema(min_length = 8, max_length = 256, example = "correct horse battery")]
    pub password: String,
    #[schema(min_length = 1, max_length = 200, example = "Sari")]
    pub name: String,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    #[schema(max_length = 254, example = "sari@example.com")]
    pub email: String,
    #[schema(max_length = 256, example = "correct horse battery")]
    pub password: String,
}

/// A refresh token, to be changed for its successor or to end its session.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshTokenInput {
    #[schema(example = "pasar_rt_AY7nQ2Z4fK6g0C5kH3Q4vA")]
    pub refresh_token: String,
}

/// What a login or a refresh gives (RFC 6749, section 5.1).
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// A JWT, to be sent as `Authorization: Bearer`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.e30.c2ln")]
    pub access_token: String,
    /// Good for one refresh; the answer brings its successor.
    #[schema(example = "pasar_rt_AY7nQ2Z4fK6g0C5kH3Q4vA")]
    pub refresh_token: String,
    pub token_type: TokenType,
    /// Seconds until the access token ends.
    #[schema(example = 600)]
    pub expires_in: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum TokenType {
    #[default]
    Bearer,
}

/// The claims of an access token. Its header is `{"typ":"at+jwt","alg":"EdDSA","kid":..}`; the key is
/// the one that `/.well-known/jwks.json` lists under that `kid`, and no other is to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The installation's public URL.
    pub iss: String,
    /// [`ACCESS_TOKEN_AUDIENCE`].
    pub aud: String,
    pub sub: UserId,
    pub sid: SessionId,
    pub roles: Vec<Role>,
    /// Seconds since the Unix epoch.
    pub iat: i64,
    /// Seconds since the Unix epoch.
    pub exp: i64,
}

/// The keys that access tokens are checked with (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwks {
    pub keys: Vec<Jwk>,
}

/// An Ed25519 public key (RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    #[schema(example = "OKP")]
    pub kty: String,
    #[schema(example = "Ed25519")]
    pub crv: String,
    #[schema(example = "EdDSA")]
    pub alg: String,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    pub key_use: String,
    /// The key's thumbprint (RFC 7638).
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    pub kid: String,
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    pub x: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserKind {
    /// Logs in with email and password.
    Person,
    /// Has API keys only.
    Machine,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: UserId,
    pub kind: UserKind,
    /// Absent for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "sari@example.com")]
    pub email: Option<String>,
    #[schema(example = "Sari")]
    pub name: String,
    pub roles: Vec<Role>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProfile {
    #[schema(min_length = 1, max_length = 200, example = "Sari Dewi")]
    pub name: String,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    #[schema(max_length = 256, example = "correct horse battery")]
    pub current_password: String,
    #[schema(min_length = 8, max_length = 256, example = "a better one, really")]
    pub new_password: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRoles {
    /// All the roles the user has from now on.
    #[schema(min_items = 1, max_items = 5)]
    pub roles: Vec<Role>,
}

/// One login and what followed from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub started_at: Timestamp,
    pub last_refreshed_at: Timestamp,
    pub expires_at: Timestamp,
    /// The network it was started from; the last part of the address is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "203.0.113.0/24")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Mozilla/5.0")]
    pub user_agent: Option<String>,
    /// Whether this request came with it.
    pub current: bool,
}

/// How many requests a key may make, in place of the general limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateLimit {
    Unlimited,
    PerMinute(u32),
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub user_id: UserId,
    #[schema(example = "till 2")]
    pub name: String,
    /// It acts in these roles, as far as its owner (still) has them.
    pub roles: Vec<Role>,
    #[schema(example = json!(["publish:client", "subscribe:orders.*"]))]
    pub scopes: Vec<String>,
    /// Absent: the general limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    pub created_at: Timestamp,
    /// Not more exact than a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    #[schema(min_length = 1, max_length = 200, example = "till 2")]
    pub name: String,
    /// Some of the caller's own.
    #[schema(min_items = 1, max_items = 5)]
    pub roles: Vec<Role>,
    /// `publish:<topic>` and `subscribe:<topic>`; `*` at the end of a topic stands for any rest. `feed:<service>`:
    /// follow a service's own feed.
    #[serde(default)]
    #[schema(max_items = 50, example = json!(["publish:client", "subscribe:orders.*"]))]
    pub scopes: Vec<String>,
    /// `{"per_minute": 600}`, at most 6,000; more, or `"unlimited"`, is for admins to give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// A new API key with its secret, which is never shown again.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedApiKey {
    /// The key itself, to be sent as `Authorization: Bearer`.
    #[schema(
        example = "pasar_sk_01h455vb4pex5vsknk084sn02q_bXkgc2VjcmV0IGlzIG5vdCBpbiB0aGUgZG9jcw"
    )]
    pub secret: String,
    pub api_key: ApiKey,
}

/// What is recorded for those who look after the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum AuditAction {
    #[serde(rename = "user.registered")]
    UserRegistered,
    #[serde(rename = "user.provisioned")]
    UserProvisioned,
    #[serde(rename = "user.changed")]
    UserChanged,
    #[serde(rename = "user.exported")]
    UserExported,
    #[serde(rename = "user.deleted")]
    UserDeleted,
    #[serde(rename = "roles.changed")]
    RolesChanged,
    #[serde(rename = "password.changed")]
    PasswordChanged,
    #[serde(rename = "password.reset")]
    PasswordReset,
    #[serde(rename = "login.succeeded")]
    LoginSucceeded,
    #[serde(rename = "login.failed")]
    LoginFailed,
    #[serde(rename = "session.ended")]
    SessionEnded,
    #[serde(rename = "api_key.created")]
    ApiKeyCreated,
    #[serde(rename = "api_key.revoked")]
    ApiKeyRevoked,
    #[serde(rename = "signing_key.rotated")]
    SigningKeyRotated,
}

/// One line of the audit trail: who did what, when, from where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub id: AuditEntryId,
    pub at: Timestamp,
    /// `user:usr_..`, `key:key_..:usr_..`, `anonymous`, `operator`, ...
    #[schema(example = "anonymous")]
    pub actor: String,
    pub action: AuditAction,
    /// Whom it is about; absent for a login under an unknown address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The network it came from; the last part of the address is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "203.0.113.0/24")]
    pub source: Option<String>,
    pub details: AuditDetails,
}

/// What else is known about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditDetails {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<ApiKeyId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "logged_out")]
    pub reason: Option<String>,
}

/// All that is kept about a person.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserExport {
    pub exported_at: Timestamp,
    pub user: User,
    pub sessions: Vec<Session>,
    pub api_keys: Vec<ApiKey>,
    /// The newest 10,000 entries about them.
    pub audit: Vec<AuditEntry>,
}

/// How the list of users is narrowed down.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UsersQuery {
    /// Part of the email address or name.
    #[param(max_length = 200, example = "sari")]
    pub q: Option<String>,
    pub role: Option<Role>,
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}

/// A list that belongs to a user.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OwnedQuery {
    /// Another user's, for admins; one's own if absent.
    pub user_id: Option<UserId>,
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}

/// How the audit trail is narrowed down.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// What is about this user; everything if absent.
    pub user_id: Option<UserId>,
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}

/// Asks who an API key belongs to. For the gateway only.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyCredentials {
    pub api_key: String,
}

/// Who an API key acts for. May be cached for ten seconds at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerifiedApiKey {
    pub user_id: UserId,
    pub api_key_id: ApiKeyId,
    /// Those of the key that its owner still has.
    pub roles: Vec<Role>,
    pub scopes: Vec<String>,
    /// Absent: the general limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// Whether a session's tokens are still welcome. For the gateway only; may be cached for ten seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionStatus {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub live: bool,
    /// Those the user has now; a token's may be older.
    pub roles: Vec<Role>,
}

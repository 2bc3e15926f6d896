//! What the binary does with users: the first admin, keys for machines, a password reset, new signing
//! keys, users for the bench. Whoever runs it has the machine, so nothing is asked of them.

use std::sync::Arc;

use pasar_chassis::keyring::Keyring;
use pasar_contracts::api::users::{RateLimit, Role};
use pasar_store::{
    cause::{Actor, Cause},
    context::Context,
    fault::Fault,
    ids::Ids,
    lane::{Class, LaneKey},
    store::Store,
};
use pasar_types::id::{FlowId, UserId};

use crate::{
    account::{Email, InvalidAccount, Name, NewPassword, Roles},
    api_key::{FullKey, InvalidKey, Scopes, check_rate_limit},
    commands::{
        create_first_admin::{self, CreateFirstAdmin, create_first_admin},
        provision_key::{self, ProvisionKey},
        reset_password::{self, ResetPassword},
        rotate_signing_key::{self, Reason, RotateSigningKey},
        seed_users::{self, MOST_AT_ONCE},
    },
    config::Config,
    password::{PasswordError, Passwords},
    tables::users,
};

/// The account that an installation begins with.
#[derive(Clone, PartialEq, Eq)]
pub struct FirstAdmin {
    pub email: String,
    /// To be shown once, if none was given.
    pub generated_password: Option<String>,
}

/// A machine and the key that it is to have.
#[derive(Clone)]
pub struct MachineKey<'a> {
    /// The operator's name for it: the same one is the same machine.
    pub machine: &'a str,
    pub roles: &'a [Role],
    pub scopes: &'a [String],
    pub rate_limit: Option<RateLimit>,
    /// The key that was provisioned before (`pasar_sk_..`), here or in a database that is gone; absent
    /// for a new one.
    pub api_key: Option<&'a str>,
}

/// A customer for the bench, with an API key that is not limited.
#[derive(Clone)]
pub struct SeededUser {
    pub user_id: UserId,
    pub api_key: String,
}

/// Why the keys are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The old key's tokens stay valid until they end.
    Planned,
    /// A key has leaked: every access token is refused as soon as the new key is taken up.
    Compromised,
}

#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error("the {what} cannot be used: {why}")]
    Invalid { what: &'static str, why: String },
    #[error("there is no user with the email address {0}")]
    UnknownEmail(String),
    #[error(
        "nobody is an admin, and {0} belongs to somebody who is not; set another users.admin_email"
    )]
    AdminEmailTaken(String),
    #[error("the API key of {0} was revoked; remove it where it is kept to get a new one")]
    KeyRevoked(String),
    #[error("the API key that is kept for {0} belongs to another user")]
    KeyOfAnother(String),
    #[error("a password cannot be hashed: {0}")]
    Hash(String),
    #[error("the database refused")]
    Fault(#[from] Fault),
}

/// Makes the first admin if there is none, with the password given or a new one. `None` if there is one:
/// its password stays what it is.
pub async fn ensure_admin(
    store: &Store,
    config: &Config,
    password: Option<&str>,
) -> Result<Option<FirstAdmin>, OperatorError> {
    if store
        .read(move |tx| users::has_other_admin(tx, None))
        .await?
    {
        return Ok(None);
    }
    let email = Email::parse(&config.admin_email).map_err(invalid("users.admin_email"))?;
    let (password_hash, generated_password) = hash(store, config, password).await?;
    let command = CreateFirstAdmin {
        email,
        password_hash,
    };
    match write(store, move |ctx| create_first_admin(ctx, &command)).await? {
        create_first_admin::Outcome::Created(admin) => {
            let email = admin.email.unwrap_or_default();
            Ok(Some(FirstAdmin {
                email,
                generated_password,
            }))
        }
        create_first_admin::Outcome::NotNeeded => Ok(None),
        create_first_admin::Outcome::EmailTaken => {
            Err(OperatorError::AdminEmailTaken(config.admin_email.clone()))
        }
    }
}

/// Sees to it that a machine has an account and this key, and answers the key. Again and again with the
/// same result.
pub async fn provision_key(store: &Store, wanted: MachineKey<'_>) -> Result<String, OperatorError> {
    let MachineKey {
        machine,
        roles,
        scopes,
        rate_limit,
        api_key,
    } = wanted;
    let key = api_key
        .map(|text| FullKey::read(text).ok_or_else(|| unreadable(machine)))
        .transpose()?;
    check_rate_limit(rate_limit).map_err(invalid_key("rate limit"))?;
    let command = ProvisionKey {
        machine: Name::parse(machine).map_err(invalid("machine's name"))?,
        roles: Roles::parse(roles).map_err(invalid("list of roles"))?,
        scopes: Scopes::parse(scopes).map_err(invalid_key("list of scopes"))?,
        rate_limit,
        key,
    };
    match write(store, move |ctx| {
        provision_key::provision_key(ctx, &command)
    })
    .await?
    {
        provision_key::Outcome::Provisioned(key) => Ok(key.write()),
        provision_key::Outcome::Revoked => Err(OperatorError::KeyRevoked(machine.to_owned())),
        provision_key::Outcome::NotItsOwn => Err(OperatorError::KeyOfAnother(machine.to_owned())),
    }
}

/// Sets the password given, or a new one, which is answered. All sessions of the person end.
pub async fn reset_password(
    store: &Store,
    config: &Config,
    email: &str,
    password: Option<&str>,
) -> Result<Option<String>, OperatorError> {
    let (new_hash, generated) = hash(store, config, password).await?;
    let command = ResetPassword {
        email: Email::normalise(email),
        new_hash,
    };
    match write(store, move |ctx| {
        reset_password::reset_password(ctx, &command)
    })
    .await?
    {
        reset_password::Outcome::Reset(_) => Ok(generated),
        reset_password::Outcome::Unknown => Err(OperatorError::UnknownEmail(email.to_owned())),
    }
}

/// Makes a new signing key and answers its `kid`. A service that runs takes it up within a minute.
pub async fn rotate_signing_key(
    store: &Store,
    keyring: &Keyring,
    rotation: Rotation,
) -> Result<String, OperatorError> {
    let reason = match rotation {
        Rotation::Planned => Reason::Planned,
        Rotation::Compromised => Reason::Compromised,
    };
    let command = RotateSigningKey {
        keyring: keyring.clone(),
        reason,
    };
    match write(store, move |ctx| {
        rotate_signing_key::rotate_signing_key(ctx, &command)
    })
    .await?
    {
        rotate_signing_key::Outcome::Rotated { kid } => Ok(kid),
        rotate_signing_key::Outcome::NotNeeded => {
            Err(Fault::Bug("a rotation that was asked for is always needed".to_owned()).into())
        }
    }
}

/// Adds so many customers with ready API keys, without hashing a password for each.
pub async fn seed_users(store: &Store, count: u32) -> Result<Vec<SeededUser>, OperatorError> {
    let mut all = Vec::new();
    let mut left = count;
    while left > 0 {
        let some = left.min(MOST_AT_ONCE);
        let seeded = write(store, move |ctx| seed_users::seed_users(ctx, some)).await?;
        all.extend(seeded.into_iter().map(|one| SeededUser {
            user_id: one.user,
            api_key: one.key.write(),
        }));
        left -= some;
    }
    Ok(all)
}

async fn write<T: Send + 'static>(
    store: &Store,
    command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let flow = FlowId::from_uuid(store.ids().uuid_v7(store.clock().now()));
    let cause = Cause::new(Actor::Operator, flow);
    store
        .write(LaneKey::ZERO, Class::Internal, cause, command)
        .await
}

/// The hash of the password, and the password if it had to be made.
async fn hash(
    store: &Store,
    config: &Config,
    given: Option<&str>,
) -> Result<(String, Option<String>), OperatorError> {
    let generated = given.is_none().then(|| generate_password(&**store.ids()));
    let text = given.or(generated.as_deref()).unwrap_or_default();
    let password = NewPassword::parse(text).map_err(invalid("password"))?;
    let failed = |error: PasswordError| OperatorError::Hash(error.to_string());
    let passwords =
        Passwords::new(&config.password_hash, Arc::clone(store.ids())).map_err(failed)?;
    let hash = passwords.hash(password).await.map_err(failed)?;
    Ok((hash, generated))
}

/// 100 bits, in letters and digits that are not mistaken for each other (Crockford's base 32).
fn generate_password(ids: &dyn Ids) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut random = [0; 20];
    ids.fill(&mut random);
    let letters: Vec<char> = random
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    letters
        .chunks(5)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-")
}

fn invalid(what: &'static str) -> impl FnOnce(InvalidAccount) -> OperatorError {
    move |error| OperatorError::Invalid {
        what,
        why: error.to_string(),
    }
}

fn invalid_key(what: &'static str) -> impl FnOnce(InvalidKey) -> OperatorError {
    move |error| OperatorError::Invalid {
        what,
        why: error.to_string(),
    }
}

fn unreadable(machine: &str) -> OperatorError {
    OperatorError::Invalid {
        what: "API key",
        why: format!("what is kept for {machine} is not an API key of Pasar"),
    }
}

//! Makes a signing key: the first, the next, or one in place of a key that leaked.

use std::time::Duration;

use pasar_chassis::keyring::Keyring;
use pasar_contracts::api::users::{AuditAction, AuditDetails};
use pasar_store::{context::Context, fault::Fault};

use crate::{
    signing_key::{PUBLISHED_AHEAD, StoredKey},
    source::Origin,
    tables::{audit, signing_keys},
};

#[derive(Clone, Debug)]
pub(crate) struct RotateSigningKey {
    pub(crate) keyring: Keyring,
    pub(crate) reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There may be none yet.
    FirstStart,
    /// The newest may be that old.
    Age(Duration),
    /// The operator wants it. The keys overlap.
    Planned,
    /// A key has leaked: all are dropped, and with them every access token.
    Compromised,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Rotated { kid: String },
    NotNeeded,
}

pub(crate) fn rotate_signing_key(
    ctx: &mut Context<'_>,
    command: &RotateSigningKey,
) -> Result<Outcome, Fault> {
    let stored = signing_keys::all(ctx)?;
    let newest = stored.last();
    let needed = match command.reason {
        Reason::FirstStart => newest.is_none(),
        Reason::Age(most) => newest.is_none_or(|key| ctx.now().since(key.created_at) >= most),
        Reason::Planned | Reason::Compromised => true,
    };
    if !needed {
        return Ok(Outcome::NotNeeded);
    }
    let compromised = command.reason == Reason::Compromised;
    let signs_from = if newest.is_none() || compromised {
        ctx.now()
    } else {
        // Never before the newest: the list is in the order in which its keys sign.
        newest
            .map_or(ctx.now(), |key| key.signs_from)
            .max(ctx.now() + PUBLISHED_AHEAD)
    };
    if compromised {
        for key in &stored {
            signing_keys::delete(ctx, &key.kid)?;
        }
    }
    let (seed, nonce) = (ctx.random_bytes(), ctx.random_bytes());
    let key = StoredKey::make(seed, nonce, &command.keyring, ctx.now(), signs_from);
    signing_keys::insert(ctx, &key)?;
    let reason = match command.reason {
        Reason::FirstStart => "first start",
        Reason::Age(_) => "age",
        Reason::Planned => "planned",
        Reason::Compromised => "compromised",
    };
    let details = AuditDetails {
        reason: Some(reason.to_owned()),
        ..AuditDetails::default()
    };
    audit::record(
        ctx,
        AuditAction::SigningKeyRotated,
        None,
        &Origin::default(),
        details,
    )?;
    Ok(Outcome::Rotated { kid: key.kid })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{given::Given, signing_key::SigningKeys};

    fn rotate(given: &Given, reason: Reason) -> Outcome {
        let command = RotateSigningKey {
            keyring: given.keyring.clone(),
            reason,
        };
        given.run(move |ctx| rotate_signing_key(ctx, &command))
    }

    fn listed(given: &Given) -> Vec<String> {
        let keys = SigningKeys::default();
        let stored = given.store.read_now(signing_keys::all).unwrap();
        keys.load(&stored, &given.keyring).unwrap();
        keys.jwks(given.now())
            .keys
            .into_iter()
            .map(|key| key.kid)
            .collect()
    }

    fn signer(given: &Given) -> String {
        let keys = SigningKeys::default();
        let stored = given.store.read_now(signing_keys::all).unwrap();
        keys.load(&stored, &given.keyring).unwrap();
        keys.sign(given.now(), |key| key.kid.clone()).unwrap()
    }

    fn kid(outcome: Outcome) -> String {
        match outcome {
            Outcome::Rotated { kid } => kid,
            Outcome::NotNeeded => panic!("it was needed"),
        }
    }

    #[test]
    fn the_first_start_makes_a_key_that_signs_at_once() {
        let given = Given::nothing();
        let first = kid(rotate(&given, Reason::FirstStart));
        assert_eq!(rotate(&given, Reason::FirstStart), Outcome::NotNeeded);
        assert_eq!(listed(&given), std::slice::from_ref(&first));
        assert_eq!(signer(&given), first);
    }

    #[test]
    fn a_planned_rotation_lists_both_keys_while_tokens_of_both_are_about() {
        let given = Given::nothing();
        let old = kid(rotate(&given, Reason::FirstStart));
        let new = kid(rotate(&given, Reason::Planned));
        assert_eq!(listed(&given), [old.clone(), new.clone()]);
        assert_eq!(signer(&given), old);
        given.clock.advance(PUBLISHED_AHEAD);
        assert_eq!(signer(&given), new);
        assert_eq!(listed(&given), [old, new]);
    }

    #[test]
    fn a_key_that_leaked_is_gone_at_once() {
        let given = Given::nothing();
        rotate(&given, Reason::FirstStart);
        rotate(&given, Reason::Planned);
        let new = kid(rotate(&given, Reason::Compromised));
        assert_eq!(listed(&given), std::slice::from_ref(&new));
        assert_eq!(signer(&given), new);
    }

    #[test]
    fn a_key_is_replaced_when_it_is_old_enough() {
        let given = Given::nothing();
        rotate(&given, Reason::FirstStart);
        let most = Duration::from_secs(100);
        assert_eq!(rotate(&given, Reason::Age(most)), Outcome::NotNeeded);
        given.clock.advance(most);
        kid(rotate(&given, Reason::Age(most)));
        assert_eq!(rotate(&given, Reason::Age(most)), Outcome::NotNeeded);
    }

    #[test]
    fn the_private_key_is_stored_sealed() {
        let given = Given::nothing();
        rotate(&given, Reason::FirstStart);
        let stored = given.store.read_now(signing_keys::all).unwrap();
        let other = Keyring::ephemeral(&pasar_store::ids::SeededIds::new(99));
        assert!(SigningKeys::default().load(&stored, &other).is_err());
    }
}

//! Revokes an API key for good, and with it the keys that it has made: who has copied a key may have
//! made themselves another.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{ApiKeyId, UserId};

use crate::{commands::ending, source::Origin, tables::api_keys};

#[derive(Clone, Debug)]
pub(crate) struct RevokeApiKey {
    pub(crate) key: ApiKeyId,
    /// Whose it must be; anybody's if absent.
    pub(crate) owner: Option<UserId>,
    pub(crate) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Revoked,
    WasRevoked,
    Unknown,
}

pub(crate) fn revoke_api_key(
    ctx: &mut Context<'_>,
    command: &RevokeApiKey,
) -> Result<Outcome, Fault> {
    let RevokeApiKey { key, owner, origin } = command;
    let Some(key) = api_keys::find(ctx, *key)? else {
        return Ok(Outcome::Unknown);
    };
    if owner.is_some_and(|owner| owner != key.user_id) {
        return Ok(Outcome::Unknown);
    }
    let revoked = ending::revoke_key(ctx, key.user_id, key.id, origin)?;
    let mut made = api_keys::made_by(ctx, key.user_id, key.id)?;
    while let Some(next) = made.pop() {
        ending::revoke_key(ctx, key.user_id, next, origin)?;
        made.extend(api_keys::made_by(ctx, key.user_id, next)?);
    }
    Ok(if revoked {
        Outcome::Revoked
    } else {
        Outcome::WasRevoked
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    #[test]
    fn a_key_is_revoked_by_its_owner_or_an_admin_and_hidden_from_others() {
        let given = Given::nothing();
        let (sari, budi) = (given.registered("sari"), given.registered("budi"));
        let (first, second) = (given.key(sari, "till 1"), given.key(sari, "till 2"));
        given.events();
        let revoke = |key, owner| {
            let command = RevokeApiKey {
                key,
                owner,
                origin: given::origin(),
            };
            given.run(move |ctx| revoke_api_key(ctx, &command))
        };
        assert_eq!(revoke(first.id, Some(budi)), Outcome::Unknown);
        assert_eq!(
            revoke(ApiKeyId::from_bytes([9; 16]), None),
            Outcome::Unknown
        );
        assert_eq!(given.events(), "");
        assert_eq!(revoke(first.id, Some(sari)), Outcome::Revoked);
        assert_eq!(revoke(first.id, Some(sari)), Outcome::WasRevoked);
        assert_eq!(revoke(second.id, None), Outcome::Revoked);
        insta::assert_snapshot!(given.events(), @r#"
        sari v4 api_key.revoked.v1 {"user_id":"sari","api_key_id":"key till 1"}
        sari v5 api_key.revoked.v1 {"user_id":"sari","api_key_id":"key till 2"}
        "#);
    }
}

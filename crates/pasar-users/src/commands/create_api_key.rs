//! Makes an API key that may do no more than whoever makes it. Its secret is in the outcome only.

use pasar_contracts::{
    api::users::{AuditAction, AuditDetails, MAX_API_KEYS, RateLimit, Role},
    events::users::ApiKeyCreated,
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{ApiKeyId, UserId};

use crate::{
    account::{Name, Roles},
    api_key::{FullKey, Scopes, is_own_rate_limit},
    source::Origin,
    tables::{
        api_keys::{self, ApiKeyRow},
        audit, users,
    },
};

#[derive(Clone, Debug)]
pub(crate) struct CreateApiKey {
    pub(crate) owner: UserId,
    pub(crate) name: Name,
    pub(crate) roles: Roles,
    pub(crate) scopes: Scopes,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) maker: Maker,
    pub(crate) origin: Origin,
}

/// What the credentials that ask for the key may do.
#[derive(Clone, Debug)]
pub(crate) struct Maker {
    pub(crate) roles: Vec<Role>,
    /// The API key that asks; absent for a person, who is not limited to scopes.
    pub(crate) key: Option<MakingKey>,
}

#[derive(Clone, Debug)]
pub(crate) struct MakingKey {
    pub(crate) id: ApiKeyId,
    pub(crate) scopes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created {
        row: Box<ApiKeyRow>,
        key: FullKey,
    },
    /// The maker does not have these roles.
    RolesNotHeld(Vec<Role>),
    /// The maker's own scopes do not cover these.
    ScopesNotHeld,
    /// Only admins set such a limit.
    LimitNotAllowed,
    TooMany,
    Unknown,
}

pub(crate) fn create_api_key(
    ctx: &mut Context<'_>,
    command: &CreateApiKey,
) -> Result<Outcome, Fault> {
    let CreateApiKey {
        owner,
        roles,
        maker,
        ..
    } = command;
    let Some(user) = users::find(ctx, *owner)? else {
        return Ok(Outcome::Unknown);
    };
    let held = |role: &Role| maker.roles.contains(role) && user.roles.contains(role);
    let not_held: Vec<Role> = roles
        .as_slice()
        .iter()
        .copied()
        .filter(|role| !held(role))
        .collect();
    if !not_held.is_empty() {
        return Ok(Outcome::RolesNotHeld(not_held));
    }
    let covers = |key: &MakingKey| command.scopes.within(&key.scopes);
    if !maker.key.as_ref().is_none_or(covers) {
        return Ok(Outcome::ScopesNotHeld);
    }
    if !is_own_rate_limit(command.rate_limit) && !held(&Role::Admin) {
        return Ok(Outcome::LimitNotAllowed);
    }
    let live = api_keys::not_revoked(ctx, user.id)?.len();
    if live >= MAX_API_KEYS as usize {
        return Ok(Outcome::TooMany);
    }
    let key = FullKey::new(ctx.new_id(), ctx.random_bytes());
    let row = ApiKeyRow {
        id: key.id,
        user_id: user.id,
        name: command.name.as_str().to_owned(),
        secret_hash: key.hash(),
        roles: roles.as_slice().to_vec(),
        scopes: command.scopes.as_slice().to_vec(),
        rate_limit: command.rate_limit,
        made_by: maker.key.as_ref().map(|key| key.id),
        created_at: ctx.now(),
        last_used_at: None,
        revoked_at: None,
    };
    add(ctx, &row, &command.origin)?;
    Ok(Outcome::Created {
        row: Box::new(row),
        key,
    })
}

/// Stores a key and tells of it.
pub(super) fn add(ctx: &mut Context<'_>, row: &ApiKeyRow, origin: &Origin) -> Result<(), Fault> {
    api_keys::insert(ctx, row)?;
    let event = ApiKeyCreated {
        user_id: row.user_id,
        api_key_id: row.id,
        scopes: row.scopes.clone(),
    };
    users::emit(ctx, row.user_id, &event)?;
    let details = AuditDetails {
        api_key_id: Some(row.id),
        roles: Some(row.roles.clone()),
        ..AuditDetails::default()
    };
    audit::record(
        ctx,
        AuditAction::ApiKeyCreated,
        Some(row.user_id),
        origin,
        details,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    fn wanted(owner: UserId, roles: &[Role], scopes: &[&str]) -> CreateApiKey {
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        CreateApiKey {
            owner,
            name: Name::parse("till 2").unwrap(),
            roles: Roles::parse(roles).unwrap(),
            scopes: Scopes::parse(&scopes).unwrap(),
            rate_limit: None,
            maker: Maker {
                roles: vec![Role::Customer],
                key: None,
            },
            origin: given::origin(),
        }
    }

    fn create(given: &Given, command: CreateApiKey) -> Outcome {
        given.run(move |ctx| create_api_key(ctx, &command))
    }

    #[test]
    fn only_the_hash_of_a_new_key_is_kept() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.events();
        let scopes = ["subscribe:orders.*", "publish:client"];
        let Outcome::Created { row, key } =
            create(&given, wanted(sari, &[Role::Customer], &scopes))
        else {
            panic!("she may have it");
        };
        given.call(row.id, "key");
        assert!(key.has_hash(&row.secret_hash));
        let text = key.write();
        let (_, secret) = text.rsplit_once('_').unwrap();
        assert!(!given.dump().contains(secret));
        insta::assert_snapshot!(given.events(), @r#"sari v2 api_key.created.v1 {"user_id":"sari","api_key_id":"key","scopes":["publish:client","subscribe:orders.*"]}"#);
        insta::assert_snapshot!(given.rows(), @r#"
        sari: sari@example.com, Sari, ["customer"], $argon2id$sari, version 1, events 2
        key of sari: till 2, ["customer"], ["publish:client","subscribe:orders.*"]
        audit of sari: api_key.created 203.0.113.0/24 {"api_key_id":"key","roles":["customer"]}
        audit of sari: user.registered 203.0.113.0/24 {"roles":["customer"]}
        "#);
    }

    #[test]
    fn a_key_gets_no_role_that_its_maker_or_its_owner_lacks() {
        let given = Given::nothing();
        let ani = given.admin("ani");
        let refused = create(&given, wanted(ani, &[Role::Customer, Role::Admin], &[]));
        assert!(refused == Outcome::RolesNotHeld(vec![Role::Customer, Role::Admin]));
        let sari = given.registered("sari");
        let mut stale = wanted(sari, &[Role::Customer, Role::Staff], &[]);
        stale.maker.roles = vec![Role::Customer, Role::Staff];
        assert!(create(&given, stale) == Outcome::RolesNotHeld(vec![Role::Staff]));
    }

    #[test]
    fn a_key_that_makes_a_key_hands_on_its_own_scopes_only() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        let by_key = |scope: &str| {
            let mut command = wanted(sari, &[Role::Customer], &[scope]);
            command.maker.key = Some(MakingKey {
                id: given.key(sari, "till 1").id,
                scopes: vec!["subscribe:orders.*".to_owned()],
            });
            create(&given, command)
        };
        assert!(by_key("publish:client") == Outcome::ScopesNotHeld);
        assert!(matches!(
            by_key("subscribe:orders.ready"),
            Outcome::Created { .. }
        ));
    }

    #[test]
    fn only_admins_lift_the_limit() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        let mut command = wanted(sari, &[Role::Customer], &[]);
        command.rate_limit = Some(RateLimit::Unlimited);
        assert!(create(&given, command) == Outcome::LimitNotAllowed);

        let ani = given.admin("ani");
        let mut command = wanted(ani, &[Role::Admin], &[]);
        command.maker.roles = vec![Role::Admin];
        command.rate_limit = Some(RateLimit::Unlimited);
        assert!(matches!(create(&given, command), Outcome::Created { .. }));
    }

    #[test]
    fn a_user_has_so_many_keys_and_no_more() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        for _ in 0..MAX_API_KEYS {
            let created = create(&given, wanted(sari, &[Role::Customer], &[]));
            assert!(matches!(created, Outcome::Created { .. }));
        }
        assert!(create(&given, wanted(sari, &[Role::Customer], &[])) == Outcome::TooMany);
    }

    #[test]
    fn nobody_has_no_keys() {
        let given = Given::nothing();
        let nobody = UserId::from_bytes([9; 16]);
        assert!(create(&given, wanted(nobody, &[Role::Customer], &[])) == Outcome::Unknown);
    }
}

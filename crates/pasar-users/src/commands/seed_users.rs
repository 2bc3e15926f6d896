//! Adds customers with ready API keys, many in one command: for the bench, which measures orders and
//! not logins.

use pasar_contracts::{
    api::users::{RateLimit, Role},
    events::users::{ApiKeyCreated, UserRegistered},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::UserId;

use crate::{
    api_key::FullKey,
    tables::{
        api_keys::{self, ApiKeyRow},
        users::{self, UserRow},
    },
};

/// Users that one command adds at most.
pub(crate) const MOST_AT_ONCE: u32 = 500;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seeded {
    pub(crate) user: UserId,
    pub(crate) key: FullKey,
}

pub(crate) fn seed_users(ctx: &mut Context<'_>, count: u32) -> Result<Vec<Seeded>, Fault> {
    (0..count.min(MOST_AT_ONCE))
        .map(|_| seed_user(ctx))
        .collect()
}

fn seed_user(ctx: &mut Context<'_>) -> Result<Seeded, Fault> {
    let user = UserRow {
        id: ctx.new_id(),
        email: None,
        machine: None,
        name: "bench".to_owned(),
        password_hash: None,
        roles: vec![Role::Customer],
        created_at: ctx.now(),
        updated_at: ctx.now(),
        deleted_at: None,
        version: 1,
    };
    let user = UserRow {
        machine: Some(format!("bench {}", user.id)),
        ..user
    };
    users::insert(ctx, &user, 2)?;
    let name = user.id.to_string();
    ctx.emit(
        &name,
        1,
        &UserRegistered {
            user_id: user.id,
            roles: user.roles.clone(),
        },
    )?;
    let key = FullKey::new(ctx.new_id(), ctx.random_bytes());
    let row = ApiKeyRow {
        id: key.id,
        user_id: user.id,
        name: user.name,
        secret_hash: key.hash(),
        roles: user.roles,
        scopes: Vec::new(),
        rate_limit: Some(RateLimit::Unlimited),
        made_by: None,
        created_at: ctx.now(),
        last_used_at: None,
        revoked_at: None,
    };
    api_keys::insert(ctx, &row)?;
    let event = ApiKeyCreated {
        user_id: user.id,
        api_key_id: key.id,
        scopes: Vec::new(),
    };
    ctx.emit(&name, 2, &event)?;
    Ok(Seeded { user: user.id, key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::Given;

    #[test]
    fn seeded_users_are_customers_with_working_keys() {
        let given = Given::nothing();
        let seeded = given.run(|ctx| seed_users(ctx, 2));
        for (number, one) in seeded.iter().enumerate() {
            given.call(one.user, &format!("user {number}"));
            given.call(one.key.id, &format!("key {number}"));
        }
        insta::assert_snapshot!(given.events(), @r#"
        user 0 v1 user.registered.v1 {"user_id":"user 0","roles":["customer"]}
        user 0 v2 api_key.created.v1 {"user_id":"user 0","api_key_id":"key 0","scopes":[]}
        user 1 v1 user.registered.v1 {"user_id":"user 1","roles":["customer"]}
        user 1 v2 api_key.created.v1 {"user_id":"user 1","api_key_id":"key 1","scopes":[]}
        "#);
        insta::assert_snapshot!(given.rows(), @r#"
        user 1: bench user 1, bench, ["customer"], no password, version 1, events 2
        user 0: bench user 0, bench, ["customer"], no password, version 1, events 2
        key 0 of user 0: bench, ["customer"], [], "unlimited"
        key 1 of user 1: bench, ["customer"], [], "unlimited"
        "#);
    }
}

//! Sees to it that a machine has an account and an API key, as the operator wants them. Again and again
//! with the same result.

use pasar_contracts::api::users::{AuditAction, RateLimit};
use pasar_store::{context::Context, fault::Fault};

use crate::{
    account::{Name, Roles},
    api_key::{FullKey, Scopes},
    commands::{
        accounts::{self, Opening},
        create_api_key,
    },
    source::Origin,
    tables::{
        api_keys::{self, ApiKeyRow},
        users::{self, UserRow},
    },
};

#[derive(Clone)]
pub(crate) struct ProvisionKey {
    /// The operator's name for the machine: the same one is the same machine.
    pub(crate) machine: Name,
    pub(crate) roles: Roles,
    pub(crate) scopes: Scopes,
    pub(crate) rate_limit: Option<RateLimit>,
    /// The key it has already; a new one is made if absent.
    pub(crate) key: Option<FullKey>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Provisioned(FullKey),
    /// Somebody has revoked it. It stays so.
    Revoked,
    /// Its id belongs to another user's key.
    NotItsOwn,
}

pub(crate) fn provision_key(
    ctx: &mut Context<'_>,
    command: &ProvisionKey,
) -> Result<Outcome, Fault> {
    let key = match &command.key {
        Some(key) => key.clone(),
        None => FullKey::new(ctx.new_id(), ctx.random_bytes()),
    };
    let existing = api_keys::find(ctx, key.id)?;
    if existing
        .as_ref()
        .is_some_and(|row| row.revoked_at.is_some())
    {
        return Ok(Outcome::Revoked);
    }
    let machine = users::find_machine(ctx, command.machine.as_str())?;
    let owner = machine.as_ref().map(|machine| machine.id);
    if existing
        .as_ref()
        .is_some_and(|row| Some(row.user_id) != owner)
    {
        return Ok(Outcome::NotItsOwn);
    }
    let machine = provision_machine(ctx, command, machine)?;
    let wanted = ApiKeyRow {
        id: key.id,
        user_id: machine.id,
        name: command.machine.as_str().to_owned(),
        secret_hash: key.hash(),
        roles: command.roles.as_slice().to_vec(),
        scopes: command.scopes.as_slice().to_vec(),
        rate_limit: command.rate_limit,
        made_by: None,
        created_at: existing.as_ref().map_or(ctx.now(), |row| row.created_at),
        last_used_at: existing.as_ref().and_then(|row| row.last_used_at),
        revoked_at: None,
    };
    match existing {
        None => create_api_key::add(ctx, &wanted, &Origin::default())?,
        Some(existing) if existing == wanted => {}
        Some(_) => api_keys::provision(ctx, &wanted)?,
    }
    Ok(Outcome::Provisioned(key))
}

fn provision_machine(
    ctx: &mut Context<'_>,
    command: &ProvisionKey,
    machine: Option<UserRow>,
) -> Result<UserRow, Fault> {
    let origin = Origin::default();
    match machine {
        Some(machine) if machine.roles == command.roles.as_slice() => Ok(machine),
        Some(machine) => accounts::set_roles(ctx, machine, &command.roles, &origin),
        None => {
            let opening = Opening {
                email: None,
                machine: Some(command.machine.as_str()),
                name: command.machine.as_str(),
                password_hash: None,
                roles: &command.roles,
                action: AuditAction::UserProvisioned,
                origin: &origin,
            };
            accounts::open(ctx, &opening)
        }
    }
}

#[cfg(test)]
mod tests {
    use pasar_contracts::api::users::Role;

    use super::*;
    use crate::given::Given;

    fn provision(given: &Given, machine: &str, role: Role, key: Option<&FullKey>) -> Outcome {
        let command = ProvisionKey {
            machine: Name::parse(machine).unwrap(),
            roles: Roles::one(role),
            scopes: Scopes::default(),
            rate_limit: Some(RateLimit::Unlimited),
            key: key.cloned(),
        };
        given.run(move |ctx| provision_key(ctx, &command))
    }

    fn key_of(outcome: Outcome) -> FullKey {
        match outcome {
            Outcome::Provisioned(key) => key,
            Outcome::Revoked | Outcome::NotItsOwn => panic!("it should be provisioned"),
        }
    }

    #[test]
    fn provisioning_again_changes_nothing() {
        let given = Given::nothing();
        let key = key_of(provision(&given, "demo kiosk", Role::Kiosk, None));
        given.call(key.id, "key");
        let before = given.rows();
        insta::assert_snapshot!(before, @r#"
        usr_01kdvdna00ftsrajpzag1ypc34: demo kiosk, demo kiosk, ["kiosk"], no password, version 1, events 2
        key of usr_01kdvdna00ftsrajpzag1ypc34: demo kiosk, ["kiosk"], [], "unlimited"
        audit of usr_01kdvdna00ftsrajpzag1ypc34: api_key.created nowhere {"api_key_id":"key","roles":["kiosk"]}
        audit of usr_01kdvdna00ftsrajpzag1ypc34: user.provisioned nowhere {"roles":["kiosk"]}
        "#);
        given.events();
        assert!(key_of(provision(&given, "demo kiosk", Role::Kiosk, Some(&key))) == key);
        assert_eq!(given.rows(), before);
        assert_eq!(given.events(), "");
    }

    #[test]
    fn a_known_key_is_provisioned_in_a_new_database() {
        let key = key_of(provision(
            &Given::nothing(),
            "demo kiosk",
            Role::Kiosk,
            None,
        ));
        let given = Given::nothing();
        assert!(key_of(provision(&given, "demo kiosk", Role::Kiosk, Some(&key))) == key);
        let row = given
            .store
            .read_now(|tx| api_keys::find(tx, key.id))
            .unwrap()
            .unwrap();
        assert!(key.has_hash(&row.secret_hash));
    }

    #[test]
    fn what_is_wanted_now_replaces_what_was_wanted_before() {
        let given = Given::nothing();
        let key = key_of(provision(&given, "demo kiosk", Role::Kiosk, None));
        provision(&given, "demo kiosk", Role::Staff, Some(&key));
        let row = given
            .store
            .read_now(|tx| api_keys::find(tx, key.id))
            .unwrap()
            .unwrap();
        assert_eq!(row.roles, [Role::Staff]);
    }

    #[test]
    fn a_revoked_key_and_another_machines_key_are_not_taken() {
        let given = Given::nothing();
        let key = key_of(provision(&given, "demo kiosk", Role::Kiosk, None));
        let other = provision(&given, "demo staff", Role::Staff, Some(&key));
        assert!(other == Outcome::NotItsOwn);
        given.run(move |ctx| api_keys::revoke(ctx, key.id));
        let again = provision(&given, "demo kiosk", Role::Kiosk, Some(&key));
        assert!(again == Outcome::Revoked);
    }
}

//! Gives a user other roles. There is always a person who is an admin.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::UserId;

use crate::{
    account::Roles,
    commands::accounts,
    source::Origin,
    tables::users::{self, UserRow},
};

#[derive(Clone, Debug)]
pub(crate) struct ChangeRoles {
    pub(crate) user: UserId,
    pub(crate) roles: Roles,
    pub(crate) origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Changed(Box<UserRow>),
    Unchanged(Box<UserRow>),
    LastAdmin,
    Unknown,
}

pub(crate) fn change_roles(ctx: &mut Context<'_>, command: &ChangeRoles) -> Result<Outcome, Fault> {
    let Some(user) = users::find(ctx, command.user)? else {
        return Ok(Outcome::Unknown);
    };
    let roles = command.roles.as_slice();
    if user.roles == roles {
        return Ok(Outcome::Unchanged(Box::new(user)));
    }
    let stays_admin = roles.contains(&pasar_contracts::api::users::Role::Admin);
    if is_last_admin(ctx, &user)? && !stays_admin {
        return Ok(Outcome::LastAdmin);
    }
    let user = accounts::set_roles(ctx, user, &command.roles, &command.origin)?;
    Ok(Outcome::Changed(Box::new(user)))
}

/// Whether nobody could look after the installation without this person.
pub(super) fn is_last_admin(ctx: &Context<'_>, user: &UserRow) -> Result<bool, Fault> {
    Ok(user.is_admin() && user.machine.is_none() && !users::has_other_admin(ctx, Some(user.id))?)
}

#[cfg(test)]
mod tests {
    use pasar_contracts::api::users::Role;

    use super::*;
    use crate::given::{self, Given};

    fn change(given: &Given, user: UserId, roles: &[Role]) -> Outcome {
        let roles = Roles::parse(roles).unwrap();
        let command = ChangeRoles {
            user,
            roles,
            origin: given::origin(),
        };
        given.run(move |ctx| change_roles(ctx, &command))
    }

    #[test]
    fn roles_are_replaced_as_a_whole() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.events();
        let Outcome::Changed(user) = change(&given, sari, &[Role::Staff, Role::Customer]) else {
            panic!("they are new");
        };
        assert_eq!(user.roles, [Role::Customer, Role::Staff]);
        assert_eq!(
            change(&given, sari, &[Role::Customer, Role::Staff]),
            Outcome::Unchanged(user)
        );
        insta::assert_snapshot!(given.events(), @r#"sari v2 user.roles_changed.v1 {"user_id":"sari","roles":["customer","staff"]}"#);
        insta::assert_snapshot!(given.rows(), @r#"
        sari: sari@example.com, Sari, ["customer","staff"], $argon2id$sari, version 2, events 2
        audit of sari: roles.changed 203.0.113.0/24 {"roles":["customer","staff"]}
        audit of sari: user.registered 203.0.113.0/24 {"roles":["customer"]}
        "#);
    }

    #[test]
    fn the_last_admin_stays_one() {
        let given = Given::nothing();
        let ani = given.admin("ani");
        let sari = given.registered("sari");
        given.machine("robot", &[Role::Admin]);
        given.events();
        assert_eq!(change(&given, ani, &[Role::Customer]), Outcome::LastAdmin);
        assert_eq!(given.events(), "");
        assert!(matches!(
            change(&given, ani, &[Role::Staff, Role::Admin]),
            Outcome::Changed(_)
        ));
        assert!(matches!(
            change(&given, sari, &[Role::Admin]),
            Outcome::Changed(_)
        ));
        assert!(matches!(
            change(&given, ani, &[Role::Customer]),
            Outcome::Changed(_)
        ));
        assert_eq!(change(&given, sari, &[Role::Customer]), Outcome::LastAdmin);
    }

    #[test]
    fn nobody_has_no_roles() {
        let given = Given::nothing();
        let nobody = UserId::from_bytes([9; 16]);
        assert_eq!(change(&given, nobody, &[Role::Staff]), Outcome::Unknown);
    }
}

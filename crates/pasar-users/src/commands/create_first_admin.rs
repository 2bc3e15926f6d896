//! Opens the account that an installation begins with, if nobody is an admin.

use pasar_contracts::api::users::{AuditAction, Role};
use pasar_store::{context::Context, fault::Fault};

use crate::{
    account::{Email, Roles},
    commands::accounts::{self, Opening},
    source::Origin,
    tables::users::{self, UserRow},
};

#[derive(Clone, Debug)]
pub(crate) struct CreateFirstAdmin {
    pub(crate) email: Email,
    pub(crate) password_hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created(Box<UserRow>),
    /// There is an admin.
    NotNeeded,
    /// Somebody who is not an admin has the address.
    EmailTaken,
}

pub(crate) fn create_first_admin(
    ctx: &mut Context<'_>,
    command: &CreateFirstAdmin,
) -> Result<Outcome, Fault> {
    if users::has_other_admin(ctx, None)? {
        return Ok(Outcome::NotNeeded);
    }
    let email = command.email.as_str();
    if users::find_by_email(ctx, email)?.is_some() {
        return Ok(Outcome::EmailTaken);
    }
    let opening = Opening {
        email: Some(email),
        machine: None,
        name: "Admin",
        password_hash: Some(&command.password_hash),
        roles: &Roles::one(Role::Admin),
        action: AuditAction::UserProvisioned,
        origin: &Origin::default(),
    };
    let user = accounts::open(ctx, &opening)?;
    Ok(Outcome::Created(Box::new(user)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::Given;

    fn create(given: &Given) -> Outcome {
        let command = CreateFirstAdmin {
            email: Email::parse("admin@localhost").unwrap(),
            password_hash: "$argon2id$..".to_owned(),
        };
        given.run(move |ctx| create_first_admin(ctx, &command))
    }

    #[test]
    fn the_first_admin_is_made_once() {
        let given = Given::nothing();
        given.registered("sari");
        given.machine("robot", &[Role::Admin]);
        given.events();
        let Outcome::Created(admin) = create(&given) else {
            panic!("nobody is an admin");
        };
        given.call(admin.id, "admin");
        assert_eq!(create(&given), Outcome::NotNeeded);
        insta::assert_snapshot!(given.events(), @r#"admin v1 user.registered.v1 {"user_id":"admin","roles":["admin"]}"#);
    }

    #[test]
    fn a_customer_does_not_become_admin_by_their_address() {
        let given = Given::nothing();
        given.registered_as("mallory", "admin@localhost");
        assert_eq!(create(&given), Outcome::EmailTaken);
    }
}

//! Opens a person's account. It begins as a customer's, whoever asks.

use pasar_contracts::api::users::{AuditAction, Role};
use pasar_store::{context::Context, fault::Fault};

use crate::{
    account::{Email, Name, Roles},
    commands::accounts::{self, Opening},
    source::Origin,
    tables::users::{self, UserRow},
};

#[derive(Clone, Debug)]
pub(crate) struct RegisterUser {
    pub(crate) email: Email,
    pub(crate) name: Name,
    pub(crate) password_hash: String,
    pub(crate) origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Registered(Box<UserRow>),
    EmailTaken,
}

pub(crate) fn register_user(
    ctx: &mut Context<'_>,
    command: &RegisterUser,
) -> Result<Outcome, Fault> {
    let email = command.email.as_str();
    if users::find_by_email(ctx, email)?.is_some() {
        return Ok(Outcome::EmailTaken);
    }
    let opening = Opening {
        email: Some(email),
        machine: None,
        name: command.name.as_str(),
        password_hash: Some(&command.password_hash),
        roles: &Roles::one(Role::Customer),
        action: AuditAction::UserRegistered,
        origin: &command.origin,
    };
    let user = accounts::open(ctx, &opening)?;
    Ok(Outcome::Registered(Box::new(user)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    fn register(given: &Given, email: &str) -> Outcome {
        let command = RegisterUser {
            email: Email::parse(email).unwrap(),
            name: Name::parse("Sari").unwrap(),
            password_hash: "$argon2id$..".to_owned(),
            origin: given::origin(),
        };
        given.run(move |ctx| register_user(ctx, &command))
    }

    #[test]
    fn a_registered_person_is_a_customer() {
        let given = Given::nothing();
        let Outcome::Registered(user) = register(&given, "Sari@Example.com") else {
            panic!("the address is free");
        };
        given.call(user.id, "sari");
        insta::assert_snapshot!(given.events(), @r#"sari v1 user.registered.v1 {"user_id":"sari","roles":["customer"]}"#);
        insta::assert_snapshot!(given.rows(), @r#"
        sari: sari@example.com, Sari, ["customer"], $argon2id$.., version 1, events 1
        audit of sari: user.registered 203.0.113.0/24 {"roles":["customer"]}
        "#);
    }

    #[test]
    fn an_address_has_one_account_however_it_is_written() {
        let given = Given::nothing();
        register(&given, "sari@example.com");
        given.events();
        assert_eq!(register(&given, " SARI@example.COM"), Outcome::EmailTaken);
        assert_eq!(given.events(), "");
    }
}

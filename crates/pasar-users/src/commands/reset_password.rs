//! Sets a password from the command line of the machine. All of the person's sessions end.

use pasar_contracts::{
    api::users::{AuditAction, AuditDetails},
    events::users::{SessionEnd, UserPasswordChanged},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::UserId;

use crate::{
    commands::ending,
    source::Origin,
    tables::{
        audit,
        users::{self, UserRow},
    },
};

#[derive(Clone)]
pub(crate) struct ResetPassword {
    /// Normalised.
    pub(crate) email: String,
    pub(crate) new_hash: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Reset(UserId),
    Unknown,
}

pub(crate) fn reset_password(
    ctx: &mut Context<'_>,
    command: &ResetPassword,
) -> Result<Outcome, Fault> {
    let Some(user) = users::find_by_email(ctx, &command.email)? else {
        return Ok(Outcome::Unknown);
    };
    let user = UserRow {
        password_hash: Some(command.new_hash.clone()),
        ..user
    };
    users::update(ctx, &user)?;
    let nowhere = Origin::default();
    ending::end_sessions(ctx, user.id, None, SessionEnd::PasswordChanged, &nowhere)?;
    users::emit(ctx, user.id, &UserPasswordChanged { user_id: user.id })?;
    let action = AuditAction::PasswordReset;
    audit::record(
        ctx,
        action,
        Some(user.id),
        &nowhere,
        AuditDetails::default(),
    )?;
    Ok(Outcome::Reset(user.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::Given;

    fn reset(given: &Given, email: &str) -> Outcome {
        let command = ResetPassword {
            email: email.to_owned(),
            new_hash: "$new".to_owned(),
        };
        given.run(move |ctx| reset_password(ctx, &command))
    }

    #[test]
    fn a_reset_ends_every_session() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.logged_in(sari);
        given.logged_in(sari);
        given.events();
        assert_eq!(reset(&given, "sari@example.com"), Outcome::Reset(sari));
        insta::assert_snapshot!(given.events(), @r#"
        sari v4 session.ended.v1 {"user_id":"sari","session_id":"session 1","reason":"password_changed"}
        sari v5 session.ended.v1 {"user_id":"sari","session_id":"session 2","reason":"password_changed"}
        sari v6 user.password_changed.v1 {"user_id":"sari"}
        "#);
    }

    #[test]
    fn an_unknown_address_has_nothing_to_reset() {
        assert_eq!(
            reset(&Given::nothing(), "nobody@example.com"),
            Outcome::Unknown
        );
    }
}

//! Replaces a password whose holder has just shown that they know it. All their other sessions end.

use pasar_contracts::{
    api::users::{AuditAction, AuditDetails},
    events::users::{SessionEnd, UserPasswordChanged},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{SessionId, UserId};

use crate::{
    commands::ending,
    source::Origin,
    tables::{
        audit,
        users::{self, UserRow},
    },
};

#[derive(Clone)]
pub(crate) struct ChangePassword {
    pub(crate) user: UserId,
    /// The hash that the current password was checked against.
    pub(crate) checked_hash: String,
    pub(crate) new_hash: String,
    /// The session that asks, which goes on.
    pub(crate) session: Option<SessionId>,
    pub(crate) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Changed,
    /// The account is not as it was when the password was checked.
    Outdated,
}

pub(crate) fn change_password(
    ctx: &mut Context<'_>,
    command: &ChangePassword,
) -> Result<Outcome, Fault> {
    let unchanged = |user: &UserRow| user.password_hash.as_ref() == Some(&command.checked_hash);
    let Some(user) = users::find(ctx, command.user)?.filter(unchanged) else {
        return Ok(Outcome::Outdated);
    };
    let user = UserRow {
        password_hash: Some(command.new_hash.clone()),
        ..user
    };
    users::update(ctx, &user)?;
    let reason = SessionEnd::PasswordChanged;
    ending::end_sessions(ctx, user.id, command.session, reason, &command.origin)?;
    users::emit(ctx, user.id, &UserPasswordChanged { user_id: user.id })?;
    let action = AuditAction::PasswordChanged;
    audit::record(
        ctx,
        action,
        Some(user.id),
        &command.origin,
        AuditDetails::default(),
    )?;
    Ok(Outcome::Changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    fn change(given: &Given, user: UserId, checked: &str, session: Option<SessionId>) -> Outcome {
        let command = ChangePassword {
            user,
            checked_hash: checked.to_owned(),
            new_hash: "$new".to_owned(),
            session,
            origin: given::origin(),
        };
        given.run(move |ctx| change_password(ctx, &command))
    }

    #[test]
    fn a_changed_password_ends_all_sessions_but_the_one_that_asked() {
        let given = Given::nothing();
        let (sari, budi) = (given.registered("sari"), given.registered("budi"));
        let (asking, _other) = (given.logged_in(sari), given.logged_in(sari));
        given.logged_in(budi);
        given.events();
        assert_eq!(
            change(&given, sari, given::HASH, Some(asking.session)),
            Outcome::Changed
        );
        insta::assert_snapshot!(given.events(), @r#"
        sari v4 session.ended.v1 {"user_id":"sari","session_id":"session 2","reason":"password_changed"}
        sari v5 user.password_changed.v1 {"user_id":"sari"}
        "#);
        insta::assert_snapshot!(given.rows(), @r#"
        sari: sari@example.com, Sari, ["customer"], $new, version 2, events 5
        budi: budi@example.com, Sari, ["customer"], $argon2id$sari, version 1, events 2
        session 1 of sari: generation 0, 203.0.113.0/24, Mozilla/5.0, 0 used
        session 2 of sari: generation 0, 203.0.113.0/24, Mozilla/5.0, ended: password_changed, 0 used
        session 3 of budi: generation 0, 203.0.113.0/24, Mozilla/5.0, 0 used
        audit of sari: user.registered 203.0.113.0/24 {"roles":["customer"]}
        audit of budi: user.registered 203.0.113.0/24 {"roles":["customer"]}
        audit of sari: login.succeeded 203.0.113.0/24 {"session_id":"session 1"}
        audit of sari: login.succeeded 203.0.113.0/24 {"session_id":"session 2"}
        audit of budi: login.succeeded 203.0.113.0/24 {"session_id":"session 3"}
        audit of sari: password.changed 203.0.113.0/24 {}
        audit of sari: session.ended 203.0.113.0/24 {"session_id":"session 2","reason":"password_changed"}
        "#);
    }

    #[test]
    fn of_two_changes_at_the_same_time_one_is_made() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        assert_eq!(change(&given, sari, given::HASH, None), Outcome::Changed);
        assert_eq!(change(&given, sari, given::HASH, None), Outcome::Outdated);
    }
}

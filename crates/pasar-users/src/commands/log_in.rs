//! Begins a session for somebody whose password was right a moment ago.

use pasar_contracts::{
    api::users::{AuditAction, AuditDetails, Role},
    events::users::{SessionEnd, SessionStarted},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{SessionId, UserId};

use crate::{
    commands::ending,
    config::SessionLives,
    refresh_token::RefreshToken,
    source::Origin,
    tables::{
        audit,
        sessions::{self, NewSession},
        users::{self, UserRow},
    },
};

/// Sessions that a user may have at the same time; one more ends the oldest.
pub(crate) const MOST_SESSIONS: usize = 100;

#[derive(Clone)]
pub(crate) struct LogIn {
    pub(crate) user: UserId,
    /// The hash that the password was checked against.
    pub(crate) checked_hash: String,
    /// The password's hash with the parameters of now, where the old one's were others.
    pub(crate) rehashed: Option<String>,
    pub(crate) lives: SessionLives,
    pub(crate) origin: Origin,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    LoggedIn {
        session: SessionId,
        roles: Vec<Role>,
        token: RefreshToken,
    },
    /// The account is not as it was when the password was checked.
    Outdated,
}

pub(crate) fn log_in(ctx: &mut Context<'_>, command: &LogIn) -> Result<Outcome, Fault> {
    let unchanged = |user: &UserRow| user.password_hash.as_ref() == Some(&command.checked_hash);
    let Some(user) = users::find(ctx, command.user)?.filter(unchanged) else {
        return Ok(Outcome::Outdated);
    };
    if let Some(rehashed) = &command.rehashed {
        let password_hash = Some(rehashed.clone());
        users::update(
            ctx,
            &UserRow {
                password_hash,
                ..user.clone()
            },
        )?;
    }
    let running = sessions::not_ended(ctx, user.id)?;
    let too_many = (running.len() + 1).saturating_sub(MOST_SESSIONS);
    for session in &running[..too_many] {
        ending::end_session(
            ctx,
            user.id,
            *session,
            SessionEnd::Displaced,
            &command.origin,
        )?;
    }
    let session = ctx.new_id();
    let token = RefreshToken::first(session, ctx.random_bytes());
    let lives = command.lives;
    let new = NewSession {
        id: session,
        user_id: user.id,
        token_hash: token.hash(),
        expires_at: ctx.now() + lives.idle.min(lives.longest),
        origin: &command.origin,
    };
    sessions::insert(ctx, &new)?;
    users::emit(
        ctx,
        user.id,
        &SessionStarted {
            user_id: user.id,
            session_id: session,
        },
    )?;
    let details = AuditDetails {
        session_id: Some(session),
        ..AuditDetails::default()
    };
    audit::record(
        ctx,
        AuditAction::LoginSucceeded,
        Some(user.id),
        &command.origin,
        details,
    )?;
    Ok(Outcome::LoggedIn {
        session,
        roles: user.roles,
        token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    fn log_in(given: &Given, user: UserId, checked: &str, rehashed: Option<&str>) -> Outcome {
        let command = LogIn {
            user,
            checked_hash: checked.to_owned(),
            rehashed: rehashed.map(str::to_owned),
            lives: given::lives(),
            origin: given::origin(),
        };
        given.run(move |ctx| super::log_in(ctx, &command))
    }

    #[test]
    fn a_login_begins_a_session() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.events();
        let Outcome::LoggedIn {
            session,
            roles,
            token,
        } = log_in(&given, sari, given::HASH, None)
        else {
            panic!("the password was right");
        };
        given.call(session, "session");
        assert_eq!(roles, [Role::Customer]);
        assert_eq!((token.session, token.generation), (session, 0));
        insta::assert_snapshot!(given.events(), @r#"sari v2 session.started.v1 {"user_id":"sari","session_id":"session"}"#);
        insta::assert_snapshot!(given.rows(), @r#"
        sari: sari@example.com, Sari, ["customer"], $argon2id$sari, version 1, events 2
        session of sari: generation 0, 203.0.113.0/24, Mozilla/5.0, 0 used
        audit of sari: login.succeeded 203.0.113.0/24 {"session_id":"session"}
        audit of sari: user.registered 203.0.113.0/24 {"roles":["customer"]}
        "#);
    }

    #[test]
    fn a_password_that_was_changed_meanwhile_does_not_log_in() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.events();
        assert!(log_in(&given, sari, "$another", None) == Outcome::Outdated);
        assert_eq!(given.events(), "");
    }

    #[test]
    fn a_hash_of_old_parameters_is_replaced() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        log_in(&given, sari, given::HASH, Some("$stronger"));
        assert!(log_in(&given, sari, given::HASH, None) == Outcome::Outdated);
        assert!(log_in(&given, sari, "$stronger", None) != Outcome::Outdated);
    }

    #[test]
    fn one_session_too_many_ends_the_oldest() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        for number in 0..=MOST_SESSIONS {
            given.clock.advance(std::time::Duration::from_millis(1));
            let Outcome::LoggedIn { session, .. } = log_in(&given, sari, given::HASH, None) else {
                panic!("the password was right");
            };
            given.call(session, &format!("session {number}"));
        }
        let ended: Vec<_> = given
            .events()
            .lines()
            .filter(|event| event.contains("ended"))
            .map(str::to_owned)
            .collect();
        insta::assert_snapshot!(ended.join("\n"), @r#"sari v102 session.ended.v1 {"user_id":"sari","session_id":"session 0","reason":"displaced"}"#);
    }
}

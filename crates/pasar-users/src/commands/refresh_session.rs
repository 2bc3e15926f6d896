//! Exchanges a refresh token for its successor.
//!
//! A token has exactly one successor. Within the grace a used token gets it again: tabs refresh at the
//! same time, answers get lost. After the grace, whoever still holds a used token has copied it, or the
//! other has: the session ends for both.

use std::cmp::Ordering;

use pasar_contracts::{api::users::Role, events::users::SessionEnd};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{SessionId, UserId};

use crate::{
    commands::ending,
    config::SessionLives,
    refresh_token::RefreshToken,
    source::Origin,
    tables::{
        sessions::{self, SessionRow},
        users,
    },
};

#[derive(Clone)]
pub(crate) struct RefreshSession {
    pub(crate) presented: RefreshToken,
    /// What follows from it.
    pub(crate) successor: RefreshToken,
    pub(crate) lives: SessionLives,
    pub(crate) origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The successor is valid now, or was made so a moment ago.
    Refreshed {
        user: UserId,
        session: SessionId,
        roles: Vec<Role>,
    },
    /// It was used before, too long ago. The session has ended.
    Reused,
    /// There is no such session, it is over, or it does not know the token.
    Invalid,
}

pub(crate) fn refresh_session(
    ctx: &mut Context<'_>,
    command: &RefreshSession,
) -> Result<Outcome, Fault> {
    let RefreshSession {
        presented, lives, ..
    } = command;
    let live = |session: &SessionRow| session.is_live(ctx.now());
    let Some(session) = sessions::find(ctx, presented.session)?.filter(live) else {
        return Ok(Outcome::Invalid);
    };
    let Some(user) = users::find(ctx, session.user_id)? else {
        return Ok(Outcome::Invalid);
    };
    match presented.generation.cmp(&session.generation) {
        Ordering::Equal if presented.hash() == session.token_hash => {
            rotate(ctx, command, &session)?;
        }
        // Its tag is right, yet it is unknown: the database is older than the token, a restored one.
        Ordering::Equal | Ordering::Greater => return Ok(Outcome::Invalid),
        Ordering::Less => {
            let used = sessions::superseded_at(ctx, session.id, presented.generation)?;
            if used.is_none_or(|used| used + lives.grace < ctx.now()) {
                let reason = SessionEnd::RefreshTokenReused;
                ending::end_session(ctx, user.id, session.id, reason, &command.origin)?;
                return Ok(Outcome::Reused);
            }
        }
    }
    Ok(Outcome::Refreshed {
        user: user.id,
        session: session.id,
        roles: user.roles,
    })
}

fn rotate(ctx: &Context<'_>, command: &RefreshSession, session: &SessionRow) -> Result<(), Fault> {
    let lives = command.lives;
    let expires_at = (ctx.now() + lives.idle).min(session.started_at + lives.longest);
    sessions::supersede(ctx, session, ctx.now() - lives.grace)?;
    sessions::rotate(ctx, session, &command.successor.hash(), expires_at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::given::{self, Given, LoggedIn};

    const GRACE: Duration = Duration::from_secs(30);

    fn refresh(given: &Given, presented: &RefreshToken) -> Outcome {
        let command = RefreshSession {
            presented: presented.clone(),
            successor: given.successor(presented),
            lives: given::lives(),
            origin: given::origin(),
        };
        given.run(move |ctx| refresh_session(ctx, &command))
    }

    fn logged_in() -> (Given, LoggedIn) {
        let given = Given::nothing();
        let sari = given.registered("sari");
        let login = given.logged_in(sari);
        given.events();
        (given, login)
    }

    #[test]
    fn a_token_is_exchanged_for_its_successor_which_is_good_for_the_next() {
        let (given, login) = logged_in();
        let mut token = login.token;
        for _ in 0..5 {
            given.clock.advance(Duration::from_secs(600));
            assert!(matches!(refresh(&given, &token), Outcome::Refreshed { .. }));
            token = given.successor(&token);
        }
        assert_eq!(given.events(), "");
        insta::assert_snapshot!(given.rows(), @r#"
        sari: sari@example.com, Sari, ["customer"], $argon2id$sari, version 1, events 2
        session 1 of sari: generation 5, 203.0.113.0/24, Mozilla/5.0, 1 used
        audit of sari: user.registered 203.0.113.0/24 {"roles":["customer"]}
        audit of sari: login.succeeded 203.0.113.0/24 {"session_id":"session 1"}
        "#);
    }

    #[test]
    fn within_the_grace_a_used_token_gets_its_successor_again() {
        let (given, login) = logged_in();
        let first = refresh(&given, &login.token);
        given.clock.advance(GRACE);
        assert_eq!(refresh(&given, &login.token), first);
        assert!(matches!(
            refresh(&given, &given.successor(&login.token)),
            Outcome::Refreshed { .. }
        ));
    }

    #[test]
    fn the_grace_holds_although_the_successor_was_used_meanwhile() {
        let (given, login) = logged_in();
        refresh(&given, &login.token);
        refresh(&given, &given.successor(&login.token));
        given.clock.advance(GRACE);
        assert!(matches!(
            refresh(&given, &login.token),
            Outcome::Refreshed { .. }
        ));
    }

    #[test]
    fn after_the_grace_a_used_token_ends_the_session() {
        let (given, login) = logged_in();
        let successor = given.successor(&login.token);
        refresh(&given, &login.token);
        given.clock.advance(GRACE + Duration::from_micros(1));
        assert_eq!(refresh(&given, &login.token), Outcome::Reused);
        insta::assert_snapshot!(given.events(), @r#"sari v3 session.ended.v1 {"user_id":"sari","session_id":"session 1","reason":"refresh_token_reused"}"#);
        assert_eq!(refresh(&given, &successor), Outcome::Invalid);
        assert_eq!(refresh(&given, &login.token), Outcome::Invalid);
        assert_eq!(given.events(), "");
    }

    #[test]
    fn a_token_from_long_ago_ends_the_session_although_nothing_was_kept_of_it() {
        let (given, login) = logged_in();
        let mut token = login.token.clone();
        for _ in 0..10 {
            refresh(&given, &token);
            token = given.successor(&token);
            given.clock.advance(GRACE + Duration::from_secs(1));
        }
        assert_eq!(refresh(&given, &login.token), Outcome::Reused);
    }

    #[test]
    fn a_session_ends_when_it_is_not_refreshed_and_at_the_end_of_its_longest_life() {
        let (given, login) = logged_in();
        given.clock.advance(given::lives().idle);
        assert_eq!(refresh(&given, &login.token), Outcome::Invalid);

        let (given, login) = logged_in();
        let mut token = login.token;
        let mut refreshed = 0;
        while matches!(refresh(&given, &token), Outcome::Refreshed { .. }) {
            token = given.successor(&token);
            refreshed += 1;
            given.clock.advance(given::lives().idle / 2);
        }
        assert_eq!(refreshed, 12, "180 days, every 15 days");
    }

    #[test]
    fn a_token_that_a_restored_database_does_not_know_is_invalid_and_ends_nothing() {
        let (given, login) = logged_in();
        let ahead = given.successor(&given.successor(&login.token));
        assert_eq!(refresh(&given, &ahead), Outcome::Invalid);
        let other = RefreshToken::first(login.session, [9; 32]);
        assert_eq!(refresh(&given, &other), Outcome::Invalid);
        assert!(matches!(
            refresh(&given, &login.token),
            Outcome::Refreshed { .. }
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Whatever is presented, and when: a session has one line of tokens, and a used one is taken
        /// within its grace only.
        #[test]
        fn any_use_of_tokens_leaves_one_line_of_successors(
            steps in prop::collection::vec((0_u32..4, 0_u64..45), 1..25),
        ) {
            let (given, login) = logged_in();
            let mut line = vec![(login.token, None)];
            let mut ended = false;
            for (back, seconds) in steps {
                given.clock.advance(Duration::from_secs(seconds));
                let now = given.now();
                let at = line.len().saturating_sub(1 + back as usize);
                let (token, used) = line[at].clone();
                let outcome = refresh(&given, &token);
                match used {
                    _ if ended => prop_assert_eq!(outcome, Outcome::Invalid),
                    None => {
                        let refreshed = matches!(outcome, Outcome::Refreshed { .. });
                        prop_assert!(refreshed);
                        line[at].1 = Some(now);
                        line.push((given.successor(&token), None));
                    }
                    Some(used) if now <= used + GRACE => {
                        let refreshed = matches!(outcome, Outcome::Refreshed { .. });
                        prop_assert!(refreshed);
                    }
                    Some(_) => {
                        prop_assert_eq!(outcome, Outcome::Reused);
                        ended = true;
                    }
                }
            }
        }
    }
}

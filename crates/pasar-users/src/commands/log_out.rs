//! Ends the session of a refresh token, whichever of its tokens it is.

use pasar_contracts::events::users::SessionEnd;
use pasar_store::{context::Context, fault::Fault};

use crate::{commands::ending, refresh_token::RefreshToken, source::Origin, tables::sessions};

#[derive(Clone)]
pub(crate) struct LogOut {
    pub(crate) token: RefreshToken,
    pub(crate) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    LoggedOut,
    /// It had ended, or there is no such session (any more).
    Ended,
}

pub(crate) fn log_out(ctx: &mut Context<'_>, command: &LogOut) -> Result<Outcome, Fault> {
    let Some(session) = sessions::find(ctx, command.token.session)? else {
        return Ok(Outcome::Ended);
    };
    let reason = SessionEnd::LoggedOut;
    let ended = ending::end_session(ctx, session.user_id, session.id, reason, &command.origin)?;
    Ok(if ended {
        Outcome::LoggedOut
    } else {
        Outcome::Ended
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    #[test]
    fn a_logout_ends_the_session_once() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        let login = given.logged_in(sari);
        given.events();
        let end = |token: &RefreshToken| {
            let command = LogOut {
                token: token.clone(),
                origin: given::origin(),
            };
            given.run(move |ctx| log_out(ctx, &command))
        };
        assert_eq!(end(&login.token), Outcome::LoggedOut);
        insta::assert_snapshot!(given.events(), @r#"sari v3 session.ended.v1 {"user_id":"sari","session_id":"session 1","reason":"logged_out"}"#);
        assert_eq!(end(&given.successor(&login.token)), Outcome::Ended);
        assert_eq!(given.events(), "");
    }
}

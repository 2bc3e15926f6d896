//! Ends one session from another, or as an admin.

use pasar_contracts::events::users::SessionEnd;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{SessionId, UserId};

use crate::{commands::ending, source::Origin, tables::sessions};

#[derive(Clone, Debug)]
pub(crate) struct EndSession {
    pub(crate) session: SessionId,
    /// Whose it must be; anybody's if absent.
    pub(crate) owner: Option<UserId>,
    pub(crate) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ended,
    HadEnded,
    Unknown,
}

pub(crate) fn end_session(ctx: &mut Context<'_>, command: &EndSession) -> Result<Outcome, Fault> {
    let EndSession {
        session,
        owner,
        origin,
    } = command;
    let Some(session) = sessions::find(ctx, *session)? else {
        return Ok(Outcome::Unknown);
    };
    if owner.is_some_and(|owner| owner != session.user_id) {
        return Ok(Outcome::Unknown);
    }
    let reason = SessionEnd::Revoked;
    let ended = ending::end_session(ctx, session.user_id, session.id, reason, origin)?;
    Ok(if ended {
        Outcome::Ended
    } else {
        Outcome::HadEnded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    #[test]
    fn a_session_is_ended_by_its_owner_or_an_admin_and_hidden_from_others() {
        let given = Given::nothing();
        let (sari, budi) = (given.registered("sari"), given.registered("budi"));
        let (first, second) = (given.logged_in(sari), given.logged_in(sari));
        given.events();
        let end = |session, owner| {
            let command = EndSession {
                session,
                owner,
                origin: given::origin(),
            };
            given.run(move |ctx| end_session(ctx, &command))
        };
        assert_eq!(end(first.session, Some(budi)), Outcome::Unknown);
        assert_eq!(
            end(SessionId::from_bytes([9; 16]), Some(sari)),
            Outcome::Unknown
        );
        assert_eq!(given.events(), "");
        assert_eq!(end(first.session, Some(sari)), Outcome::Ended);
        assert_eq!(end(first.session, Some(sari)), Outcome::HadEnded);
        assert_eq!(end(second.session, None), Outcome::Ended);
        insta::assert_snapshot!(given.events(), @r#"
        sari v4 session.ended.v1 {"user_id":"sari","session_id":"session 1","reason":"revoked"}
        sari v5 session.ended.v1 {"user_id":"sari","session_id":"session 2","reason":"revoked"}
        "#);
    }
}

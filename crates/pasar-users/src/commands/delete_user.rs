//! Deletes a person's data at their own wish. The id stays, for what they ordered stays.

use std::time::Duration;

use pasar_contracts::{
    api::users::{AuditAction, AuditDetails},
    events::users::{SessionEnd, UserDeleted},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{SessionId, UserId};

use crate::{
    commands::{change_roles, ending},
    source::Origin,
    tables::{
        api_keys, audit,
        sessions::{self, SessionRow},
        users::{self, UserRow},
    },
};

/// A login is proof that it is them for so long: what cannot be undone is not left to a token.
pub(crate) const LOGIN_PROVES_FOR: Duration = Duration::from_secs(15 * 60);

#[derive(Clone, Debug)]
pub(crate) struct DeleteUser {
    pub(crate) user: UserId,
    /// The session that asks.
    pub(crate) session: SessionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Deleted,
    LastAdmin,
    /// The session was not begun just now.
    LoginTooOld,
    Unknown,
}

pub(crate) fn delete_user(ctx: &mut Context<'_>, command: &DeleteUser) -> Result<Outcome, Fault> {
    let Some(user) = users::find(ctx, command.user)? else {
        return Ok(Outcome::Unknown);
    };
    let proof = |session: &SessionRow| {
        session.user_id == user.id
            && session.is_live(ctx.now())
            && ctx.now().since(session.started_at) <= LOGIN_PROVES_FOR
    };
    if !sessions::find(ctx, command.session)?.is_some_and(|session| proof(&session)) {
        return Ok(Outcome::LoginTooOld);
    }
    if change_roles::is_last_admin(ctx, &user)? {
        return Ok(Outcome::LastAdmin);
    }
    delete(ctx, user)?;
    Ok(Outcome::Deleted)
}

fn delete(ctx: &mut Context<'_>, user: UserRow) -> Result<(), Fault> {
    let nowhere = Origin::default();
    let id = user.id;
    ending::end_sessions(ctx, id, None, SessionEnd::UserDeleted, &nowhere)?;
    for key in api_keys::not_revoked(ctx, id)? {
        ending::revoke_key(ctx, id, key, &nowhere)?;
    }
    let anonymous = UserRow {
        email: None,
        name: "deleted".to_owned(),
        password_hash: None,
        roles: Vec::new(),
        deleted_at: Some(ctx.now()),
        ..user
    };
    users::update(ctx, &anonymous)?;
    sessions::scrub(ctx, id)?;
    api_keys::scrub(ctx, id)?;
    audit::scrub(ctx, id)?;
    users::emit(ctx, id, &UserDeleted { user_id: id })?;
    audit::record(
        ctx,
        AuditAction::UserDeleted,
        Some(id),
        &nowhere,
        AuditDetails::default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::Given;

    fn delete(given: &Given, user: UserId, session: SessionId) -> Outcome {
        given.run(move |ctx| delete_user(ctx, &DeleteUser { user, session }))
    }

    #[test]
    fn a_deleted_person_leaves_an_id_and_nothing_else() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.key(sari, "till 2");
        given.logged_in(sari);
        let login = given.logged_in(sari);
        given.events();
        assert_eq!(delete(&given, sari, login.session), Outcome::Deleted);
        insta::assert_snapshot!(given.events(), @r#"
        sari v5 session.ended.v1 {"user_id":"sari","session_id":"session 1","reason":"user_deleted"}
        sari v6 session.ended.v1 {"user_id":"sari","session_id":"session 2","reason":"user_deleted"}
        sari v7 api_key.revoked.v1 {"user_id":"sari","api_key_id":"key till 2"}
        sari v8 user.deleted.v1 {"user_id":"sari"}
        "#);
        insta::assert_snapshot!(given.rows(), @r#"
        sari: -, deleted, [], deleted, no password, version 2, events 8
        session 1 of sari: generation 0, ended: user_deleted, 0 used
        session 2 of sari: generation 0, ended: user_deleted, 0 used
        key till 2 of sari: deleted, ["customer"], [], revoked
        audit of sari: user.registered nowhere {"roles":["customer"]}
        audit of sari: api_key.created nowhere {"api_key_id":"key till 2","roles":["customer"]}
        audit of sari: login.succeeded nowhere {"session_id":"session 1"}
        audit of sari: api_key.revoked nowhere {"api_key_id":"key till 2"}
        audit of sari: login.succeeded nowhere {"session_id":"session 2"}
        audit of sari: session.ended nowhere {"session_id":"session 1","reason":"user_deleted"}
        audit of sari: session.ended nowhere {"session_id":"session 2","reason":"user_deleted"}
        audit of sari: user.deleted nowhere {}
        "#);
        let dump = given.dump();
        for trace in ["sari@", "Sari", "till 2", "203.0.113", "Mozilla", "argon2"] {
            assert!(!dump.contains(trace), "{trace} is left in {dump}");
        }
        assert_eq!(delete(&given, sari, login.session), Outcome::Unknown);
        assert_ne!(given.registered("sari"), sari, "the address is free again");
    }

    #[test]
    fn it_takes_a_login_of_just_now_and_ones_own() {
        let given = Given::nothing();
        let (sari, budi) = (given.registered("sari"), given.registered("budi"));
        let (old, others) = (given.logged_in(sari), given.logged_in(budi));
        assert_eq!(delete(&given, sari, others.session), Outcome::LoginTooOld);
        given
            .clock
            .advance(LOGIN_PROVES_FOR + Duration::from_micros(1));
        assert_eq!(delete(&given, sari, old.session), Outcome::LoginTooOld);
        let new = given.logged_in(sari);
        assert_eq!(delete(&given, sari, new.session), Outcome::Deleted);
    }

    #[test]
    fn the_last_admin_cannot_go() {
        let given = Given::nothing();
        let ani = given.admin("ani");
        let login = given.logged_in(ani);
        assert_eq!(delete(&given, ani, login.session), Outcome::LastAdmin);
        given.admin("budi");
        assert_eq!(delete(&given, ani, login.session), Outcome::Deleted);
    }
}

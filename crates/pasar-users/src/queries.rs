//! What is read and shown. Never emits, and reads bounded stretches only.

use pasar_contracts::api::users::{
    ApiKey, AuditEntry, Role, Session, SessionStatus, User, UserExport,
};
use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::{
    id::{ApiKeyId, AuditEntryId, SessionId, UserId},
    time::Timestamp,
};

use crate::tables::{
    api_keys::{self, ApiKeyRow},
    audit,
    sessions::{self, SessionRow},
    users::{self, UserRow},
};

/// Rows of each kind that an export holds at most.
const MOST_EXPORTED: i64 = 10_000;

/// A stretch of a list, newest first: what comes after this id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch<I> {
    pub(crate) after: Option<I>,
    pub(crate) limit: usize,
}

/// An account as somebody tries to log in to it.
#[derive(Clone, Debug)]
pub(crate) struct LoginView {
    pub(crate) user: UserId,
    pub(crate) password_hash: Option<String>,
    /// Its owner has logged in from this network before.
    pub(crate) known_source: bool,
}

pub(crate) fn user(tx: &Tx<'_>, id: UserId) -> Result<Option<UserRow>, Fault> {
    users::find(tx, id)
}

/// The account of a normalised address, seen from a network.
pub(crate) fn login_view(
    tx: &Tx<'_>,
    email: &str,
    source: Option<&str>,
) -> Result<Option<LoginView>, Fault> {
    let Some(user) = users::find_by_email(tx, email)? else {
        return Ok(None);
    };
    let known_source = match source {
        Some(source) => sessions::knows_source(tx, user.id, source)?,
        None => false,
    };
    Ok(Some(LoginView {
        user: user.id,
        password_hash: user.password_hash,
        known_source,
    }))
}

/// Users whose address or name has this part, and who have this role.
pub(crate) fn users(
    tx: &Tx<'_>,
    part: Option<&str>,
    role: Option<Role>,
    stretch: Stretch<UserId>,
) -> Result<Vec<User>, Fault> {
    let part = part.map_or("%".to_owned(), |part| {
        format!("%{}%", escape(&part.to_lowercase()))
    });
    let role = role.map_or("%".to_owned(), |role| format!("%\"{}\"%", role.as_str()));
    tx.query_all(
        "SELECT id, email, machine, name, password_hash, roles, created_at, updated_at, deleted_at,
                version
         FROM users
         WHERE id < ?1 AND deleted_at IS NULL AND roles LIKE ?3
           AND (lower(coalesce(email, '')) LIKE ?2 ESCAPE '\\' OR lower(name) LIKE ?2 ESCAPE '\\')
         ORDER BY id DESC LIMIT ?4",
        &[
            &before(stretch.after.as_ref().map(UserId::as_bytes)),
            &part,
            &role,
            &rows(stretch.limit),
        ],
        |row| users::read(row).map(UserRow::into_user),
    )
}

/// The sessions of a user that are live.
pub(crate) fn sessions(
    tx: &Tx<'_>,
    user: UserId,
    current: Option<SessionId>,
    now: Timestamp,
    stretch: Stretch<SessionId>,
) -> Result<Vec<Session>, Fault> {
    tx.query_all(
        "SELECT id, user_id, generation, token_hash, started_at, last_refreshed_at, expires_at, source,
                user_agent, ended IS NOT NULL
         FROM sessions WHERE user_id = ?1 AND id < ?2 AND ended IS NULL AND expires_at > ?3
         ORDER BY id DESC LIMIT ?4",
        &[
            &user,
            &before(stretch.after.as_ref().map(SessionId::as_bytes)),
            &now,
            &rows(stretch.limit),
        ],
        |row| sessions::read(row).map(|row| session(row, current)),
    )
}

pub(crate) fn session_status(
    tx: &Tx<'_>,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<SessionStatus>, Fault> {
    let Some(session) = sessions::find(tx, id)? else {
        return Ok(None);
    };
    let owner = users::find(tx, session.user_id)?;
    Ok(Some(SessionStatus {
        session_id: session.id,
        user_id: session.user_id,
        live: session.is_live(now) && owner.is_some(),
        roles: owner.map(|owner| owner.roles).unwrap_or_default(),
    }))
}

/// The keys of a user, the revoked ones too.
pub(crate) fn api_keys(
    tx: &Tx<'_>,
    user: UserId,
    stretch: Stretch<ApiKeyId>,
) -> Result<Vec<ApiKey>, Fault> {
    tx.query_all(
        "SELECT id, user_id, name, secret_hash, roles, scopes, rate_limit, made_by, created_at,
                last_used_at, revoked_at
         FROM api_keys WHERE user_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
        &[
            &user,
            &before(stretch.after.as_ref().map(ApiKeyId::as_bytes)),
            &rows(stretch.limit),
        ],
        |row| api_keys::read(row).map(ApiKeyRow::into_api_key),
    )
}

pub(crate) fn api_key(tx: &Tx<'_>, id: ApiKeyId) -> Result<Option<ApiKey>, Fault> {
    Ok(api_keys::find(tx, id)?.map(ApiKeyRow::into_api_key))
}

/// A key and its owner, unless one of them is gone.
pub(crate) fn key_holder(tx: &Tx<'_>, id: ApiKeyId) -> Result<Option<(ApiKeyRow, UserRow)>, Fault> {
    let Some(key) = api_keys::find(tx, id)?.filter(|key| key.revoked_at.is_none()) else {
        return Ok(None);
    };
    Ok(users::find(tx, key.user_id)?.map(|owner| (key, owner)))
}

/// The audit trail, or what of it is about one user.
pub(crate) fn audit(
    tx: &Tx<'_>,
    user: Option<UserId>,
    stretch: Stretch<AuditEntryId>,
) -> Result<Vec<AuditEntry>, Fault> {
    let before = before(stretch.after.as_ref().map(AuditEntryId::as_bytes));
    let limit = rows(stretch.limit);
    match user {
        Some(user) => tx.query_all(
            "SELECT id, at, actor, action, user_id, source, details FROM audit
             WHERE user_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
            &[&user, &before, &limit],
            audit::read,
        ),
        None => tx.query_all(
            "SELECT id, at, actor, action, user_id, source, details FROM audit
             WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
            &[&before, &limit],
            audit::read,
        ),
    }
}

/// All that is kept about a user; sessions that have ended, too.
pub(crate) fn export(
    tx: &Tx<'_>,
    user: UserId,
    current: Option<SessionId>,
    now: Timestamp,
) -> Result<Option<UserExport>, Fault> {
    let Some(row) = users::find(tx, user)? else {
        return Ok(None);
    };
    let sessions = tx.query_all(
        "SELECT id, user_id, generation, token_hash, started_at, last_refreshed_at, expires_at, source,
                user_agent, ended IS NOT NULL
         FROM sessions WHERE user_id = ?1 ORDER BY id DESC LIMIT ?2",
        &[&user, &MOST_EXPORTED],
        |row| sessions::read(row).map(|row| session(row, current)),
    )?;
    let most = usize::try_from(MOST_EXPORTED).unwrap_or(usize::MAX);
    Ok(Some(UserExport {
        exported_at: now,
        user: row.into_user(),
        sessions,
        api_keys: api_keys(
            tx,
            user,
            Stretch {
                after: None,
                limit: most,
            },
        )?,
        audit: audit(
            tx,
            Some(user),
            Stretch {
                after: None,
                limit: most,
            },
        )?,
    }))
}

fn session(row: SessionRow, current: Option<SessionId>) -> Session {
    Session {
        current: current == Some(row.id),
        id: row.id,
        user_id: row.user_id,
        started_at: row.started_at,
        last_refreshed_at: row.last_refreshed_at,
        expires_at: row.expires_at,
        source: row.source,
        user_agent: row.user_agent,
    }
}

/// Where a list begins that has not begun: after all ids.
fn before(after: Option<&[u8; 16]>) -> [u8; 16] {
    after.copied().unwrap_or([0xff; 16])
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// What stands for itself in LIKE with `\` as its escape.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::Given;

    fn all<I>() -> Stretch<I> {
        Stretch {
            after: None,
            limit: 100,
        }
    }

    fn names(given: &Given, part: Option<&str>, role: Option<Role>) -> String {
        let found = given
            .store
            .read_now(|tx| users(tx, part, role, all()))
            .unwrap();
        let names = found
            .into_iter()
            .map(|user| user.email.unwrap_or(user.name));
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn users_are_found_by_part_of_their_address_or_name_and_by_role() {
        let given = Given::nothing();
        given.registered("sari");
        given.admin("ani_50%");
        given.machine("Robot", &[Role::Kiosk]);
        assert_eq!(
            names(&given, None, None),
            "Robot ani_50%@example.com sari@example.com"
        );
        assert_eq!(names(&given, Some("ROB"), None), "Robot");
        assert_eq!(names(&given, Some("sari@"), None), "sari@example.com");
        assert_eq!(names(&given, Some("i_5"), None), "ani_50%@example.com");
        assert_eq!(names(&given, Some("0%"), None), "ani_50%@example.com");
        assert_eq!(names(&given, Some("s%r"), None), "");
        assert_eq!(names(&given, Some("\\"), None), "");
        assert_eq!(
            names(&given, None, Some(Role::Admin)),
            "ani_50%@example.com"
        );
    }

    #[test]
    fn a_list_goes_on_after_its_last_row() {
        let given = Given::nothing();
        let all: Vec<UserId> = ["a", "b", "c"]
            .into_iter()
            .map(|name| given.registered(name))
            .collect();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let stretch = Stretch { after, limit: 2 };
            let page = given
                .store
                .read_now(|tx| users(tx, None, None, stretch))
                .unwrap();
            after = page.last().map(|user| user.id);
            seen.extend(page.iter().map(|user| user.id));
            if page.len() < 2 {
                break;
            }
        }
        seen.reverse();
        assert_eq!(seen, all);
    }

    #[test]
    fn ended_sessions_are_not_listed_but_exported() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        let (first, second) = (given.logged_in(sari), given.logged_in(sari));
        let gone = first.session;
        given.run(move |ctx| {
            sessions::end(
                ctx,
                gone,
                pasar_contracts::events::users::SessionEnd::Revoked,
            )
        });
        let now = given.now();
        let current = Some(second.session);
        let listed = given
            .store
            .read_now(|tx| sessions(tx, sari, current, now, all()))
            .unwrap();
        assert_eq!(listed.len(), 1);
        assert!(listed[0].current);
        let exported = given
            .store
            .read_now(|tx| export(tx, sari, current, now))
            .unwrap()
            .unwrap();
        assert_eq!(exported.sessions.len(), 2);
        assert_eq!(exported.audit.len(), 3);
    }
}

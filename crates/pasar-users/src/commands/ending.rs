//! Ending sessions and revoking keys, as the commands that do it share it.

use pasar_contracts::{
    api::users::{AuditAction, AuditDetails},
    events::users::{ApiKeyRevoked, SessionEnd, SessionEnded},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{ApiKeyId, SessionId, UserId};

use crate::{
    source::Origin,
    tables::{api_keys, audit, sessions, users},
};

/// Ends a session; false if it had ended.
pub(super) fn end_session(
    ctx: &mut Context<'_>,
    user: UserId,
    session: SessionId,
    reason: SessionEnd,
    origin: &Origin,
) -> Result<bool, Fault> {
    if !sessions::end(ctx, session, reason)? {
        return Ok(false);
    }
    let event = SessionEnded {
        user_id: user,
        session_id: session,
        reason,
    };
    users::emit(ctx, user, &event)?;
    let details = AuditDetails {
        session_id: Some(session),
        reason: Some(sessions::word(reason).to_owned()),
        ..AuditDetails::default()
    };
    audit::record(ctx, AuditAction::SessionEnded, Some(user), origin, details)?;
    Ok(true)
}

/// Ends all sessions of a user but one.
pub(super) fn end_sessions(
    ctx: &mut Context<'_>,
    user: UserId,
    except: Option<SessionId>,
    reason: SessionEnd,
    origin: &Origin,
) -> Result<(), Fault> {
    for session in sessions::not_ended(ctx, user)? {
        if Some(session) != except {
            end_session(ctx, user, session, reason, origin)?;
        }
    }
    Ok(())
}

/// Revokes a key; false if it was revoked before.
pub(super) fn revoke_key(
    ctx: &mut Context<'_>,
    user: UserId,
    key: ApiKeyId,
    origin: &Origin,
) -> Result<bool, Fault> {
    if !api_keys::revoke(ctx, key)? {
        return Ok(false);
    }
    users::emit(
        ctx,
        user,
        &ApiKeyRevoked {
            user_id: user,
            api_key_id: key,
        },
    )?;
    let details = AuditDetails {
        api_key_id: Some(key),
        ..AuditDetails::default()
    };
    audit::record(ctx, AuditAction::ApiKeyRevoked, Some(user), origin, details)?;
    Ok(true)
}

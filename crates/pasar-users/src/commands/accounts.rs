//! Opening an account, as the commands that do it share it.

use pasar_contracts::{
    api::users::{AuditAction, AuditDetails},
    events::users::{UserRegistered, UserRolesChanged},
};
use pasar_store::{context::Context, fault::Fault};

use crate::{
    account::Roles,
    source::Origin,
    tables::{
        audit,
        users::{self, UserRow},
    },
};

/// An account that is to be.
pub(super) struct Opening<'a> {
    pub(super) email: Option<&'a str>,
    pub(super) machine: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) password_hash: Option<&'a str>,
    pub(super) roles: &'a Roles,
    pub(super) action: AuditAction,
    pub(super) origin: &'a Origin,
}

/// Opens it; that email and machine name are free is known.
pub(super) fn open(ctx: &mut Context<'_>, opening: &Opening<'_>) -> Result<UserRow, Fault> {
    let user = UserRow {
        id: ctx.new_id(),
        email: opening.email.map(str::to_owned),
        machine: opening.machine.map(str::to_owned),
        name: opening.name.to_owned(),
        password_hash: opening.password_hash.map(str::to_owned),
        roles: opening.roles.as_slice().to_vec(),
        created_at: ctx.now(),
        updated_at: ctx.now(),
        deleted_at: None,
        version: 1,
    };
    users::insert(ctx, &user, 1)?;
    let event = UserRegistered {
        user_id: user.id,
        roles: user.roles.clone(),
    };
    ctx.emit(&user.id.to_string(), 1, &event)?;
    let details = AuditDetails {
        roles: Some(user.roles.clone()),
        ..AuditDetails::default()
    };
    audit::record(ctx, opening.action, Some(user.id), opening.origin, details)?;
    Ok(user)
}

/// Gives a user these roles and no others.
pub(super) fn set_roles(
    ctx: &mut Context<'_>,
    user: UserRow,
    roles: &Roles,
    origin: &Origin,
) -> Result<UserRow, Fault> {
    let changed = UserRow {
        roles: roles.as_slice().to_vec(),
        ..user
    };
    users::update(ctx, &changed)?;
    let event = UserRolesChanged {
        user_id: changed.id,
        roles: changed.roles.clone(),
    };
    users::emit(ctx, changed.id, &event)?;
    let details = AuditDetails {
        roles: Some(changed.roles.clone()),
        ..AuditDetails::default()
    };
    audit::record(
        ctx,
        AuditAction::RolesChanged,
        Some(changed.id),
        origin,
        details,
    )?;
    Ok(UserRow {
        updated_at: ctx.now(),
        version: changed.version + 1,
        ..changed
    })
}

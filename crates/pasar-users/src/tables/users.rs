//! Accounts.

use pasar_contracts::{
    api::users::{Role, User, UserKind},
    event::Event,
};
use pasar_store::{
    context::Context,
    fault::Fault,
    tx::{Row, Tx},
    value::Json,
};
use pasar_types::{id::UserId, time::Timestamp};

/// An account as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserRow {
    pub(crate) id: UserId,
    pub(crate) email: Option<String>,
    pub(crate) machine: Option<String>,
    pub(crate) name: String,
    pub(crate) password_hash: Option<String>,
    pub(crate) roles: Vec<Role>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) deleted_at: Option<Timestamp>,
    pub(crate) version: i64,
}

impl UserRow {
    pub(crate) fn is_admin(&self) -> bool {
        self.roles.contains(&Role::Admin)
    }

    pub(crate) fn into_user(self) -> User {
        User {
            id: self.id,
            kind: if self.machine.is_some() {
                UserKind::Machine
            } else {
                UserKind::Person
            },
            email: self.email,
            name: self.name,
            roles: self.roles,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Adds an account. Its first event carries version 1.
pub(crate) fn insert(ctx: &Context<'_>, user: &UserRow, keyversion: i64) -> Result<(), Fault> {
    ctx.execute_one(
        "user",
        "INSERT INTO users (id, email, machine, name, password_hash, roles, created_at, updated_at,
                            version, keyversion)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        &[
            &user.id,
            &user.email,
            &user.machine,
            &user.name,
            &user.password_hash,
            &Json(&user.roles),
            &user.created_at,
            &user.updated_at,
            &user.version,
            &keyversion,
        ],
    )
}

/// Writes what may change, if nobody else has changed it since it was read.
pub(crate) fn update(ctx: &Context<'_>, user: &UserRow) -> Result<(), Fault> {
    ctx.execute_one(
        "user",
        "UPDATE users SET email = ?3, machine = ?4, name = ?5, password_hash = ?6, roles = ?7,
                          updated_at = ?8, deleted_at = ?9, version = version + 1
         WHERE id = ?1 AND version = ?2",
        &[
            &user.id,
            &user.version,
            &user.email,
            &user.machine,
            &user.name,
            &user.password_hash,
            &Json(&user.roles),
            &ctx.now(),
            &user.deleted_at,
        ],
    )
}

/// Emits an event under the user's id, with the next of its versions.
pub(crate) fn emit<E: Event>(ctx: &mut Context<'_>, user: UserId, event: &E) -> Result<(), Fault> {
    let keyversion = ctx.query_one(
        "UPDATE users SET keyversion = keyversion + 1 WHERE id = ?1 RETURNING keyversion",
        &[&user],
        |row| row.get(0),
    )?;
    ctx.emit(&user.to_string(), keyversion, event)
}

/// The account, unless it was deleted.
pub(crate) fn find(tx: &Tx<'_>, id: UserId) -> Result<Option<UserRow>, Fault> {
    tx.query_opt(
        "SELECT id, email, machine, name, password_hash, roles, created_at, updated_at, deleted_at,
                version
         FROM users WHERE id = ?1 AND deleted_at IS NULL",
        &[&id],
        read,
    )
}

pub(crate) fn find_by_email(tx: &Tx<'_>, email: &str) -> Result<Option<UserRow>, Fault> {
    tx.query_opt(
        "SELECT id, email, machine, name, password_hash, roles, created_at, updated_at, deleted_at,
                version
         FROM users WHERE email = ?1",
        &[&email],
        read,
    )
}

pub(crate) fn find_machine(tx: &Tx<'_>, machine: &str) -> Result<Option<UserRow>, Fault> {
    tx.query_opt(
        "SELECT id, email, machine, name, password_hash, roles, created_at, updated_at, deleted_at,
                version
         FROM users WHERE machine = ?1",
        &[&machine],
        read,
    )
}

/// Whether a person other than this one is an admin. Machines do not count: nobody can log in as one.
pub(crate) fn has_other_admin(tx: &Tx<'_>, than: Option<UserId>) -> Result<bool, Fault> {
    let than = than.map_or([0; 16], |user| *user.as_bytes());
    let found = tx.query_opt(
        "SELECT 1 FROM users
         WHERE roles LIKE '%\"admin\"%' AND machine IS NULL AND deleted_at IS NULL AND id <> ?1
         LIMIT 1",
        &[&than],
        |row| row.get::<i64>(0),
    )?;
    Ok(found.is_some())
}

pub(crate) fn read(row: &Row<'_>) -> Result<UserRow, Fault> {
    Ok(UserRow {
        id: row.get(0)?,
        email: row.get(1)?,
        machine: row.get(2)?,
        name: row.get(3)?,
        password_hash: row.get(4)?,
        roles: row.json(5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
        deleted_at: row.get(8)?,
        version: row.get(9)?,
    })
}

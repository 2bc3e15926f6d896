//! What the service can be told to do, one command a file: its outcome, its handler, its tests.

pub(crate) mod change_password;
pub(crate) mod change_profile;
pub(crate) mod change_roles;
pub(crate) mod create_api_key;
pub(crate) mod create_first_admin;
pub(crate) mod delete_user;
pub(crate) mod end_session;
pub(crate) mod log_in;
pub(crate) mod log_out;
pub(crate) mod provision_key;
pub(crate) mod record_export;
pub(crate) mod record_failed_login;
pub(crate) mod record_key_use;
pub(crate) mod refresh_session;
pub(crate) mod register_user;
pub(crate) mod reset_password;
pub(crate) mod revoke_api_key;
pub(crate) mod rotate_signing_key;
pub(crate) mod seed_users;
pub(crate) mod sweep;

mod accounts;
mod ending;

//! One's own account.

use axum::{extract::State, response::Response};
use http::StatusCode;
use pasar_chassis::{
    etag,
    extract::{IfMatch, Json},
    openapi::{CommonProblems, ConflictProblem, PreconditionProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::users::{ChangePassword, ChangeProfile, User, UserExport},
    problem::ProblemType,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, Shared, caller::Account, invalid};
use crate::{
    account::{Name, NewPassword},
    authentication::Refusal,
    commands::{
        change_profile::{self, change_profile},
        delete_user::{self, DeleteUser, delete_user},
        record_export::{RecordExport, record_export},
    },
    queries,
    tables::users::UserRow,
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(get_me, patch_me, delete_me))
        .routes(routes!(put_password))
        .routes(routes!(get_export))
}

/// One's own account
#[utoipa::path(
    get, path = "/v1/users/me", tag = "users", operation_id = "getMe",
    responses(
        (status = 200, description = "The account.", body = User,
            headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        CommonProblems,
    ),
)]
async fn get_me(State(api): State<Shared>, account: Account) -> Result<Response, Problem> {
    api.account(&account).await.map(tagged)
}

impl Api {
    pub(super) async fn account(&self, account: &Account) -> Result<UserRow, Problem> {
        let user = account.user;
        let user = self.store.read(move |tx| queries::user(tx, user)).await?;
        user.ok_or_else(Problem::unauthenticated)
    }
}

/// Change one's name
#[utoipa::path(
    patch, path = "/v1/users/me", tag = "users", operation_id = "patchMe",
    params(("If-Match" = Option<String>, Header, description = "The version to change.", example = "\"v1\"")),
    request_body = ChangeProfile,
    responses(
        (status = 200, description = "As it now stands.", body = User,
            headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        CommonProblems, PreconditionProblem,
    ),
)]
async fn patch_me(
    State(api): State<Shared>,
    account: Account,
    if_match: IfMatch,
    Json(input): Json<ChangeProfile>,
) -> Result<Response, Problem> {
    let name = Name::parse(&input.name).map_err(invalid("name"))?;
    let origin = account.asking.origin;
    let command = change_profile::ChangeProfile {
        user: account.user,
        name,
        if_match,
        origin,
    };
    match api
        .write(account.asking.cause, move |ctx| {
            change_profile(ctx, &command)
        })
        .await?
    {
        change_profile::Outcome::Changed(user) | change_profile::Outcome::Unchanged(user) => {
            Ok(tagged(*user))
        }
        change_profile::Outcome::NotAsSeen => Err(Problem::new(ProblemType::PreconditionFailed)),
        change_profile::Outcome::Unknown => Err(Problem::unauthenticated()),
    }
}

/// Change one's password
///
/// All other sessions end.
#[utoipa::path(
    put, path = "/v1/users/me/password", tag = "users", operation_id = "putPassword",
    request_body = ChangePassword,
    responses((status = 204, description = "It is changed."), CommonProblems),
)]
async fn put_password(
    State(api): State<Shared>,
    account: Account,
    Json(input): Json<ChangePassword>,
) -> Result<StatusCode, Problem> {
    let new = NewPassword::parse(&input.new_password).map_err(invalid("new_password"))?;
    let session = account.identity.session;
    let changed = api
        .authentication
        .change_password(
            account.user,
            session,
            &input.current_password,
            new,
            &account.asking,
        )
        .await;
    match changed {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        // Not a 401: the credentials of the request itself are good.
        Err(Refusal::WrongCredentials) => Err(Problem::invalid_field(
            "current_password",
            "this is not the current password",
        )),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Export one's data
///
/// The account, its sessions and keys, and what the audit trail tells about it.
#[utoipa::path(
    get, path = "/v1/users/me/export", tag = "users", operation_id = "exportMe",
    responses((status = 200, description = "All that users keeps.", body = UserExport), CommonProblems),
)]
async fn get_export(
    State(api): State<Shared>,
    account: Account,
) -> Result<Json<UserExport>, Problem> {
    let (user, session) = (account.user, account.identity.session);
    let now = api.store.clock().now();
    let export = api
        .store
        .read(move |tx| queries::export(tx, user, session, now))
        .await?;
    let export = export.ok_or_else(Problem::unauthenticated)?;
    let command = RecordExport {
        user,
        origin: account.asking.origin,
    };
    api.write(account.asking.cause, move |ctx| {
        record_export(ctx, &command)
    })
    .await?;
    Ok(Json(export))
}

/// Delete one's account
///
/// For good. It takes a login of the last 15 minutes; API keys cannot do it. What was ordered stays,
/// under the id alone.
#[utoipa::path(
    delete, path = "/v1/users/me", tag = "users", operation_id = "deleteMe",
    responses((status = 204, description = "It is gone."), CommonProblems, ConflictProblem),
)]
async fn delete_me(State(api): State<Shared>, account: Account) -> Result<StatusCode, Problem> {
    let log_in_again = || {
        Problem::new(ProblemType::Forbidden)
            .detail("log in again and repeat this within 15 minutes, with the new token")
    };
    let session = account.identity.session.ok_or_else(log_in_again)?;
    let command = DeleteUser {
        user: account.user,
        session,
    };
    match api
        .write(account.asking.cause, move |ctx| delete_user(ctx, &command))
        .await?
    {
        delete_user::Outcome::Deleted => Ok(StatusCode::NO_CONTENT),
        delete_user::Outcome::LastAdmin => Err(Problem::new(ProblemType::LastAdmin)),
        delete_user::Outcome::LoginTooOld => Err(log_in_again()),
        delete_user::Outcome::Unknown => Err(Problem::unauthenticated()),
    }
}

fn tagged(user: UserRow) -> Response {
    etag::tagged(user.version, Json(user.into_user()))
}

//! Accounts, as admins look after them.

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use pasar_chassis::{
    extract::{Json, Path, Query},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem},
    page,
    problem::Problem,
};
use pasar_contracts::{
    api::{
        page::{Page, PageQuery},
        users::{ChangeRoles, User, UsersQuery},
    },
    problem::ProblemType,
};
use pasar_types::id::UserId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Shared, caller::Admin, invalid};
use crate::{
    account::Roles,
    commands::change_roles::{self, change_roles},
    queries::{self, Stretch},
};

/// A longer text is in no address and no name.
const MAX_PART_CHARS: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_users))
        .routes(routes!(get_user))
        .routes(routes!(put_roles))
}

/// Users, newest first
#[utoipa::path(
    get, path = "/v1/users", tag = "users", operation_id = "listUsers",
    params(UsersQuery),
    responses((status = 200, description = "A page of users.", body = Page<User>), CommonProblems),
)]
async fn list_users(
    State(api): State<Shared>,
    _: Admin,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<UsersQuery>,
) -> Result<Response, Problem> {
    let UsersQuery {
        q,
        role,
        limit,
        cursor,
    } = query;
    if q.as_ref()
        .is_some_and(|q| q.chars().count() > MAX_PART_CHARS)
    {
        let expected = format!("expected at most {MAX_PART_CHARS} characters");
        return Err(Problem::invalid_field("q", expected));
    }
    let pages = PageQuery { limit, cursor };
    let (limit, after) = (page::limit(&pages)?, page::after(&pages)?);
    let stretch = Stretch {
        after,
        limit: limit + 1,
    };
    let rows = api
        .store
        .read(move |tx| queries::users(tx, q.as_deref(), role, stretch))
        .await?;
    Ok(page::respond(page::cut(rows, limit, |user| user.id), &uri))
}

/// One user
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "users", operation_id = "getUser",
    params(("id" = UserId, Path, description = "The user.")),
    responses(
        (status = 200, description = "The user.", body = User),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_user(
    State(api): State<Shared>,
    _: Admin,
    Path(id): Path<UserId>,
) -> Result<Json<User>, Problem> {
    let user = api.store.read(move |tx| queries::user(tx, id)).await?;
    let user = user.ok_or_else(|| Problem::new(ProblemType::NotFound))?;
    Ok(Json(user.into_user()))
}

/// Give a user other roles
///
/// Tokens and API keys that are about act in the new ones within ten seconds.
#[utoipa::path(
    put, path = "/v1/users/{id}/roles", tag = "users", operation_id = "putRoles",
    params(("id" = UserId, Path, description = "The user.")),
    request_body = ChangeRoles,
    responses(
        (status = 200, description = "The user with the roles.", body = User),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
async fn put_roles(
    State(api): State<Shared>,
    admin: Admin,
    Path(id): Path<UserId>,
    Json(input): Json<ChangeRoles>,
) -> Result<Json<User>, Problem> {
    let roles = Roles::parse(&input.roles).map_err(invalid("roles"))?;
    let origin = admin.asking.origin;
    let command = change_roles::ChangeRoles {
        user: id,
        roles,
        origin,
    };
    match api
        .write(admin.asking.cause, move |ctx| change_roles(ctx, &command))
        .await?
    {
        change_roles::Outcome::Changed(user) | change_roles::Outcome::Unchanged(user) => {
            Ok(Json(user.into_user()))
        }
        change_roles::Outcome::LastAdmin => Err(Problem::new(ProblemType::LastAdmin)),
        change_roles::Outcome::Unknown => Err(Problem::new(ProblemType::NotFound)),
    }
}

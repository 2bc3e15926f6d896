//! API keys: made, shown without their secret, revoked.

use axum::{
    extract::{OriginalUri, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::LOCATION};
use pasar_chassis::{
    extract::{Json, Path, Query},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem},
    page,
    problem::Problem,
};
use pasar_contracts::{
    api::{
        page::{Page, PageQuery},
        users::{ApiKey, CreateApiKey, CreatedApiKey, OwnedQuery},
    },
    problem::ProblemType,
};
use pasar_types::id::ApiKeyId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Fields, NO_STORE, Shared, caller::Account};
use crate::{
    account::{Name, Roles},
    api_key::{Scopes, check_rate_limit},
    commands::{
        create_api_key::{self, Outcome, create_api_key},
        revoke_api_key::{self, RevokeApiKey, revoke_api_key},
    },
    queries::{self, Stretch},
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_api_keys, post_api_key))
        .routes(routes!(get_api_key, delete_api_key))
}

/// API keys, newest first, the revoked ones too
#[utoipa::path(
    get, path = "/v1/api-keys", tag = "users", operation_id = "listApiKeys",
    params(OwnedQuery),
    responses((status = 200, description = "A page of keys.", body = Page<ApiKey>), CommonProblems),
)]
async fn list_api_keys(
    State(api): State<Shared>,
    account: Account,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<OwnedQuery>,
) -> Result<Response, Problem> {
    let owner = account.owner(query.user_id)?;
    let pages = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let (limit, after) = (page::limit(&pages)?, page::after(&pages)?);
    let stretch = Stretch {
        after,
        limit: limit + 1,
    };
    let rows = api
        .store
        .read(move |tx| queries::api_keys(tx, owner, stretch))
        .await?;
    Ok(page::respond(page::cut(rows, limit, |key| key.id), &uri))
}

/// Make an API key
///
/// It may do no more than the credentials that make it. The secret is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "users", operation_id = "createApiKey",
    request_body = CreateApiKey,
    responses(
        (status = 201, description = "The key with its secret.", body = CreatedApiKey,
            headers(("Location" = String, description = "Where it can be read, without the secret."))),
        CommonProblems, ConflictProblem,
    ),
)]
async fn post_api_key(
    State(api): State<Shared>,
    account: Account,
    Json(input): Json<CreateApiKey>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let name = fields.read("name", Name::parse(&input.name));
    let roles = fields.read("roles", Roles::parse(&input.roles));
    let scopes = fields.read("scopes", Scopes::parse(&input.scopes));
    let limit = fields.read("rate_limit", check_rate_limit(input.rate_limit));
    let (Some(name), Some(roles), Some(scopes), Some(())) = (name, roles, scopes, limit) else {
        return Err(fields.into_problem());
    };
    let command = create_api_key::CreateApiKey {
        owner: account.user,
        name,
        roles,
        scopes,
        rate_limit: input.rate_limit,
        maker: account.maker(),
        origin: account.asking.origin,
    };
    match api
        .write(account.asking.cause, move |ctx| {
            create_api_key(ctx, &command)
        })
        .await?
    {
        Outcome::Created { row, key } => {
            let place = [(LOCATION, format!("/v1/api-keys/{}", row.id))];
            let body = CreatedApiKey {
                secret: key.write(),
                api_key: row.into_api_key(),
            };
            Ok((StatusCode::CREATED, NO_STORE, place, Json(body)).into_response())
        }
        refused => Err(refusal(&refused)),
    }
}

fn refusal(outcome: &Outcome) -> Problem {
    let forbidden = |detail: &'static str| Problem::new(ProblemType::Forbidden).detail(detail);
    match outcome {
        Outcome::RolesNotHeld(roles) => {
            forbidden("a key gets no role that you do not have yourself").with("roles", roles)
        }
        Outcome::ScopesNotHeld => forbidden("a key hands on no more than its own scopes"),
        Outcome::LimitNotAllowed => forbidden("only an admin sets so high a limit"),
        Outcome::TooMany => Problem::new(ProblemType::TooManyApiKeys),
        Outcome::Unknown => Problem::unauthenticated(),
        Outcome::Created { .. } => Problem::defect("a key that was created is refused"),
    }
}

/// One API key
#[utoipa::path(
    get, path = "/v1/api-keys/{id}", tag = "users", operation_id = "getApiKey",
    params(("id" = ApiKeyId, Path, description = "The key.")),
    responses(
        (status = 200, description = "The key, without its secret.", body = ApiKey),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_api_key(
    State(api): State<Shared>,
    account: Account,
    Path(id): Path<ApiKeyId>,
) -> Result<Json<ApiKey>, Problem> {
    let owner = account.only_own();
    let key = api.store.read(move |tx| queries::api_key(tx, id)).await?;
    let key = key.filter(|key| owner.is_none_or(|owner| owner == key.user_id));
    key.map(Json)
        .ok_or_else(|| Problem::new(ProblemType::NotFound))
}

/// Revoke an API key
///
/// For good, and with it the keys that it has made. One's own; an admin revokes anybody's. It is
/// refused within ten seconds.
#[utoipa::path(
    delete, path = "/v1/api-keys/{id}", tag = "users", operation_id = "deleteApiKey",
    params(("id" = ApiKeyId, Path, description = "The key.")),
    responses((status = 204, description = "It is revoked."), CommonProblems, NotFoundProblem),
)]
async fn delete_api_key(
    State(api): State<Shared>,
    account: Account,
    Path(id): Path<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    let owner = account.only_own();
    let command = RevokeApiKey {
        key: id,
        owner,
        origin: account.asking.origin,
    };
    match api
        .write(account.asking.cause, move |ctx| {
            revoke_api_key(ctx, &command)
        })
        .await?
    {
        revoke_api_key::Outcome::Revoked | revoke_api_key::Outcome::WasRevoked => {
            Ok(StatusCode::NO_CONTENT)
        }
        revoke_api_key::Outcome::Unknown => Err(Problem::new(ProblemType::NotFound)),
    }
}

//! Sessions: where one is logged in.

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http::StatusCode;
use pasar_chassis::{
    extract::{Path, Query},
    openapi::{CommonProblems, NotFoundProblem},
    page,
    problem::Problem,
};
use pasar_contracts::{
    api::{
        page::{Page, PageQuery},
        users::{OwnedQuery, Session},
    },
    problem::ProblemType,
};
use pasar_types::id::SessionId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Shared, caller::Account};
use crate::{
    commands::end_session::{self, EndSession, end_session},
    queries::{self, Stretch},
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_sessions))
        .routes(routes!(delete_session))
}

/// Live sessions, newest first
#[utoipa::path(
    get, path = "/v1/sessions", tag = "users", operation_id = "listSessions",
    params(OwnedQuery),
    responses((status = 200, description = "A page of sessions.", body = Page<Session>), CommonProblems),
)]
async fn list_sessions(
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
    let (current, now) = (account.identity.session, api.store.clock().now());
    let rows = api
        .store
        .read(move |tx| queries::sessions(tx, owner, current, now, stretch))
        .await?;
    Ok(page::respond(
        page::cut(rows, limit, |session| session.id),
        &uri,
    ))
}

/// End a session
///
/// One's own; an admin ends anybody's. Its access token is refused within ten seconds.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", tag = "users", operation_id = "deleteSession",
    params(("id" = SessionId, Path, description = "The session.")),
    responses((status = 204, description = "It has ended."), CommonProblems, NotFoundProblem),
)]
async fn delete_session(
    State(api): State<Shared>,
    account: Account,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    let owner = account.only_own();
    let command = EndSession {
        session: id,
        owner,
        origin: account.asking.origin,
    };
    match api
        .write(account.asking.cause, move |ctx| end_session(ctx, &command))
        .await?
    {
        end_session::Outcome::Ended | end_session::Outcome::HadEnded => Ok(StatusCode::NO_CONTENT),
        end_session::Outcome::Unknown => Err(Problem::new(ProblemType::NotFound)),
    }
}

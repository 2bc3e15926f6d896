//! Registering, logging in, refreshing, logging out.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::LOCATION};
use pasar_chassis::{
    extract::Json,
    openapi::{CommonProblems, ConflictProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::users::{LogIn, RefreshTokenInput, RegisterUser, Tokens, User},
    problem::ProblemType,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Fields, NO_STORE, Shared, caller::Anyone};
use crate::{
    account::{Email, Name, NewPassword},
    authentication::Refusal,
    commands::{
        log_out::{self, log_out},
        register_user::{self, register_user},
    },
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
}

/// Register
///
/// Opens an account as a customer. Other roles are an admin's to give.
#[utoipa::path(
    post, path = "/v1/auth/register", tag = "users", operation_id = "register",
    request_body = RegisterUser,
    responses(
        (status = 201, description = "The account is open.", body = User,
            headers(("Location" = String, description = "Where it can be read."))),
        CommonProblems, ConflictProblem,
    ),
)]
async fn register(
    State(api): State<Shared>,
    Anyone(asking): Anyone,
    Json(input): Json<RegisterUser>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let email = fields.read("email", Email::parse(&input.email));
    let password = fields.read("password", NewPassword::parse(&input.password));
    let name = fields.read("name", Name::parse(&input.name));
    let (Some(email), Some(password), Some(name)) = (email, password, name) else {
        return Err(fields.into_problem());
    };
    let hashed = api.authentication.passwords.hash(password).await;
    let command = register_user::RegisterUser {
        email,
        name,
        password_hash: hashed.map_err(Refusal::from)?,
        origin: asking.origin,
    };
    match api
        .write(asking.cause, move |ctx| register_user(ctx, &command))
        .await?
    {
        register_user::Outcome::Registered(user) => {
            let place = [(LOCATION, format!("/v1/users/{}", user.id))];
            Ok((StatusCode::CREATED, place, Json(user.into_user())).into_response())
        }
        register_user::Outcome::EmailTaken => Err(Problem::new(ProblemType::EmailTaken)),
    }
}

/// Log in
///
/// Begins a session. Too many wrong passwords make further attempts wait (429).
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "users", operation_id = "login",
    request_body = LogIn,
    responses((status = 200, description = "The session has begun.", body = Tokens), CommonProblems),
)]
async fn login(
    State(api): State<Shared>,
    Anyone(asking): Anyone,
    Json(input): Json<LogIn>,
) -> Result<Response, Problem> {
    let tokens = api
        .authentication
        .log_in(&input.email, input.password, &asking)
        .await?;
    Ok((NO_STORE, Json(tokens)).into_response())
}

/// Refresh the tokens
///
/// A refresh token is good once. For a short while the same one gets the same successor again; after
/// that, its use ends the session.
#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "users", operation_id = "refresh",
    request_body = RefreshTokenInput,
    responses((status = 200, description = "New tokens.", body = Tokens), CommonProblems),
)]
async fn refresh(
    State(api): State<Shared>,
    Anyone(asking): Anyone,
    Json(input): Json<RefreshTokenInput>,
) -> Result<Response, Problem> {
    let tokens = api
        .authentication
        .refresh(&input.refresh_token, &asking)
        .await?;
    Ok((NO_STORE, Json(tokens)).into_response())
}

/// Log out
///
/// Ends the session that the refresh token belongs to. Says the same if there is none (any more).
#[utoipa::path(
    post, path = "/v1/auth/logout", tag = "users", operation_id = "logout",
    request_body = RefreshTokenInput,
    responses((status = 204, description = "The session has ended."), CommonProblems),
)]
async fn logout(
    State(api): State<Shared>,
    Anyone(asking): Anyone,
    Json(input): Json<RefreshTokenInput>,
) -> Result<StatusCode, Problem> {
    if let Some(token) = api.authentication.refresh_tokens.read(&input.refresh_token) {
        let command = log_out::LogOut {
            token,
            origin: asking.origin,
        };
        let (log_out::Outcome::LoggedOut | log_out::Outcome::Ended) = api
            .write(asking.cause, move |ctx| log_out(ctx, &command))
            .await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

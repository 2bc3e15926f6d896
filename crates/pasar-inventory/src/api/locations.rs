//! Locations: anyone reads them, an admin decides about them.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::LOCATION};
use pasar_chassis::{
    cause::RequestCause,
    etag,
    extract::{IfMatch, Json, Path},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem, PreconditionProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::inventory::{Location, LocationInput, Locations},
    problem::ProblemType,
};
use pasar_store::lane::{Class, LaneKey};
use pasar_types::id::LocationId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{AdminOnly, Api};
use crate::{
    commands::{
        change_location::{self, ChangeLocation, change_location},
        create_location::{self, CreateLocation, MAX_LOCATIONS, create_location},
    },
    location::LocationDetails,
    queries,
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_locations, post_location))
        .routes(routes!(get_location, put_location))
}

/// All locations, the default first
#[utoipa::path(
    get, path = "/v1/locations", tag = "inventory", operation_id = "listLocations",
    responses((status = 200, description = "All locations.", body = Locations), CommonProblems),
)]
async fn list_locations(State(api): State<Api>) -> Result<Json<Locations>, Problem> {
    let items = api.store.read(queries::all_locations).await?;
    Ok(Json(Locations { items }))
}

/// One location
#[utoipa::path(
    get, path = "/v1/locations/{id}", tag = "inventory", operation_id = "getLocation",
    params(("id" = LocationId, Path, description = "The location.")),
    responses(
        (status = 200, description = "The location.", body = Location,
            headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_location(
    State(api): State<Api>,
    Path(id): Path<LocationId>,
) -> Result<Response, Problem> {
    let (location, version) = api.find(move |tx| queries::location(tx, id)).await?;
    Ok(etag::tagged(version, Json(location)))
}

/// Add a location
///
/// It has no stock yet. At most 200.
#[utoipa::path(
    post, path = "/v1/locations", tag = "inventory", operation_id = "createLocation",
    request_body = LocationInput,
    responses(
        (status = 201, description = "It was added.", body = Location, headers(
            ("ETag" = String, description = "Its version, for `If-Match`."),
            ("Location" = String, description = "Where it can be read."),
        )),
        CommonProblems, ConflictProblem,
    ),
)]
async fn post_location(
    State(api): State<Api>,
    _: AdminOnly,
    RequestCause(cause): RequestCause,
    Json(input): Json<LocationInput>,
) -> Result<Response, Problem> {
    let details = LocationDetails::new(&input).map_err(Problem::invalid_fields)?;
    let command = CreateLocation { details };
    let outcome = api
        .store
        .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
            create_location(ctx, &command)
        })
        .await?;
    let id = match outcome {
        create_location::Outcome::Created(id) => id,
        create_location::Outcome::TooMany => {
            return Err(Problem::new(ProblemType::Conflict)
                .detail(format!("there are {MAX_LOCATIONS} locations already")));
        }
    };
    let (location, version) = api.find(move |tx| queries::location(tx, id)).await?;
    let place = [(LOCATION, format!("/v1/locations/{id}"))];
    let answer = (StatusCode::CREATED, place, Json(location)).into_response();
    Ok(etag::tagged(version, answer))
}

/// Replace what is decided about a location
#[utoipa::path(
    put, path = "/v1/locations/{id}", tag = "inventory", operation_id = "putLocation",
    params(
        ("id" = LocationId, Path, description = "The location."),
        ("If-Match" = Option<String>, Header, description = "The version to replace.", example = "\"v1\""),
    ),
    request_body = LocationInput,
    responses(
        (status = 200, description = "As it now stands.", body = Location,
            headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        CommonProblems, NotFoundProblem, PreconditionProblem,
    ),
)]
async fn put_location(
    State(api): State<Api>,
    _: AdminOnly,
    RequestCause(cause): RequestCause,
    Path(id): Path<LocationId>,
    if_match: IfMatch,
    Json(input): Json<LocationInput>,
) -> Result<Response, Problem> {
    let details = LocationDetails::new(&input).map_err(Problem::invalid_fields)?;
    let command = ChangeLocation {
        id,
        details,
        if_match,
    };
    let outcome = api
        .store
        .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
            change_location(ctx, &command)
        })
        .await?;
    match outcome {
        change_location::Outcome::Changed | change_location::Outcome::Unchanged => {}
        change_location::Outcome::Unknown => return Err(Problem::new(ProblemType::NotFound)),
        change_location::Outcome::VersionDiffers => {
            return Err(Problem::new(ProblemType::PreconditionFailed));
        }
    }
    let (location, version) = api.find(move |tx| queries::location(tx, id)).await?;
    Ok(etag::tagged(version, Json(location)))
}

//! Products: anyone reads them, staff decides about them.

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, Uri};
use pasar_chassis::{
    cause::RequestCause,
    etag,
    extract::{BodyLimit, IfMatch, Json, Path, Query},
    openapi::{CommonProblems, NotFoundProblem, PreconditionProblem},
    page,
    problem::Problem,
};
use pasar_contracts::{
    api::{
        inventory::{ImportInput, Imported, LocationQuery, Product, ProductInput, ProductsQuery},
        page::{Page, PageQuery},
    },
    problem::ProblemType,
};
use pasar_store::{
    cause::Cause,
    lane::{Class, LaneKey},
};
use pasar_types::{id::LocationId, sku::Sku};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, StaffOnly,
    import_rows::{self, RawImport},
};
use crate::{
    commands::{
        clear_sold_out::{self, ClearSoldOut, clear_sold_out},
        import_products::{ImportProducts, import_products},
        mark_sold_out::{self, MarkSoldOut, mark_sold_out},
        put_product::{self, PutProduct, put_product},
    },
    product::ProductDetails,
    queries::{self, ProductFilter},
};

/// Ten thousand rows with names in a few languages.
const IMPORT_BODY_LIMIT: BodyLimit = BodyLimit(16 * 1024 * 1024);
/// Characters of a search or a category's name.
const MAX_SEARCH: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Api> {
    let imports = OpenApiRouter::new()
        .routes(routes!(import))
        .layer(Extension(IMPORT_BODY_LIMIT));
    OpenApiRouter::new()
        .routes(routes!(list_products))
        .routes(routes!(get_product, put))
        .routes(routes!(put_sold_out, delete_sold_out))
        .merge(imports)
}

/// Products by SKU, with what a location has of them
#[utoipa::path(
    get, path = "/v1/products", tag = "inventory", operation_id = "listProducts",
    params(ProductsQuery),
    responses(
        (status = 200, description = "A page of products.", body = Page<Product>,
            headers(("Link" = String, description = "The next page, if there is one."))),
        CommonProblems,
    ),
)]
async fn list_products(
    State(api): State<Api>,
    Query(query): Query<ProductsQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    Ok(page::respond(api.products(query).await?, &uri))
}

/// One product, with what a location has of it
#[utoipa::path(
    get, path = "/v1/products/{sku}", tag = "inventory", operation_id = "getProduct",
    params(("sku" = Sku, Path, description = "The product."), LocationQuery),
    responses(
        (status = 200, description = "The product.", body = Product,
            headers(("ETag" = String, description = "Its version, for `If-Match`. Stock is not part of it."))),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_product(
    State(api): State<Api>,
    Path(sku): Path<Sku>,
    Query(query): Query<LocationQuery>,
) -> Result<Response, Problem> {
    let location = api.location(query.location).await?;
    api.product(&sku, location).await.map(tagged)
}

/// Create a product, or replace it
#[utoipa::path(
    put, path = "/v1/products/{sku}", tag = "inventory", operation_id = "putProduct",
    params(
        ("sku" = Sku, Path, description = "The product."),
        ("If-Match" = Option<String>, Header, description = "The version to replace.", example = "\"v1\""),
    ),
    request_body = ProductInput,
    responses(
        (status = 200, description = "As it now stands.", body = Product,
            headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 201, description = "It was created.", body = Product,
            headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        CommonProblems, PreconditionProblem,
    ),
)]
async fn put(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(sku): Path<Sku>,
    if_match: IfMatch,
    Json(input): Json<ProductInput>,
) -> Result<Response, Problem> {
    let (status, product) = api.put_product(sku, input, if_match, cause).await?;
    Ok((status, tagged(product)).into_response())
}

/// Create or replace many products at once
///
/// All rows or none, without stock. Each row that is not acceptable is named in `errors`, with its
/// number from 1 on as `row`. The same import again changes nothing.
#[utoipa::path(
    post, path = "/v1/products/imports", tag = "inventory", operation_id = "importProducts",
    request_body = ImportInput,
    responses((status = 200, description = "What it did.", body = Imported), CommonProblems),
)]
async fn import(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Json(raw): Json<RawImport>,
) -> Result<Json<Imported>, Problem> {
    let products = import_rows::checked(raw)?;
    let command = ImportProducts { products };
    let imported = api
        .store
        .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
            import_products(ctx, &command)
        })
        .await?;
    Ok(Json(imported))
}

/// Mark a product as sold out at a location until its business day ends
#[utoipa::path(
    put, path = "/v1/products/{sku}/sold-out", tag = "inventory", operation_id = "markSoldOut",
    params(("sku" = Sku, Path, description = "The product."), LocationQuery),
    responses(
        (status = 200, description = "The product as it now stands there.", body = Product,
            headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn put_sold_out(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(sku): Path<Sku>,
    Query(query): Query<LocationQuery>,
) -> Result<Response, Problem> {
    let location = api.location(query.location).await?;
    let command = MarkSoldOut {
        sku: sku.clone(),
        location,
    };
    let outcome = api
        .store
        .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
            mark_sold_out(ctx, &command)
        })
        .await?;
    match outcome {
        mark_sold_out::Outcome::SoldOut | mark_sold_out::Outcome::AlreadySoldOut => {
            api.product(&sku, location).await.map(tagged)
        }
        mark_sold_out::Outcome::UnknownProduct | mark_sold_out::Outcome::UnknownLocation => {
            Err(Problem::new(ProblemType::NotFound))
        }
    }
}

/// End "sold out today": there is more of it
#[utoipa::path(
    delete, path = "/v1/products/{sku}/sold-out", tag = "inventory", operation_id = "clearSoldOut",
    params(("sku" = Sku, Path, description = "The product."), LocationQuery),
    responses(
        (status = 200, description = "The product as it now stands there.", body = Product,
            headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn delete_sold_out(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(sku): Path<Sku>,
    Query(query): Query<LocationQuery>,
) -> Result<Response, Problem> {
    let location = api.location(query.location).await?;
    let command = ClearSoldOut {
        sku: sku.clone(),
        location,
    };
    let outcome = api
        .store
        .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
            clear_sold_out(ctx, &command)
        })
        .await?;
    match outcome {
        clear_sold_out::Outcome::Cleared | clear_sold_out::Outcome::NotSoldOut => {
            api.product(&sku, location).await.map(tagged)
        }
        clear_sold_out::Outcome::UnknownProduct => Err(Problem::new(ProblemType::NotFound)),
    }
}

impl Api {
    pub(super) async fn products(&self, query: ProductsQuery) -> Result<Page<Product>, Problem> {
        let paging = PageQuery {
            limit: query.limit,
            cursor: query.cursor,
        };
        let limit = page::limit(&paging)?;
        let filter = ProductFilter {
            location: self.location(query.location).await?,
            q: bounded("q", query.q)?,
            category: bounded("category", query.category)?,
            after: page::after(&paging)?.unwrap_or_default(),
        };
        let rows = self
            .store
            .read(move |tx| queries::products(tx, &filter, limit + 1))
            .await?;
        Ok(page::cut(rows, limit, |product| product.sku.clone()))
    }

    /// A product as it stands at a location, and its version.
    pub(super) async fn product(
        &self,
        sku: &Sku,
        location: LocationId,
    ) -> Result<(Product, i64), Problem> {
        let sku = sku.clone();
        self.find(move |tx| queries::product(tx, &sku, location))
            .await
    }

    /// A product that was created or replaced, as it stands at the default location.
    pub(super) async fn put_product(
        &self,
        sku: Sku,
        input: ProductInput,
        if_match: IfMatch,
        cause: Cause,
    ) -> Result<(StatusCode, (Product, i64)), Problem> {
        let details = ProductDetails::new(&input).map_err(Problem::invalid_fields)?;
        let command = PutProduct {
            sku: sku.clone(),
            details,
            if_match,
        };
        let outcome = self
            .store
            .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
                put_product(ctx, &command)
            })
            .await?;
        let status = match outcome {
            put_product::Outcome::Created => StatusCode::CREATED,
            put_product::Outcome::Changed | put_product::Outcome::Unchanged => StatusCode::OK,
            put_product::Outcome::VersionDiffers => {
                return Err(Problem::new(ProblemType::PreconditionFailed));
            }
        };
        let product = self.product(&sku, self.default_location).await?;
        Ok((status, product))
    }
}

fn tagged((product, version): (Product, i64)) -> Response {
    etag::tagged(version, Json(product))
}

fn bounded(name: &str, value: Option<String>) -> Result<String, Problem> {
    let value = value.unwrap_or_default();
    if value.chars().count() <= MAX_SEARCH {
        Ok(value)
    } else {
        let expected = format!("expected at most {MAX_SEARCH} characters");
        Err(Problem::invalid_field(name, expected))
    }
}

//! `pasar.inventory.v1.Inventory`: what REST does, over gRPC.

use axum::{Router, extract::State, routing::post};
use http::Method;
use pasar_chassis::{
    cause::RequestCause,
    extract::{Idempotent, IfMatch, Key},
    grpc::method::{Message, Reply, methods},
    host::Host,
    problem::Problem,
};
use pasar_contracts::{
    api::inventory::{AdjustmentInput, IntakeInput, ProductInput, ProductsQuery},
    grpc::{
        inventory::{
            AdjustStockRequest, GetProductRequest, GetStockRequest, ListProductsReply,
            ListProductsRequest, Movement, Product, PutProductRequest, ReceiveStockRequest,
            StockLevel,
        },
        optional, parsed,
    },
};
use pasar_types::sku::Sku;

use super::{Api, StaffOnly};

pub(super) fn routes(host: &Host, api: Api) -> Router {
    let routes = Router::new()
        .route(
            "/pasar.inventory.v1.Inventory/GetProduct",
            post(get_product),
        )
        .route(
            "/pasar.inventory.v1.Inventory/ListProducts",
            post(list_products),
        )
        .route(
            "/pasar.inventory.v1.Inventory/PutProduct",
            post(put_product),
        )
        .route(
            "/pasar.inventory.v1.Inventory/ReceiveStock",
            post(receive_stock),
        )
        .route(
            "/pasar.inventory.v1.Inventory/AdjustStock",
            post(adjust_stock),
        )
        .route("/pasar.inventory.v1.Inventory/GetStock", post(get_stock))
        .with_state(api);
    methods(host, routes)
}

async fn get_product(
    State(api): State<Api>,
    Message(request): Message<GetProductRequest>,
) -> Result<Reply<Product>, Problem> {
    let sku = parsed("sku", &request.sku)?;
    let location = optional("location_id", &request.location_id)?;
    let location = api.location(location).await?;
    let (product, version) = api.product(&sku, location).await?;
    Ok(Reply(Product::new(product, version)))
}

async fn list_products(
    State(api): State<Api>,
    Message(request): Message<ListProductsRequest>,
) -> Result<Reply<ListProductsReply>, Problem> {
    let page = api.products(ProductsQuery::try_from(request)?).await?;
    Ok(Reply(page.into()))
}

async fn put_product(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Message(request): Message<PutProductRequest>,
) -> Result<Reply<Product>, Problem> {
    let sku = parsed("sku", &request.sku)?;
    let if_match = request.version.map(IfMatch::version).unwrap_or_default();
    let input = ProductInput::try_from(request)?;
    let (_, (product, version)) = api.put_product(sku, input, if_match, cause).await?;
    Ok(Reply(Product::new(product, version)))
}

async fn receive_stock(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    key: Key,
    Message(request): Message<ReceiveStockRequest>,
) -> Result<Reply<Movement>, Problem> {
    let sku: Sku = parsed("sku", &request.sku)?;
    let target = format!("/v1/stock/{sku}/intakes");
    let input = IntakeInput::try_from(request)?;
    let call = Idempotent::new(&Method::POST, &target, input, key)?;
    Ok(Reply(api.received(sku, cause, call).await?.into()))
}

async fn adjust_stock(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    key: Key,
    Message(request): Message<AdjustStockRequest>,
) -> Result<Reply<Movement>, Problem> {
    let sku: Sku = parsed("sku", &request.sku)?;
    let target = format!("/v1/stock/{sku}/adjustments");
    let input = AdjustmentInput::try_from(request)?;
    let call = Idempotent::new(&Method::POST, &target, input, key)?;
    Ok(Reply(api.adjusted(sku, cause, call).await?.into()))
}

async fn get_stock(
    State(api): State<Api>,
    _: StaffOnly,
    Message(request): Message<GetStockRequest>,
) -> Result<Reply<StockLevel>, Problem> {
    let sku = parsed("sku", &request.sku)?;
    let location = optional("location_id", &request.location_id)?;
    Ok(Reply(api.stock_level(&sku, location).await?.into()))
}

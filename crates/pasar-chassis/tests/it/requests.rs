//! Extractors as routes use them.

use axum::{
    Extension, Router,
    body::Body,
    response::IntoResponse,
    routing::{get, post},
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use pasar_chassis::{
    etag,
    extract::{BodyLimit, IfMatch, IfNoneMatch, Json, LastEventId, Path, Prefer, Query},
    problem::Problem,
};
use pasar_types::id::OrderId;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    limit: Option<u16>,
}

fn router() -> Router {
    let read = async |Path(id): Path<OrderId>, have: IfNoneMatch| {
        if have.names(3) {
            return etag::not_modified(3);
        }
        etag::tagged(3, id.to_string())
    };
    let change = async |Path(_): Path<OrderId>, wanted: IfMatch| {
        wanted.check(3)?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    };
    let list = async |Query(filter): Query<Filter>, prefer: Prefer, last: LastEventId| {
        Json(json!([
            filter.limit,
            prefer.wait.map(|wait| wait.as_secs()),
            last.0
        ]))
    };
    let pair = async |Path((a, b)): Path<(String, u8)>| Json(json!([a, b]));
    let small = post(async |Json(_): Json<Value>| ()).layer(Extension(BodyLimit(16)));
    Router::new()
        .route("/orders/{id}", get(read).put(change))
        .route("/list", get(list))
        .route("/pair/{a}/{b}", get(pair))
        .route(
            "/wrong/{a}",
            get(async |Path((_, _)): Path<(String, u8)>| ()),
        )
        .route("/json", post(async |Json(body): Json<Value>| Json(body)))
        .route("/small", small)
}

async fn send(request: Request<Body>) -> Response<Body> {
    router().oneshot(request).await.into_response()
}

async fn get_(path: &str) -> (u16, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = send(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn post_(path: &str, content_type: &str, body: impl Into<Body>) -> u16 {
    let request = Request::post(path)
        .header("content-type", content_type)
        .body(body.into())
        .unwrap();
    send(request).await.status().as_u16()
}

#[tokio::test]
async fn a_path_that_does_not_fit_is_a_400_and_never_a_500() {
    let id = OrderId::from_bytes([1; 16]);
    assert_eq!(get_(&format!("/orders/{id}")).await, (200, id.to_string()));
    for path in [
        "/orders/pay_x",
        "/orders/%00",
        "/orders/%FF",
        "/pair/a/300",
        "/pair/%00/1",
    ] {
        let (status, body) = get_(path).await;
        assert_eq!(status, 400, "{path}: {body}");
        assert!(body.contains("/problems/invalid-request"), "{body}");
    }
    assert_eq!(get_("/pair/a%2Fb/7").await, (200, "[\"a/b\",7]".to_owned()));
    assert_eq!(get_("/wrong/a").await.0, 500);
}

#[tokio::test]
async fn a_query_is_read_or_refused() {
    assert_eq!(
        get_("/list?limit=5").await,
        (200, "[5,null,null]".to_owned())
    );
    assert_eq!(get_("/list?limit=x").await.0, 422);
    assert_eq!(get_("/list?offset=1").await.0, 422);
}

#[tokio::test]
async fn headers_of_streams_and_waits_are_read() {
    let ask = async |name: &'static str, value: &'static str| {
        let request = Request::get("/list").header(name, value);
        let response = send(request.body(Body::empty()).unwrap()).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(ask("prefer", "wait=7").await.1, "[null,7,null]");
    assert_eq!(ask("last-event-id", "12").await.1, "[null,null,12]");
    assert_eq!(ask("last-event-id", "").await.1, "[null,null,null]");
    assert_eq!(ask("last-event-id", "-1").await.0, 400);
    assert_eq!(ask("last-event-id", "x").await.0, 400);
}

#[tokio::test]
async fn versions_travel_as_tags() {
    let id = OrderId::from_bytes([1; 16]);
    let ask = async |method: &str, name: &str, value: &str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("/orders/{id}"));
        let request = request.header(name, value).body(Body::empty()).unwrap();
        let response = send(request).await;
        (
            response.status().as_u16(),
            response.headers().get("etag").cloned(),
        )
    };
    let tag = Some(etag::tag(3));
    assert_eq!(
        ask("GET", "if-none-match", "\"v2\"").await,
        (200, tag.clone())
    );
    assert_eq!(ask("GET", "if-none-match", "\"v3\"").await, (304, tag));
    assert_eq!(ask("PUT", "if-match", "\"v3\"").await.0, 204);
    assert_eq!(ask("PUT", "if-match", "\"v2\"").await.0, 412);
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let json = "application/json";
    assert_eq!(post_("/json", json, "{\"a\":1}").await, 200);
    assert_eq!(post_("/json", json, "").await, 200);
    assert_eq!(post_("/json", "text/plain", "{}").await, 415);
    assert_eq!(post_("/json", json, "{").await, 400);
    assert_eq!(
        post_("/json", json, format!("\"{}\"", "x".repeat(1024 * 1024))).await,
        413
    );
    assert_eq!(
        post_("/small", json, "{\"a\":\"xxxxxxxxxxxxxxxx\"}").await,
        413
    );
    // Without an announced length.
    let chunks =
        futures_util::stream::iter([0, 1].map(|_| Ok::<_, std::io::Error>(vec![b' '; 10])));
    assert_eq!(post_("/small", json, Body::from_stream(chunks)).await, 413);
    let broken = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("gone"))]);
    assert_eq!(post_("/small", json, Body::from_stream(broken)).await, 400);
}

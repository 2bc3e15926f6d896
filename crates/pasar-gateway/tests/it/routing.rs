//! What reaches a service and what does not, and that every refusal is a problem document.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{System, problem, problem_of, raw};

#[tokio::test]
async fn a_request_reaches_its_service_and_its_answer_comes_back() {
    let system = System::start().await;
    let response = system.get("/v1/orders?state=placed").await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        serde_json::json!({ "items": [] })
    );
    assert_eq!(system.orders.seen(), ["GET /v1/orders"]);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_and_405_says_what_is_allowed() {
    let system = System::start().await;
    for path in [
        "/v2/orders",
        "/v1/nothing",
        "/v1",
        "/v1/orders/unknown/deep",
        "//v1/orders",
    ] {
        assert_eq!(
            problem_of(system.get(path).await).await,
            problem(404, "not-found"),
            "{path}"
        );
    }
    let response = system
        .request(Method::DELETE, "/v1/orders")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["allow"], "GET,HEAD,POST");
    assert_eq!(
        problem_of(response).await,
        problem(405, "method-not-allowed")
    );
}

#[tokio::test]
async fn internal_routes_cannot_be_reached_in_any_spelling() {
    let system = System::start().await;
    let (_, admin) = system.logged_in(1, &[pasar_contracts::api::users::Role::Admin]);
    for path in [
        "/internal/v1/orders",
        "//internal/v1/orders",
        "/./internal/v1/orders",
        "/v1/orders/../../internal/v1/orders",
        "/v1/orders/..%2f..%2finternal/v1/orders",
        "/%69nternal/v1/orders",
        "/INTERNAL/v1/orders",
        "/internal\\v1\\orders",
        "http://pasar/internal/v1/orders",
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: pasar\r\nAuthorization: Bearer {admin}\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = raw::send(system.address, request).await;
        assert!(
            [[404], [400]]
                .iter()
                .any(|status| raw::statuses(&answer) == *status),
            "{path}: {answer}"
        );
        assert!(!answer.contains("secret"), "{path}");
    }
}

#[tokio::test]
async fn head_and_options_behave() {
    let system = System::start().await;
    let head = system
        .request(Method::HEAD, "/v1/orders")
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-length"], "12");
    let options = system
        .request(Method::OPTIONS, "/v1/orders")
        .send()
        .await
        .unwrap();
    assert_eq!(options.status(), StatusCode::NO_CONTENT);
    assert_eq!(options.headers()["allow"], "GET,HEAD,POST,OPTIONS");
    let unknown = system
        .request(Method::OPTIONS, "/v1/nothing")
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);
    let answer = raw::send(
        system.address,
        "TRACE /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n",
    )
    .await;
    assert_eq!(raw::statuses(&answer), [405]);
}

#[tokio::test]
async fn what_a_service_did_not_put_into_words_is_a_problem_and_tells_no_secret() {
    let system = System::start().await;
    assert_eq!(
        problem_of(system.get("/v1/orders/broken").await).await,
        problem(500, "internal")
    );
    assert_eq!(
        problem_of(system.get("/v1/orders/teapot").await).await,
        problem(400, "invalid-request")
    );
    assert_eq!(
        problem_of(system.get("/v1/orders/panic").await).await,
        problem(500, "internal")
    );
    assert_eq!(
        system.get("/v1/orders").await.status(),
        200,
        "the panic took nothing with it"
    );
}

#[tokio::test]
async fn answers_name_their_flow_and_request_and_carry_security_headers() {
    let system = System::start().await;
    let response = system
        .request(Method::GET, "/v1/orders/echo")
        .header("x-request-id", "client-chosen-7")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .send()
        .await
        .unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("x-request-id"), "client-chosen-7");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; frame-ancestors 'none'"
    );
    assert_eq!(header("cache-control"), "no-store");
    let flow = header("pasar-flow");
    let seen: Value = response.json().await.unwrap();
    assert_eq!(seen["flow"], flow.as_str());
    assert_eq!(
        seen["traceparent"],
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    );

    let own = system.get("/v1/orders").await.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(own.starts_with("req_"), "{own}");
    let odd = "a".repeat(500);
    let response = system
        .request(Method::GET, "/v1/orders")
        .header("x-request-id", odd)
        .send()
        .await
        .unwrap();
    assert!(
        response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .starts_with("req_")
    );
}

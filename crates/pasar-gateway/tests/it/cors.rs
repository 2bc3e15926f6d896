//! Pages of other origins.

use reqwest::{Method, Response};

use crate::support::System;

async fn ask(system: &System, method: Method, origin: &str) -> Response {
    let mut request = system
        .request(method.clone(), "/v1/orders")
        .header("origin", origin);
    if method == Method::OPTIONS {
        request = request.header("access-control-request-method", "POST");
    }
    request.send().await.unwrap()
}

fn allowed(response: &Response) -> Option<&str> {
    response
        .headers()
        .get("access-control-allow-origin")
        .map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn no_origin_is_allowed_unless_the_configuration_says_so() {
    let system = System::start().await;
    let response = ask(&system, Method::GET, "https://shop.example").await;
    assert_eq!(
        (response.status().as_u16(), allowed(&response)),
        (200, None)
    );
    let preflight = ask(&system, Method::OPTIONS, "https://shop.example").await;
    assert_eq!(allowed(&preflight), None);
    assert_eq!(
        system.orders.seen().len(),
        1,
        "a preflight is answered here"
    );
}

#[tokio::test]
async fn a_listed_origin_is_allowed_and_others_are_not() {
    let system =
        System::with(|setup| setup.config.cors_origins = vec!["https://shop.example".into()]).await;
    let preflight = ask(&system, Method::OPTIONS, "https://shop.example").await;
    assert_eq!(preflight.status(), 204);
    assert_eq!(allowed(&preflight), Some("https://shop.example"));
    let header = |name: &str| preflight.headers()[name].to_str().unwrap().to_owned();
    assert!(header("access-control-allow-methods").contains("POST"));
    assert!(header("access-control-allow-headers").contains("Idempotency-Key"));
    assert!(
        !preflight
            .headers()
            .contains_key("access-control-allow-credentials")
    );

    let listed = ask(&system, Method::GET, "https://shop.example").await;
    assert_eq!(allowed(&listed), Some("https://shop.example"));
    assert_eq!(listed.headers()["vary"], "Origin");
    assert!(
        listed.headers()["access-control-expose-headers"]
            .to_str()
            .unwrap()
            .contains("RateLimit")
    );
    let other = ask(&system, Method::GET, "https://shop.example.evil.example").await;
    assert_eq!(allowed(&other), None);
    assert_eq!(other.headers()["vary"], "Origin");
}

#[tokio::test]
async fn refusals_can_be_read_by_pages_of_allowed_origins() {
    let system = System::with(|setup| setup.config.cors_origins = vec!["*".into()]).await;
    let request = system
        .request(Method::GET, "/v1/orders")
        .header("origin", "https://shop.example");
    let refused = request.bearer_auth("bad").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(allowed(&refused), Some("*"));
}

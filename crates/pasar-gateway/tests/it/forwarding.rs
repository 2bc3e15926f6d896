//! Who a client is, behind proxies and against claims.

use reqwest::Method;
use serde_json::Value;

use crate::support::System;

async fn echo(system: &System, headers: &[(&str, &str)]) -> Value {
    let mut request = system.request(Method::GET, "/v1/orders/echo");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn what_a_client_says_of_itself_does_not_reach_the_service() {
    let system = System::start().await;
    let claims = [
        ("x-pasar-identity", "admin"),
        ("x-pasar-actor", "service:orders"),
        ("x-forwarded-for", "198.51.100.7"),
        ("forwarded", "for=198.51.100.7"),
        ("x-real-ip", "198.51.100.7"),
        ("idempotency-key", "k1"),
    ];
    let seen = echo(&system, &claims).await;
    assert_eq!(seen["actor"], "anonymous");
    assert_eq!(seen["address"], "127.0.0.1");
    let text = seen["headers"].to_string();
    assert!(text.contains("idempotency-key: k1"), "{text}");
    for (name, _) in &claims[..5] {
        assert!(!text.contains(name), "{name} in {text}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    let system = System::with(|setup| {
        setup.config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let seen = echo(&system, &[("x-forwarded-for", "6.6.6.6, 198.51.100.7")]).await;
    assert_eq!(seen["address"], "198.51.100.7");
}

#[tokio::test]
async fn credentials_end_at_the_gateway() {
    let system = System::start().await;
    let (_, token) = system.logged_in(1, &[pasar_contracts::api::users::Role::Customer]);
    let seen: Value = system
        .get_as(&token, "/v1/orders/echo")
        .await
        .json()
        .await
        .unwrap();
    assert_ne!(seen["actor"], "anonymous");
    assert!(!seen["headers"].to_string().contains(&token));
}

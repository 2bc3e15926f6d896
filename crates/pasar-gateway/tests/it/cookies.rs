//! Sessions of pages: tokens in cookies that no script reads and no other origin uses.

use pasar_contracts::api::users::Role;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::{System, problem, problem_of};

fn cookies(response: &Response) -> Vec<String> {
    let all = response.headers().get_all("set-cookie").iter();
    all.map(|cookie| cookie.to_str().unwrap().to_owned())
        .collect()
}

fn step(system: &System, path: &str) -> RequestBuilder {
    system
        .request(Method::POST, path)
        .header("prefer", "session=cookie")
        .header("origin", format!("http://{}", system.address))
}

#[tokio::test]
async fn a_page_logs_in_refreshes_and_logs_out_without_seeing_a_token() {
    let system = System::start().await;
    let login =
        step(&system, "/v1/auth/login").json(&json!({ "email": "a@b.c", "password": "right" }));
    let login = login.send().await.unwrap();
    assert_eq!(login.headers()["preference-applied"], "session=cookie");
    assert_eq!(
        cookies(&login),
        [
            "__Host-pasar_session=access1; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=600",
            "__Host-pasar_refresh=pasar_rt_1; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=2592000",
        ]
    );
    assert_eq!(
        login.json::<Value>().await.unwrap(),
        json!({ "expires_in": 600 })
    );

    let refresh =
        step(&system, "/v1/auth/refresh").header("cookie", "__Host-pasar_refresh=pasar_rt_1");
    let refresh = refresh.send().await.unwrap();
    assert_eq!(refresh.status(), 200);
    assert!(cookies(&refresh)[0].starts_with("__Host-pasar_session=access2;"));

    let logout =
        step(&system, "/v1/auth/logout").header("cookie", "__Host-pasar_refresh=pasar_rt_2");
    let logout = logout.send().await.unwrap();
    assert_eq!(logout.status(), 204);
    assert!(
        cookies(&logout)
            .iter()
            .all(|cookie| cookie.contains("=; ") && cookie.ends_with("Max-Age=0"))
    );
    assert_eq!(cookies(&logout).len(), 2);
}

#[tokio::test]
async fn a_refused_login_sets_nothing_and_a_refused_refresh_takes_the_cookies_away() {
    let system = System::start().await;
    let login =
        step(&system, "/v1/auth/login").json(&json!({ "email": "a@b.c", "password": "wrong" }));
    let login = login.send().await.unwrap();
    assert_eq!((login.status().as_u16(), cookies(&login).len()), (401, 0));
    let refresh = step(&system, "/v1/auth/refresh").header("cookie", "__Host-pasar_refresh=stolen");
    let refresh = refresh.send().await.unwrap();
    assert_eq!(
        (refresh.status().as_u16(), cookies(&refresh).len()),
        (401, 2)
    );
    let without = step(&system, "/v1/auth/refresh").send().await.unwrap();
    assert_eq!(problem_of(without).await, problem(401, "unauthenticated"));
}

#[tokio::test]
async fn a_login_by_cookie_cannot_be_forged_from_elsewhere() {
    let system = System::start().await;
    let forged = system
        .request(Method::POST, "/v1/auth/login")
        .header("prefer", "session=cookie")
        .header("origin", "https://evil.example")
        .json(&json!({ "email": "a@b.c", "password": "right" }));
    assert_eq!(
        problem_of(forged.send().await.unwrap()).await,
        problem(403, "forbidden")
    );
}

#[tokio::test]
async fn without_the_preference_login_answers_tokens() {
    let system = System::start().await;
    let login = system
        .request(Method::POST, "/v1/auth/login")
        .json(&json!({ "email": "a@b.c", "password": "right" }))
        .send()
        .await
        .unwrap();
    assert_eq!(cookies(&login).len(), 0);
    assert_eq!(
        login.json::<Value>().await.unwrap()["access_token"],
        "access1"
    );
}

#[tokio::test]
async fn the_cookie_is_an_identity_for_own_pages_only() {
    let system = System::start().await;
    let (_, token) = system.logged_in(1, &[Role::Staff]);
    let own = format!("http://{}", system.address);
    let call = async |method: Method, header: Option<(&str, &str)>| {
        let mut request = system.request(method, "/v1/orders/echo").header(
            "cookie",
            format!("theme=dark; __Host-pasar_session={token}"),
        );
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        match response.status().as_u16() {
            200 => response.json::<Value>().await.unwrap()["actor"]
                .as_str()
                .unwrap()[..4]
                .to_owned(),
            status => status.to_string(),
        }
    };
    assert_eq!(call(Method::GET, None).await, "user");
    assert_eq!(call(Method::GET, Some(("origin", &own))).await, "user");
    assert_eq!(call(Method::POST, Some(("origin", &own))).await, "user");
    assert_eq!(
        call(Method::POST, Some(("origin", "https://kopi.example"))).await,
        "user"
    );
    assert_eq!(
        call(Method::POST, Some(("sec-fetch-site", "same-origin"))).await,
        "user"
    );
    assert_eq!(call(Method::POST, None).await, "403");
    assert_eq!(
        call(Method::POST, Some(("origin", "https://evil.example"))).await,
        "403"
    );
    assert_eq!(call(Method::POST, Some(("origin", "null"))).await, "403");
    assert_eq!(
        call(Method::GET, Some(("origin", "https://evil.example"))).await,
        "anon"
    );
    assert_eq!(
        call(Method::GET, Some(("sec-fetch-site", "cross-site"))).await,
        "anon"
    );
}

#[tokio::test]
async fn a_page_whose_session_ended_goes_on_as_a_stranger_but_a_bearer_is_told() {
    let system = System::start().await;
    let request = system
        .request(Method::GET, "/v1/orders/echo")
        .header("cookie", "__Host-pasar_session=old");
    let seen: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(seen["actor"], "anonymous");
    assert_eq!(system.status_as("old", "/v1/orders/echo").await, 401);
}

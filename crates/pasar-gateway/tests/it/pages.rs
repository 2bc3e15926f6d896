//! What the gateway answers itself.

use pasar_chassis::openapi::defects;
use pasar_contracts::{api::users::Role, problem::ProblemType};
use pasar_gateway::{config::DetailsFor, openapi::operations};
use reqwest::Method;
use serde_json::Value;

use crate::support::{System, problem, problem_of};

#[tokio::test]
async fn the_document_lists_every_public_operation_and_every_problem() {
    let system = System::start().await;
    let response = system.get("/openapi.json").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let tag = response.headers()["etag"].clone();
    let document: Value = response.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], crate::support::PUBLIC_URL);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/v1/orders") && paths.contains_key("/healthz"));
    assert!(!paths.keys().any(|path| path.starts_with("/internal")));
    let shared = &paths["/readyz"]["get"]["responses"]["503"];
    assert_eq!(
        shared["$ref"], "#/components/responses/Problem503",
        "said once"
    );
    let types = &document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
    assert_eq!(types.as_array().unwrap().len(), ProblemType::ALL.len());
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            assert!(!responses.contains_key("default"), "{method} {path}");
            for status in ["400", "401", "413", "429", "431", "500", "503", "504"] {
                assert!(
                    responses.contains_key(status),
                    "{method} {path} lacks {status}"
                );
            }
        }
    }
    let again = system
        .request(Method::GET, "/openapi.json")
        .header("if-none-match", tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
}

#[tokio::test]
async fn the_documents_references_lead_somewhere() {
    let system = System::start().await;
    let text = system.get("/openapi.json").await.text().await.unwrap();
    let document = serde_json::from_str(&text).unwrap();
    let found = defects(&document);
    // The fakes' operations answer nothing but problems.
    let real: Vec<_> = found
        .iter()
        .filter(|defect| !defect.contains("no response that is a success"))
        .collect();
    assert_eq!(real, Vec::<&String>::new());
}

#[tokio::test]
async fn the_document_of_what_is_pushed_says_where() {
    let system = System::start().await;
    let document: Value = system.get("/asyncapi.json").await.json().await.unwrap();
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_eq!(document["servers"]["pasar"]["host"], "kopi.example");
    assert_eq!(document["servers"]["pasar"]["protocol"], "https");
    assert!(document["channels"]["orders"]["messages"]["order.ready.v1"].is_object());
}

#[tokio::test]
async fn operations_are_listed_for_the_matrix() {
    let system = System::start().await;
    let listed = operations(&system.started.openapi);
    let has = |method: Method, path: &str, id: &str| {
        listed
            .iter()
            .any(|(m, p, i)| (m, p.as_str(), i.as_str()) == (&method, path, id))
    };
    assert!(has(Method::GET, "/v1/orders", "/v1/orders"), "{listed:?}");
    assert!(has(Method::GET, "/readyz", "getReadiness"), "{listed:?}");
}

#[tokio::test]
async fn pages_need_nothing_from_elsewhere() {
    let system = System::start().await;
    for path in [
        "/",
        "/docs",
        "/docs/docs.js",
        "/docs/style.css",
        "/problems",
        "/problems/not-found",
    ] {
        let response = system
            .request(Method::GET, path)
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'"),
            "{path}: {policy}"
        );
        let text = response.text().await.unwrap();
        assert!(
            !text.contains("https://") && !text.contains("http://"),
            "{path}"
        );
        assert!(
            !text.contains("<script>") && !text.contains("style="),
            "{path}"
        );
    }
    let coded = system
        .request(Method::GET, "/docs")
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(coded.headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn problems_and_the_index_are_json_for_programs() {
    let system = System::start().await;
    let kinds: Value = system.get("/problems").await.json().await.unwrap();
    assert_eq!(
        kinds["items"].as_array().unwrap().len(),
        ProblemType::ALL.len()
    );
    let one: Value = system
        .get("/problems/state-forbids")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(one["status"], 409);
    assert_eq!(
        problem_of(system.get("/problems/nothing").await).await,
        problem(404, "not-found")
    );
    let index: Value = system.get("/").await.json().await.unwrap();
    assert_eq!(index["docs"], "https://kopi.example/docs");
}

#[tokio::test]
async fn details_are_for_this_machine_and_admins() {
    let system = System::start().await;
    assert_eq!(
        system.get("/metrics").await.status(),
        200,
        "from this machine"
    );
    let forwarded = async |path: &str, credential: Option<&str>| {
        let mut request = system
            .request(Method::GET, path)
            .header("x-forwarded-for", "198.51.100.7");
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        request.send().await.unwrap()
    };
    assert_eq!(forwarded("/metrics", None).await.status(), 401);
    let (_, customer) = system.logged_in(1, &[Role::Customer]);
    let (_, admin) = system.logged_in(2, &[Role::Admin]);
    assert_eq!(forwarded("/metrics", Some(&customer)).await.status(), 403);
    assert_eq!(forwarded("/metrics", Some(&admin)).await.status(), 200);
    let _check = system.host.health.check("a part");
    let blind = forwarded("/readyz", None).await;
    assert_eq!(blind.status(), 503);
    assert!(!blind.text().await.unwrap().contains("a part"));
    assert!(
        system
            .get("/readyz")
            .await
            .text()
            .await
            .unwrap()
            .contains("a part")
    );
}

#[tokio::test]
async fn details_can_be_for_admins_only() {
    let system = System::with(|setup| setup.config.details_for = DetailsFor::Admin).await;
    assert_eq!(system.get("/metrics").await.status(), 401);
    assert_eq!(system.get("/healthz").await.status(), 200);
}

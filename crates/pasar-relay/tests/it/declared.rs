//! Subscriptions that the configuration declares.

use std::collections::BTreeMap;

use pasar_relay::{config::Config, declared::Declared};
use pasar_testkit::{client::Client, host::TestHost, identities};
use serde_json::{Value, json};

/// One start after the other on the same data.
struct Restarts {
    host: TestHost,
    running: Option<(Client, pasar_store::store::Store)>,
}

impl Restarts {
    fn new() -> Self {
        Self {
            host: TestHost::new(),
            running: None,
        }
    }

    async fn start(&mut self, declared: &[Value]) -> Result<Vec<Value>, String> {
        if let Some((_, store)) = self.running.take() {
            self.host.drain().await;
            store.close();
            self.host.restart();
        }
        let config = Config {
            subscriptions: declared
                .iter()
                .map(|it| Declared(serde_json::from_value(it.clone()).unwrap()))
                .collect(),
            ..Config::default()
        };
        let store = pasar_relay::open(&self.host.host).unwrap();
        let started =
            pasar_relay::start(&self.host.host, store.clone(), &BTreeMap::new(), config).await;
        let running = started.map_err(|error| error.to_string())?;
        self.running = Some((Client::new(running.router), store));
        Ok(self.list().await)
    }

    fn client(&self) -> &Client {
        &self.running.as_ref().unwrap().0
    }

    async fn list(&self) -> Vec<Value> {
        let call = self
            .client()
            .get("/v1/subscriptions")
            .as_(identities::admin());
        let page = call.send().await.expect(200).value();
        page["items"].as_array().unwrap().clone()
    }
}

fn declared(name: &str, url: &str) -> Value {
    json!({
        "name": name, "topics": ["client"],
        "destination": {"kind": "rest", "url": url, "headers": {"x-token": "canary"}},
    })
}

#[tokio::test]
async fn the_configuration_makes_changes_and_deletes_them_by_name() {
    let mut restarts = Restarts::new();
    let (a, b) = (
        declared("a", "https://a.example"),
        declared("b", "https://b.example"),
    );
    let first = restarts.start(&[a.clone(), b.clone()]).await.unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!(first[0]["owner"], "operator");
    assert_eq!(first[0]["secrets"], json!(["/headers/x-token"]));
    let again = restarts.start(&[a, b]).await.unwrap();
    assert_eq!(again, first, "nothing was changed");
    let changed = restarts
        .start(&[declared("b", "https://c.example")])
        .await
        .unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["id"], first[1]["id"]);
    assert_eq!(changed[0]["destination"]["url"], "https://c.example");
    let mut bare = declared("b", "https://c.example");
    bare["destination"]
        .as_object_mut()
        .unwrap()
        .remove("headers");
    let bare = restarts.start(&[bare]).await.unwrap();
    assert_eq!(
        bare[0]["secrets"],
        json!([]),
        "what is not said any more is given up"
    );
    assert!(restarts.start(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_api_pauses_them_and_changes_nothing_else() {
    let mut restarts = Restarts::new();
    let a = declared("a", "https://a.example");
    let id = restarts.start(std::slice::from_ref(&a)).await.unwrap()[0]["id"].clone();
    let path = format!("/v1/subscriptions/{}", id.as_str().unwrap());
    let admin = identities::admin;
    let put = restarts
        .client()
        .put(&path)
        .as_(admin())
        .json(&a)
        .send()
        .await;
    assert_eq!(put.expect(409).problem(), "declared");
    let deleted = restarts.client().delete(&path).as_(admin()).send().await;
    assert_eq!(deleted.expect(409).problem(), "declared");
    let paused = restarts
        .client()
        .post(&format!("{path}/pause"))
        .as_(admin())
        .send()
        .await;
    paused.expect(200);
    let after = restarts.start(&[a]).await.unwrap();
    assert_eq!(after[0]["state"], "paused");
}

#[tokio::test]
async fn what_cannot_work_ends_the_start_and_is_named() {
    let mut restarts = Restarts::new();
    let mut nameless = declared("a", "https://a.example");
    nameless.as_object_mut().unwrap().remove("name");
    let twice = [
        declared("a", "https://a.example"),
        declared("a", "https://b.example"),
    ];
    for (declared, place) in [
        (vec![nameless], "relay.subscriptions[0].name"),
        (twice.to_vec(), "relay.subscriptions[1].name"),
        (
            vec![declared("a", "gopher://x")],
            "relay.subscriptions[0].destination.url",
        ),
    ] {
        let refused = restarts.start(&declared).await.unwrap_err();
        assert!(refused.contains(place), "{refused}");
    }
    let shown = format!(
        "{:?}",
        Declared(serde_json::from_value(twice[0].clone()).unwrap())
    );
    assert!(!shown.contains("canary"), "{shown}");
}

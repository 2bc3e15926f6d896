//! Accounts over gRPC, and what other services ask.

use pasar_contracts::{
    api::users::Role,
    event::Service,
    grpc::{
        descriptors,
        users::{
            self, GetSessionRequest, MeRequest, SessionStatus, USERS, User, VerifiedApiKey,
            VerifyApiKeyRequest,
        },
    },
};
use pasar_testkit::{client::Call, identities};
use serde_json::json;

use crate::house::House;

fn method(house: &House, name: &str) -> Call {
    house.client.post(&format!("/{USERS}/{name}"))
}

#[tokio::test]
async fn each_method_lets_in_whom_it_should() {
    let house = House::open().await;
    let (_, ann) = house.person("ann", &[Role::Customer]).await;
    let session = ann.session.unwrap().to_string();
    let calls: [(&str, bool); 3] = [("Me", false), ("VerifyApiKey", true), ("GetSession", true)];
    let mut callers = vec![
        identities::anonymous(),
        identities::service(Service::Orders),
    ];
    for role in Role::ALL {
        let (_, identity) = house.person(role.as_str(), &[*role]).await;
        callers.push(identity);
    }
    let mut known = Vec::new();
    for (name, for_services) in calls {
        for who in &callers {
            let call = method(&house, name).as_(who.clone());
            let call = match name {
                "Me" => call.message(&MeRequest {}),
                "VerifyApiKey" => call.message(&VerifyApiKeyRequest::default()),
                _ => call.message(&GetSessionRequest {
                    id: session.clone(),
                }),
            };
            let is_service = !who.is_anonymous() && who.user_id().is_none();
            let expected = match (for_services, is_service) {
                // For others there is nothing here.
                (true, false) => 5,
                (true, true) if name == "VerifyApiKey" => 16,
                (true, true) => 0,
                (false, true) => 7,
                (false, false) if who.is_anonymous() => 16,
                (false, false) => 0,
            };
            assert_eq!(call.outcome().await, expected, "{name} as {who:?}");
        }
        known.push(format!("/{USERS}/{name}"));
    }
    assert_eq!(descriptors::methods(USERS), known);
}

#[tokio::test]
async fn an_account_is_the_same_over_both() {
    let house = House::open().await;
    let (user, identity) = house.person("ann", &[Role::Staff, Role::Customer]).await;
    let call = method(&house, "Me").as_(identity.clone());
    let me: User = call.message(&MeRequest {}).reply().await.unwrap();
    assert_eq!(me.id, user.id.to_string());
    assert_eq!(me.email, "ann@example.com");
    assert_eq!(me.kind(), users::UserKind::Person);
    assert!(me.roles().any(|role| role == users::Role::Staff));
    let rest = house.client.get("/v1/users/me").as_(identity).send().await;
    let tag = format!("\"v{}\"", me.version);
    assert_eq!(rest.header("etag"), Some(&*tag));
}

#[tokio::test]
async fn a_service_learns_who_a_key_and_a_session_belong_to() {
    let house = House::open().await;
    let (user, identity) = house.person("ann", &[Role::Customer]).await;
    let body = json!({"name": "till", "roles": ["customer"], "rate_limit": {"per_minute": 7}});
    let call = house.client.post("/v1/api-keys").as_(identity.clone());
    let created = call.json(&body).send().await.expect(201).value();
    let verify = |api_key: &str| {
        let call = method(&house, "VerifyApiKey").as_(identities::service(Service::Orders));
        let request = VerifyApiKeyRequest {
            api_key: api_key.to_owned(),
        };
        call.message(&request).reply::<VerifiedApiKey>()
    };
    let verified = verify(created["secret"].as_str().unwrap()).await.unwrap();
    assert_eq!(verified.user_id, user.id.to_string());
    assert_eq!(verified.api_key_id, created["api_key"]["id"]);
    assert_eq!(
        verified.rate_limit,
        Some(users::verified_api_key::RateLimit::RequestsPerMinute(7))
    );
    assert_eq!(verify("pasar_sk_nonsense").await.unwrap_err().code, 16);

    let session = identity.session.unwrap();
    let status: SessionStatus = method(&house, "GetSession")
        .as_(identities::service(Service::Orders))
        .message(&GetSessionRequest {
            id: session.to_string(),
        })
        .reply()
        .await
        .unwrap();
    assert!(status.live);
    assert_eq!(status.session_id, session.to_string());
}

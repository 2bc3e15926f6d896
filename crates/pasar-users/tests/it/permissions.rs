//! Every public route × everybody who may call it. A route that is missing here fails the test.

use std::collections::BTreeMap;

use pasar_chassis::openapi;
use pasar_contracts::{api::users::Role, event::Service};
use pasar_testkit::identities;

use crate::house::House;

/// Who gets past the door.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    Anyone,
    Account,
    Admin,
}

const DOORS: [(&str, Door); 20] = [
    ("register", Door::Anyone),
    ("login", Door::Anyone),
    ("refresh", Door::Anyone),
    ("logout", Door::Anyone),
    ("getJwks", Door::Anyone),
    ("getMe", Door::Account),
    ("patchMe", Door::Account),
    ("putPassword", Door::Account),
    ("exportMe", Door::Account),
    ("listSessions", Door::Account),
    ("deleteSession", Door::Account),
    ("listApiKeys", Door::Account),
    ("createApiKey", Door::Account),
    ("getApiKey", Door::Account),
    ("deleteApiKey", Door::Account),
    ("listUsers", Door::Admin),
    ("getUser", Door::Admin),
    ("putRoles", Door::Admin),
    ("listAudit", Door::Admin),
    // Last, for whoever gets through is gone.
    ("deleteMe", Door::Account),
];

fn operations(house: &House) -> BTreeMap<String, (http::Method, String)> {
    let document = serde_json::to_value(&house.document).unwrap();
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let kind = if path.contains("sessions") {
                "ses"
            } else if path.contains("api-keys") {
                "key"
            } else {
                "usr"
            };
            let path = path.replace("{id}", &format!("{kind}_01h455vb4pex5vsknk084sn02q"));
            found.insert(id, (method.to_uppercase().parse().unwrap(), path));
        }
    }
    found
}

#[tokio::test]
async fn each_route_lets_in_whom_it_should() {
    let house = House::open().await;
    let operations = operations(&house);
    let mut named: Vec<_> = DOORS.iter().map(|(id, _)| (*id).to_owned()).collect();
    named.sort();
    assert_eq!(operations.keys().cloned().collect::<Vec<_>>(), named);

    house.first_admin().await;
    let mut callers = vec![
        ("anonymous", identities::anonymous()),
        ("service", identities::service(Service::Orders)),
    ];
    for role in Role::ALL {
        let (_, identity) = house.person(role.as_str(), &[*role]).await;
        callers.push((role.as_str(), identity));
    }
    let mut judged = 0;
    for (id, door) in DOORS {
        let (method, path) = &operations[id];
        for (name, identity) in &callers {
            // The door is judged before the body is read: this one cannot be.
            let call = house
                .client
                .request(method.clone(), path)
                .as_(identity.clone());
            let call = call.header("content-type", "application/json").body("{");
            let status = call.send().await.status.as_u16();
            let anonymous = identity.is_anonymous();
            match door {
                Door::Anyone => assert!(status == 400 || status == 200, "{id} {name}: {status}"),
                Door::Account | Door::Admin if anonymous => assert_eq!(status, 401, "{id} {name}"),
                Door::Account if identity.user_id().is_none() => {
                    assert_eq!(status, 403, "{id} {name}");
                }
                Door::Admin if !identity.has(Role::Admin) => assert_eq!(status, 403, "{id} {name}"),
                Door::Account | Door::Admin => {
                    let past = [200, 204, 400, 404];
                    assert!(past.contains(&status), "{id} {name}: {status}");
                }
            }
            judged += 1;
        }
    }
    assert_eq!(judged, 140);
}

#[tokio::test]
async fn the_document_keeps_what_it_promises() {
    let house = House::open().await;
    assert_eq!(openapi::defects(&house.document), Vec::<String>::new());
    let text = serde_json::to_string(&house.document).unwrap();
    assert!(!text.contains("/internal/"));
}

//! Flows of the whole system: what one order or message caused, as `pasar flow` and the API tell it.

use std::process::Output;

use serde_json::{Value, json};

use crate::{
    api::order_of,
    system::{System, program},
};

fn flow(system: &System, id: &str, more: &[&str]) -> Output {
    program()
        .args(["flow", id, "--data"])
        .arg(system.folder().data())
        .args(more)
        .output()
        .unwrap()
}

fn printed(system: &System, id: &str) -> String {
    let output = flow(system, id, &[]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_shows_what_an_order_caused_and_what_it_waits_for() {
    let system = System::start();
    system.api("STAFF").product("flow-tea", 10).await;
    let customer = system.api("CUSTOMER");
    let order = customer
        .order(10, &order_of(&[("flow-tea", 1)], "tok_ok"))
        .await
        .expect(201);
    let id = order["id"].as_str().unwrap();
    // The relay has followed every feed to its head.
    system.quiet().await;
    let text = printed(&system, id);
    let place = |event: &str| {
        text.find(&format!("  {event}.v1  "))
            .unwrap_or_else(|| panic!("no {event} in {text}"))
    };
    let mut last = 0;
    for event in [
        "order.placed",
        "payment.initiated",
        "payment.authorized",
        "payment.captured",
        "order.confirmed",
        "stock.sold",
    ] {
        assert!(place(event) > last, "{event} comes too early in {text}");
        last = place(event);
    }
    assert!(place("stock.reserved") > place("order.placed"), "{text}");
    assert!(
        text.contains("waiting for\n  staff: order.preparing.v1 of ord_"),
        "{text}"
    );
    // From its payment too, and the same.
    assert_eq!(printed(&system, &id.replace("ord_", "pay_")), text);

    let own = customer.get(&format!("/v1/flows/{id}")).await.expect(200);
    let steps = own["steps"].as_array().unwrap();
    assert!(steps.len() >= 5, "{own:#}");
    for step in steps {
        assert_eq!(
            (&step["topic"], &step["key"]),
            (&json!("orders"), &json!(id))
        );
    }
    let kiosk = system.api("KIOSK").get(&format!("/v1/flows/{id}")).await;
    assert_eq!(kiosk.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_found_by_its_id_and_what_is_not_there_says_what_to_do() {
    let system = System::start();
    let message = json!({ "text": "halo", "id": "greeting/1" });
    system
        .anonymous()
        .post("/v1/messages", &message)
        .await
        .expect(202);
    let text = printed(&system, "greeting/1");
    assert!(text.contains("message  client"), "{text}");
    assert!(text.contains("waiting for nothing"), "{text}");
    let output = flow(&system, "greeting/1", &["--json"]);
    let flow_of: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(flow_of["steps"][0]["data"], "halo");
    let output = flow(&system, "msg_nothing", &[]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("msg_nothing") && error.contains("no such flow"),
        "{error}"
    );
}

//! A system that is told to end takes no more and leaves nothing half done.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    api::{fresh_key, order_of},
    system::System,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_end_is_there_after_it() {
    let mut system = System::start();
    let kiosk = system.api("KIOSK");
    system.api("STAFF").product("drain-tea", 100_000).await;
    let ended = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (kiosk, ended) = (kiosk.clone(), Arc::clone(&ended));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                while !ended.load(Ordering::Relaxed) {
                    let request = kiosk
                        .request(reqwest::Method::POST, "/v1/orders")
                        .header("idempotency-key", fresh_key())
                        .json(&order_of(&[("drain-tea", 1)], "tok_ok"));
                    let Ok(response) = request.send().await else {
                        break;
                    };
                    if response.status() != 201 {
                        assert_eq!(response.status(), 503, "refused in another way");
                        break;
                    }
                    let order: serde_json::Value = response.json().await.unwrap();
                    acknowledged.push(order["id"].as_str().unwrap().to_owned());
                }
                acknowledged
            })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    system.stop();
    ended.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for client in clients {
        acknowledged.extend(client.await.unwrap());
    }
    assert!(
        acknowledged.len() > 20,
        "there was no load: {}",
        acknowledged.len()
    );

    let system = system.start_again();
    let staff = system.api("STAFF");
    for id in acknowledged {
        assert_eq!(staff.settled(&id).await["state"], "confirmed");
    }
}

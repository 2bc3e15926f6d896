//! Every order settles, whatever its payment does and however often the system stops in between.

use std::collections::BTreeMap;

use crate::{
    api::{cash_order_of, order_of},
    system::{System, check},
};

const QUICK: &str = "[orders]
deadline_s = 5
pay_by_s = 2
[payments.retry]
first_ms = 100
most_ms = 500
[payments.sandbox]
slow_ms = 300
";

#[tokio::test(flavor = "multi_thread")]
async fn every_order_settles_whatever_its_payment_does() {
    let system = System::start_with(QUICK);
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("any-tea", 1_000).await;
    let tokens = [
        "tok_ok",
        "tok_declined",
        "tok_slow",
        "tok_timeout",
        "tok_action",
        "tok_capture_fails",
        "tok_capture_timeout",
        "tok_unheard_of",
    ];
    let mut placed = Vec::new();
    for token in tokens.iter().cycle().take(40) {
        let order = kiosk
            .order(0, &order_of(&[("any-tea", 1)], token))
            .await
            .expect(201);
        placed.push((*token, order["id"].as_str().unwrap().to_owned()));
    }
    for _ in 0..5 {
        let order = kiosk
            .order(0, &cash_order_of(&[("any-tea", 1)]))
            .await
            .expect(201);
        placed.push(("cash", order["id"].as_str().unwrap().to_owned()));
    }
    let mut states: BTreeMap<(&str, String), u32> = BTreeMap::new();
    for (token, id) in &placed {
        let order = staff.settled(id).await;
        *states
            .entry((*token, order["state"].to_string()))
            .or_default() += 1;
    }
    for token in ["tok_ok", "tok_slow", "tok_timeout", "tok_capture_timeout"] {
        let confirmed = states.get(&(token, "\"confirmed\"".to_owned()));
        assert_eq!(confirmed, Some(&5), "{states:?}");
    }
    for token in [
        "tok_declined",
        "tok_action",
        "tok_capture_fails",
        "tok_unheard_of",
    ] {
        let cancelled = states.get(&(token, "\"cancelled\"".to_owned()));
        assert_eq!(cancelled, Some(&5), "{states:?}");
    }
    // Nobody pays: the clock cancels them.
    for (_, id) in placed.iter().filter(|(token, _)| *token == "cash") {
        while staff.settled(id).await["state"] != "cancelled" {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    system.quiet().await;
    assert_eq!(staff.stock("any-tea").await, (1_000 - 20, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_on_where_it_was_when_the_system_starts_again() {
    let mut system = System::start_with("[payments.sandbox]\nslow_ms = 1500");
    let kiosk = system.api("KIOSK");
    system.api("STAFF").product("later-tea", 10).await;
    let order = kiosk
        .order(0, &order_of(&[("later-tea", 1)], "tok_slow"))
        .await
        .expect(201);
    system.stop();
    let (output, report) = check(&system.folder().data(), &[]);
    assert!(
        output.status.success(),
        "in flight is not wrong: {report:#}"
    );

    let system = system.start_again();
    let order = system
        .api("STAFF")
        .settled(order["id"].as_str().unwrap())
        .await;
    assert_eq!(order["state"], "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_raises_no_false_alarm_under_load() {
    let system = System::start();
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("busy-tea", 100_000).await;
    let data = system.folder().data();
    let checking =
        tokio::task::spawn_blocking(move || (0..5).map(|_| check(&data, &[])).collect::<Vec<_>>());
    let mut placed = 0;
    while !checking.is_finished() {
        let tokens = ["tok_ok", "tok_declined", "tok_ok", "tok_ok"];
        let orders = tokens.map(|token| {
            let kiosk = kiosk.clone();
            async move {
                kiosk
                    .order(5, &order_of(&[("busy-tea", 1)], token))
                    .await
                    .expect(201)
            }
        });
        placed += futures_util::future::join_all(orders).await.len();
    }
    assert!(placed >= 10, "there was no load: {placed} orders");
    for (output, report) in checking.await.unwrap() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors} {report:#}");
        assert_eq!(report["running"], true);
    }
}

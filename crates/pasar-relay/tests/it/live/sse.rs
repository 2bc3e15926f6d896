//! Server-sent events: who sees what, in which form, and where a stream goes on.

use pasar_relay::config::Config;
use pasar_testkit::identities::{anonymous, customer, staff};
use serde_json::{Value, json};

use super::system::{A_HEARTBEAT, System, key, told};

#[tokio::test]
async fn a_message_comes_as_an_event_with_its_position_and_type() {
    let system = System::start().await;
    let mut whole = system.listen("/v1/streams/client").await;
    let mut data = system.listen("/v1/streams/client?format=data").await;
    let mut raw = system.listen("/v1/streams/*?format=raw").await;
    system
        .post_to("client", "greeting.said", &json!("ha\nlo"))
        .await;
    let event = whole.next().await.unwrap();
    assert_eq!(event.id.as_deref(), Some("1"));
    assert_eq!(event.event.as_deref(), Some("greeting.said"));
    let cloudevent = event.json();
    assert_eq!(cloudevent["specversion"], "1.0");
    assert_eq!(cloudevent["data"], "ha\nlo");
    assert_eq!(cloudevent["position"], "1");
    assert_eq!(data.next().await.unwrap().data, "\"ha\\nlo\"");
    assert_eq!(raw.next().await.unwrap().data, "ha\nlo");
}

#[tokio::test]
async fn a_stream_of_one_instance_tells_what_was_sent_to_another_and_is_resumed_there() {
    let [first, second] = System::two().await;
    let mut stream = second.listen("/v1/streams/client?format=data").await;
    let mut last = String::new();
    for number in 1..=20 {
        let sender = if number % 3 == 0 { &second } else { &first };
        sender.post(number).await;
        // At once, before it has heard of it.
        if number == 20 {
            let mut resumed = second.resume("/v1/streams/client?format=data", "19").await;
            assert_eq!(told(&resumed.next().await.unwrap()), (20, json!(20)));
        }
    }
    for number in 1..=20 {
        let event = stream.next().await.unwrap();
        assert_eq!(told(&event), (number, json!(number)));
        last = event.id.unwrap();
    }
    second.post(21).await;
    let mut resumed = first.resume("/v1/streams/client?format=data", &last).await;
    assert_eq!(told(&resumed.next().await.unwrap()), (21, json!(21)));
}

#[tokio::test]
async fn only_the_wanted_topics_and_types_come() {
    let system = System::start().await;
    let mut stream = system
        .listen("/v1/streams/shop.*?types=a,b.*&format=data")
        .await;
    for (topic, kind) in [
        ("shop", "a"),
        ("shop.one", "c"),
        ("shop.one", "a"),
        ("other", "a"),
        ("shop.one.two", "b.x"),
        ("shop.three", "b"),
    ] {
        system.post_to(topic, kind, &json!(kind)).await;
    }
    system.post_to("shop.end", "b.end", &Value::Null).await;
    let mut seen = Vec::new();
    loop {
        let (position, data) = told(&stream.next().await.unwrap());
        if data.is_null() {
            break;
        }
        seen.push((position, data));
    }
    assert_eq!(seen, [(3, json!("a")), (5, json!("b.x"))]);
}

#[tokio::test]
async fn a_reader_that_returns_with_its_last_id_misses_nothing_and_gets_nothing_twice() {
    let system = System::start().await;
    for number in 1..=3 {
        system.post(number).await;
    }
    let path = "/v1/streams/client?format=data";
    let mut stream = system.listen(&format!("{path}&start=earliest")).await;
    for number in 1..=3 {
        assert_eq!(told(&stream.next().await.unwrap()), (number, json!(number)));
    }
    drop(stream);
    for number in 4..=700 {
        system.post(number).await;
    }
    let mut stream = system.resume(path, "3").await;
    system.post(701).await;
    for number in 4..=701 {
        assert_eq!(told(&stream.next().await.unwrap()), (number, json!(number)));
    }
    let mut by_query = system.listen(&format!("{path}&last_event_id=700")).await;
    assert_eq!(told(&by_query.next().await.unwrap()), (701, json!(701)));
    let mut by_start = system.listen(&format!("{path}&start=699")).await;
    assert_eq!(told(&by_start.next().await.unwrap()), (700, json!(700)));
}

#[tokio::test]
async fn across_restarts_while_messages_keep_coming_nothing_is_missed_or_repeated() {
    let mut system = System::start().await;
    let path = "/v1/streams/client?format=data";
    let mut expected = 1;
    let mut last = "0".to_owned();
    for _ in 0..4 {
        let posting = async {
            for number in 1..=100 {
                system.post(number).await;
            }
        };
        let reading = async {
            let mut stream = system.resume(path, &last).await;
            let mut last = last.clone();
            for _ in 0..60 {
                let event = stream.next().await.unwrap();
                assert_eq!(told(&event).0, expected);
                expected += 1;
                last = event.id.unwrap();
            }
            last
        };
        ((), last) = tokio::join!(posting, reading);
        system = system.restart().await;
    }
    assert_eq!(expected, 241);
    let mut stream = system.resume(path, &last).await;
    for position in expected..=400 {
        assert_eq!(told(&stream.next().await.unwrap()).0, position);
    }
}

#[tokio::test]
async fn what_is_not_kept_any_more_is_told_as_a_gap() {
    let system = System::start().await;
    for number in 1..=20 {
        system.post(number).await;
    }
    system.trim(11).await;
    let system = system.restart().await;
    let path = "/v1/streams/client?format=data";
    let mut stream = system.resume(path, "4").await;
    let gap = stream.next().await.unwrap();
    assert_eq!(gap.event.as_deref(), Some("gap"));
    assert_eq!(gap.json(), json!({"after": 4, "upto": 10}));
    assert_eq!(gap.id.as_deref(), Some("10"));
    assert_eq!(told(&stream.next().await.unwrap()), (11, json!(11)));
    // Who saw all that is gone has no gap; nor has who asks for the oldest there is.
    for mut stream in [
        system.resume(path, "10").await,
        system.listen(&format!("{path}&start=earliest")).await,
    ] {
        assert_eq!(told(&stream.next().await.unwrap()), (11, json!(11)));
    }
}

#[tokio::test]
async fn a_place_beyond_the_log_is_a_gap_too() {
    let system = System::start().await;
    system.post(1).await;
    let mut stream = system.resume("/v1/streams/client?format=data", "50").await;
    let gap = stream.next().await.unwrap();
    assert_eq!(gap.json(), json!({"after": 50, "upto": 1}));
    system.post(2).await;
    assert_eq!(told(&stream.next().await.unwrap()), (2, json!(2)));
}

#[tokio::test]
async fn a_stream_tells_its_place_at_once_and_with_each_heartbeat() {
    let system = System::start().await;
    system.post(1).await;
    let mut stream = system.listen("/v1/streams/quiet").await;
    assert_eq!(stream.next_id().await, "1");
    system.host.advance(A_HEARTBEAT);
    assert_eq!(stream.next_id().await, "1");
}

#[tokio::test]
async fn a_customer_sees_the_events_of_own_orders_only() {
    let system = System::start().await;
    let call = system.client.get("/v1/streams/orders").as_(customer(1));
    let mut own = call.stream().await;
    let call = system.client.get("/v1/streams/orders").as_(staff());
    let mut all = call.stream().await;
    for (owner, number) in [(2, 1), (1, 2), (2, 3), (1, 4)] {
        system.order_ready(owner, number);
    }
    for number in 1..=4 {
        assert_eq!(all.next().await.unwrap().json()["data"]["number"], number);
    }
    for number in [2, 4] {
        assert_eq!(own.next().await.unwrap().json()["data"]["number"], number);
    }
    // From the log, too.
    let path = "/v1/streams/orders?start=earliest";
    let mut replayed = system.client.get(path).as_(customer(2)).stream().await;
    for number in [1, 3] {
        let event = replayed.next().await.unwrap();
        assert_eq!(event.json()["data"]["number"], number);
    }
}

#[tokio::test]
async fn nobody_reads_what_they_may_not() {
    let system = System::start().await;
    for (identity, topic, status) in [
        (anonymous(), "client", 401),
        (anonymous(), "orders", 401),
        (customer(1), "client", 403),
        (customer(1), "orders.*", 403),
        (customer(1), "*", 403),
        (customer(1), "payments", 403),
        (key(&["subscribe:client"]), "orders", 403),
        (key(&["subscribe:client.*"]), "client", 403),
        (key(&["publish:client"]), "client", 403),
        (key(&["subscribe:client.*"]), "client.a.*", 200),
        (staff(), "*", 200),
    ] {
        let path = format!("/v1/streams/{topic}");
        let call = system.client.get(&path).as_(identity.clone());
        if status == 200 {
            call.stream().await;
        } else {
            call.send().await.expect(status);
        }
    }
}

#[tokio::test]
async fn an_open_client_topic_is_read_from_this_machine_alone() {
    let system = System::with(Config {
        open_client_topic: true,
        ..Config::default()
    })
    .await;
    // The testkit's client comes from another machine.
    let call = system.client.get("/v1/streams/client").as_(anonymous());
    call.send().await.expect(401);
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_by_its_name() {
    let system = System::start().await;
    for (path, field) in [
        ("/v1/streams/a..b", "topic"),
        ("/v1/streams/client?types=a,.b", "types"),
        ("/v1/streams/client?start=yesterday", "start"),
        ("/v1/streams/client?start=-1", "start"),
        ("/v1/streams/client?format=xml", "format"),
        ("/v1/streams/client?last_event_id=x", "last_event_id"),
        ("/v1/streams/client?unknown=1", "unknown"),
    ] {
        let answer = system.get(path).send().await.expect(422);
        assert!(answer.text().contains(field), "{path}: {}", answer.text());
    }
    let call = system
        .get("/v1/streams/client")
        .header("last-event-id", "x");
    call.send().await.expect(400);
}

#[tokio::test]
async fn a_stream_ends_when_the_relay_drains() {
    let system = System::start().await;
    let mut stream = system.listen("/v1/streams/client").await;
    system.stop().await;
    assert_eq!(stream.next().await, None);
}

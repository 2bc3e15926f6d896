use pasar_testkit::{identities::staff, sse::EventStream};
use serde_json::{Value, json};

use crate::counter::{Counter, ann, here};

async fn next(counter: &Counter, stream: &mut EventStream) -> Value {
    let event = counter
        .in_time(stream.next())
        .await
        .expect("the board goes on");
    assert_eq!(event.event.as_deref(), Some("board"));
    json!([event.json()["preparing"], event.json()["ready"]])
}

#[tokio::test]
async fn the_board_shows_what_is_made_and_what_is_ready_to_anybody() {
    let mut counter = Counter::open().await;
    let first = counter.confirmed(ann()).await;
    let second = counter.confirmed(ann()).await;
    let mut stream = counter.client.get("/v1/board/events").stream().await;
    assert_eq!(next(&counter, &mut stream).await, json!([[], []]));
    counter.step(staff(), first, "start").await.expect(200);
    assert_eq!(next(&counter, &mut stream).await, json!([[1], []]));
    counter.step(staff(), second, "start").await.expect(200);
    assert_eq!(next(&counter, &mut stream).await, json!([[1, 2], []]));
    counter.step(staff(), first, "ready").await.expect(200);
    assert_eq!(next(&counter, &mut stream).await, json!([[2], [1]]));
    counter.step(staff(), first, "collect").await.expect(200);
    counter.cancel(staff(), second).await.expect(200);
    let mut last = next(&counter, &mut stream).await;
    if last != json!([[], []]) {
        last = next(&counter, &mut stream).await;
    }
    assert_eq!(last, json!([[], []]));
}

#[tokio::test]
async fn a_board_is_that_of_a_location() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    counter.step(staff(), id, "start").await.expect(200);
    let expected = json!({"location_id": here().to_string(), "preparing": [1], "ready": []});
    for path in [
        "/v1/board".to_owned(),
        format!("/v1/board?location={}", here()),
    ] {
        assert_eq!(
            counter.client.get(&path).send().await.expect(200).value(),
            expected
        );
    }
    let elsewhere = "/v1/board?location=loc_01h455vb4pex5vsknk084sn02q";
    counter.client.get(elsewhere).send().await.expect(404);
    counter
        .client
        .get("/v1/board/events?location=loc_01h455vb4pex5vsknk084sn02q")
        .send()
        .await
        .expect(404);
}

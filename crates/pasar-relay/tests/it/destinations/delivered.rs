//! The whole way: a subscription, the delivery, the kind, the server.

use std::time::Duration;

use pasar_relay::vault::Kinds;
use pasar_testkit::{
    ends::{Access, End, new_name},
    probe::soon,
    receiver::Receiver,
    servers::{Server, Wire},
};
use pasar_types::id::SubscriptionId;
use serde_json::{Value, json};

use crate::delivery::bench::Bench;

const BEFORE: usize = 10;
const WHILE_DOWN: usize = 90;
/// By the clock that the delivery goes by.
const DOWN: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(100);

pub(super) async fn what_comes_while_it_is_down_arrives_in_order_and_slows_nobody<E: End>() {
    let server = match E::CAN_BE_CUT {
        true => Server::shared(E::SERVER).await,
        false => Server::alone(E::SERVER).await,
    };
    let Some(server) = server else {
        return;
    };
    let wire = Wire::to(server.port).await;
    let mut access = Access::plain(&server);
    if E::CAN_BE_CUT {
        access.port = wire.port();
    }
    let name = new_name("");
    let mut end = E::listen(&server, &name).await;
    let receiver = Receiver::ok().await;
    let bench = Bench::of(Kinds::ALL);
    let id = subscribe(&bench, E::settings(&access, &name), "strict").await;
    let rest = json!({"kind": "rest", "url": receiver.url("/")});
    let other = subscribe(&bench, rest, "none").await;

    let mut positions = bench.publish(&[""; BEFORE]).await;
    for position in &positions {
        assert_eq!(soon("the next", end.next()).await.position(), *position);
    }
    bench.quiet(id).await;
    if E::CAN_BE_CUT {
        wire.cut();
    } else {
        server.stop().await;
    }
    positions.extend(bench.publish(&[""; WHILE_DOWN]).await);
    // The clock stands: whoever waited for the one that is down would wait forever.
    receiver.wait_for(BEFORE + WHILE_DOWN).await;
    bench.quiet(other).await;
    for _ in 0..DOWN.as_millis() / STEP.as_millis() {
        bench.host.advance(STEP);
        tokio::task::yield_now().await;
    }
    let down = bench.subscription(id);
    assert_eq!((down.retrying, down.dead_letters), (0, 0));
    if E::CAN_BE_CUT {
        wire.mend();
    } else {
        server.start().await;
        end = E::listen(&server, &name).await;
        for position in &positions[..BEFORE] {
            assert_eq!(soon("the next", end.next()).await.position(), *position);
        }
    }
    let arriving = async {
        // One that came and was not confirmed comes again; the order holds all the same.
        let mut expected = positions[BEFORE..].iter().peekable();
        while let Some(next) = expected.peek() {
            let position = end.next().await.position();
            assert!(position <= **next, "{position} came before {next}");
            expected.next_if(|next| **next == position);
        }
    };
    let turning = async {
        bench
            .advance_until(STEP, "all is delivered", |bench| {
                bench.subscription(id).behind == 0
            })
            .await;
    };
    tokio::join!(soon("what was missed", arriving), turning);
    let delivered = bench.subscription(id);
    assert_eq!((delivered.retrying, delivered.dead_letters), (0, 0));
}

pub(super) async fn a_message_that_is_too_large_is_a_dead_letter_and_holds_up_nothing<E: End>() {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let name = new_name("");
    let mut end = E::listen(&server, &name).await;
    let bench = Bench::of(Kinds::ALL);
    let settings = E::settings(&Access::plain(&server), &name);
    let id = subscribe(&bench, settings, "strict").await;
    let huge = bench.publish_text(&"x".repeat(2 * 1024 * 1024)).await;
    let small = bench.publish(&[""]).await[0];
    assert_eq!(soon("the next", end.next()).await.position(), small);
    bench.quiet(id).await;
    let dead = bench.dead_letters(id);
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].position, dead[0].attempts), (huge, 1));
    assert!(dead[0].last_error.contains("larger"), "{dead:?}");
}

async fn subscribe(bench: &Bench, destination: Value, ordering: &str) -> SubscriptionId {
    let with = json!({"destination": destination, "ordering": ordering});
    bench.subscribe("", "", with).await
}

//! What is kept, and for whom.

use std::time::Duration;

use pasar_relay::config::Config;
use serde_json::json;

use super::{
    bench::Bench,
    double::{Double, no},
};

const HOUR: Duration = Duration::from_secs(3_600);

/// First position that is kept for readers, messages, and their bytes as they are counted.
fn kept(bench: &Bench) -> (i64, i64, i64) {
    let kept = bench.store.read_now(|tx| {
        let (first, bytes) = tx.query_one("SELECT first, bytes FROM log", &[], |row| {
            Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))
        })?;
        let (count, truly) = tx.query_one(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(data)), 0) FROM message",
            &[],
            |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
        )?;
        assert_eq!(bytes, truly, "bytes are counted right");
        Ok((first, count, bytes))
    });
    kept.unwrap()
}

/// The watermark is written once a second, and trimming looks every ten: so it is looked at again and again.
async fn until_kept(bench: &Bench, wanted: (i64, i64, i64)) {
    bench
        .advance_until(Duration::from_secs(10), "trimmed", |bench| {
            kept(bench) == wanted
        })
        .await;
}

fn config() -> Config {
    Config {
        keep_s: 3_600,
        hold_s: 4 * 3_600,
        ..Config::default()
    }
}

#[tokio::test]
async fn what_all_are_done_with_is_trimmed_by_age_but_not_what_waits() {
    let bench = Bench::with(config());
    let double = Double::new("trim");
    let policy = json!({"retry": {"within_s": 864_000}});
    let id = bench.subscribe("double", "trim", policy).await;
    double.answer_next(super::double::not_before(10 * 3_600));
    bench.publish(&[""]).await;
    bench.until_retrying(id, 1).await;
    bench.publish(&[""; 1_200]).await;
    double.wait_for(1_201).await;
    bench
        .until("delivered", |bench| bench.subscription(id).behind == 0)
        .await;
    bench.host.advance(2 * HOUR);
    until_kept(&bench, (1_202, 1, 6)).await;
    bench
        .advance_until(HOUR, "the one that waited came, and is trimmed", |bench| {
            kept(bench) == (1_202, 0, 0)
        })
        .await;
    assert_eq!(double.taken().len(), 1_201);
}

#[tokio::test]
async fn what_is_more_than_the_bytes_that_are_kept_goes_first() {
    let bench = Bench::with(Config {
        keep_bytes: 600,
        ..config()
    });
    let double = Double::new("bytes");
    let id = bench.subscribe("double", "bytes", json!({})).await;
    bench.publish(&[""; 250]).await;
    double.wait_for(250).await;
    bench.quiet(id).await;
    bench.host.advance(Duration::from_secs(10));
    until_kept(&bench, (151, 100, 600)).await;
}

#[tokio::test]
async fn one_that_is_behind_holds_the_log_for_so_long_and_then_is_told_what_it_missed() {
    let bench = Bench::with(config());
    let double = Double::new("overrun");
    let id = bench.subscribe("double", "overrun", json!({})).await;
    bench.publish(&[""; 3]).await;
    double.wait_for(3).await;
    bench.quiet(id).await;
    bench.pause(id).await;
    bench.publish(&[""; 20]).await;
    bench.host.advance(3 * HOUR);
    bench.publish(&[""; 5]).await;
    until_kept(&bench, (4, 25, 150)).await;
    bench.host.advance(HOUR + Duration::from_secs(10));
    until_kept(&bench, (24, 5, 30)).await;
    let event = bench.store.events_after(0, 100).unwrap().pop().unwrap();
    assert_eq!(event.event_type, "subscription.overrun.v1");
    assert!(
        event.data.contains(r#""after":3,"upto":23"#),
        "{}",
        event.data
    );
    bench.resume(id).await;
    double.wait_for(8).await;
    bench.quiet(id).await;
    assert_eq!(double.positions()[3..].iter().copied().min(), Some(24));
}

#[tokio::test]
async fn old_attempts_and_dead_letters_are_forgotten() {
    let bench = Bench::with(Config {
        attempts_keep_s: 60,
        dead_letters_keep_s: 7_200,
        ..config()
    });
    let _double = Double::answering("forgotten", |_| no());
    let policy = json!({"retry": {"attempts": 1}});
    let id = bench.subscribe("double", "forgotten", policy).await;
    bench.publish(&[""; 20]).await;
    bench
        .until("dead", |bench| bench.subscription(id).dead_letters == 20)
        .await;
    bench.host.advance(Duration::from_secs(120));
    bench
        .until("attempts are gone", |bench| bench.attempts(id).is_empty())
        .await;
    assert_eq!(bench.dead_letters(id).len(), 20);
    bench.host.advance(3 * HOUR);
    bench
        .advance_until(Duration::from_secs(10), "dead letters are gone", |bench| {
            bench.dead_letters(id).is_empty()
        })
        .await;
    bench
        .advance_until(Duration::from_secs(10), "so are their messages", |bench| {
            kept(bench).1 == 0
        })
        .await;
}

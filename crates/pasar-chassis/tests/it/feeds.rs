//! What every kind of feed must do, as a follower sees it: each test runs over all kinds. A new kind is one more
//! member of `Kind` and what `Lab` does for it.

mod database;
mod lab;
mod over_http;
mod things;
mod trimmed;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pasar_contracts::event::Service;
use pasar_feed::{
    follow::Follow,
    follower::{Follower, follow},
    tasks::Tasks,
};
use pasar_store::{follower::Position, store::Store};
use tempfile::TempDir;

use self::lab::{Kind, Lab, Noting, seen};
use crate::host::soon;

/// A service that follows, with a database that outlives its tasks.
struct Reader {
    store: Store,
    tasks: Tasks,
    reactions: Arc<Noting>,
    _folder: TempDir,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: lab::open(folder.path(), Service::Inventory),
            tasks: Tasks::new(),
            reactions: Arc::default(),
            _folder: folder,
        }
    }

    fn follow(&self, feed: Arc<dyn Follow>) -> Follower {
        follow(
            &self.tasks,
            Service::Orders,
            feed,
            self.store.clone(),
            Arc::<Noting>::clone(&self.reactions),
        )
    }

    async fn stop(&mut self) {
        let left = self.tasks.drain(Duration::from_secs(20)).await;
        assert!(left.is_empty(), "{left:?}");
        self.tasks = Tasks::new();
    }

    /// What its follower says that a person has to do.
    async fn alarm(&self) -> String {
        soon(async {
            loop {
                if let [(_, text)] = &self.tasks.alarms()[..] {
                    return text.clone();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// Everything up to a place came once, in order.
    #[track_caller]
    fn has_all(&self, upto: i64) {
        let expected: Vec<i64> = (1..=upto).collect();
        assert_eq!(seen(&self.store), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_comes_once_and_in_order_whoever_writes_at_the_same_time() {
    for kind in Kind::ALL {
        let lab = Lab::new(kind).await;
        let reader = Reader::new();
        lab.publish(700).await;
        let follower = reader.follow(lab.feed(&reader.tasks));
        let writers = (0..8).map(|_| lab.publish(100));
        futures_util::future::join_all(writers).await;
        soon(follower.caught_up_to(1_500)).await;
        reader.has_all(1_500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_where_it_was() {
    for kind in Kind::ALL {
        let lab = Lab::new(kind).await;
        let mut reader = Reader::new();
        lab.publish(10).await;
        let follower = reader.follow(lab.feed(&reader.tasks));
        soon(follower.caught_up_to(10)).await;
        reader.stop().await;
        lab.publish(300).await;
        let follower = reader.follow(lab.feed(&reader.tasks));
        soon(follower.head_at_boot_reached()).await;
        reader.has_all(310);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_starts_again_is_followed_on() {
    for kind in Kind::ALL {
        let mut lab = Lab::new(kind).await;
        let mut reader = Reader::new();
        lab.publish(10).await;
        let follower = reader.follow(lab.feed(&reader.tasks));
        soon(follower.caught_up_to(10)).await;
        for round in 2..5 {
            // Within one process the follower ends with the publisher.
            if kind == Kind::Local {
                reader.stop().await;
            }
            lab.restart().await;
            lab.publish(10).await;
            let follower = match kind {
                Kind::Local => reader.follow(lab.feed(&reader.tasks)),
                Kind::Http => follower.clone(),
            };
            soon(follower.caught_up_to(round * 10)).await;
            reader.has_all(round * 10);
        }
    }
}

/// Far sooner than anybody asks by the clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_waits_is_woken_by_what_happens() {
    for kind in Kind::ALL {
        let lab = Lab::new(kind).await;
        let reader = Reader::new();
        let follower = reader.follow(lab.feed(&reader.tasks));
        lab.publish(1).await;
        soon(follower.caught_up_to(1)).await;
        let mut spans = Vec::new();
        for sequence in 2..22 {
            let begun = Instant::now();
            lab.publish(1).await;
            soon(follower.caught_up_to(sequence)).await;
            spans.push(begun.elapsed());
        }
        spans.sort();
        assert!(
            spans[10] < Duration::from_millis(500),
            "{kind:?}: {spans:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_nobody_and_misses_nothing() {
    for kind in Kind::ALL {
        let lab = Lab::new(kind).await;
        let (slow, quick) = (Reader::new(), Reader::new());
        slow.reactions.hold();
        let feed = lab.feed(&quick.tasks);
        let slowly = slow.follow(Arc::clone(&feed));
        let quickly = quick.follow(feed);
        // More than is kept in memory for anybody.
        for _ in 0..10 {
            lab.publish(1_000).await;
        }
        soon(quickly.caught_up_to(10_000)).await;
        quick.has_all(10_000);
        assert!(slowly.position() < 10_000, "it was not slow");
        slow.reactions.release();
        soon(slowly.caught_up_to(10_000)).await;
        slow.has_all(10_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_at_or_after_what_was_followed_is_followed_on() {
    for kind in Kind::ALL {
        let mut lab = Lab::new(kind).await;
        let mut reader = Reader::new();
        lab.publish(10).await;
        let follower = reader.follow(lab.feed(&reader.tasks));
        soon(follower.caught_up_to(10)).await;
        if kind == Kind::Local {
            reader.stop().await;
        }
        let epoch = lab.restore_to(10).await;
        lab.publish(5).await;
        let follower = match kind {
            Kind::Local => reader.follow(lab.feed(&reader.tasks)),
            Kind::Http => follower,
        };
        soon(follower.caught_up_to(15)).await;
        reader.has_all(15);
        assert!(reader.tasks.alarms().is_empty());
        let at = reader.store.followed(Service::Orders).await.unwrap();
        assert_eq!(
            at,
            [Position {
                epoch,
                sequence: 15
            }]
        );
        assert_eq!(reader.reactions.epoch(), epoch);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_to_before_what_was_followed_stops_the_follower_until_somebody_decides() {
    for kind in Kind::ALL {
        let mut lab = Lab::new(kind).await;
        let mut reader = Reader::new();
        lab.publish(10).await;
        let follower = reader.follow(lab.feed(&reader.tasks));
        soon(follower.caught_up_to(10)).await;
        if kind == Kind::Local {
            reader.stop().await;
        }
        let epoch = lab.restore_to(6).await;
        lab.publish(9).await;
        if kind == Kind::Local {
            reader.follow(lab.feed(&reader.tasks));
        }
        let alarm = reader.alarm().await;
        assert!(alarm.contains("feed-diverged"), "{alarm}");
        assert!(
            alarm.contains("pasar reconcile inventory orders"),
            "{alarm}"
        );
        // It took nothing of what it cannot judge.
        reader.has_all(10);
        reader.stop().await;

        let fork = Position { epoch, sequence: 6 };
        reader.store.reconcile(Service::Orders, fork).await.unwrap();
        let follower = reader.follow(lab.feed(&reader.tasks));
        soon(follower.caught_up_to(15)).await;
        let expected: Vec<i64> = (1..=10).chain(7..=15).collect();
        assert_eq!(seen(&reader.store), expected);
        assert!(reader.tasks.alarms().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_without_a_mark_is_noticed_by_who_was_further() {
    for kind in Kind::ALL {
        let mut lab = Lab::new(kind).await;
        let mut reader = Reader::new();
        lab.publish(10).await;
        let follower = reader.follow(lab.feed(&reader.tasks));
        soon(follower.caught_up_to(10)).await;
        // It goes on where it was, as if nothing had happened.
        reader.stop().await;
        lab.put_back_unsaid(6).await;
        lab.publish(2).await;
        reader.follow(lab.feed(&reader.tasks));
        let alarm = reader.alarm().await;
        assert!(alarm.contains("ends at 8"), "{alarm}");
        assert!(
            alarm.contains("pasar restore --mark --only orders"),
            "{alarm}"
        );
        reader.has_all(10);
        reader.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_waits_notices_that_the_publisher_was_put_back() {
    let mut lab = Lab::new(Kind::Http).await;
    let reader = Reader::new();
    lab.publish(10).await;
    let follower = reader.follow(lab.feed(&reader.tasks));
    soon(follower.caught_up_to(10)).await;
    lab.put_back_unsaid(6).await;
    let alarm = reader.alarm().await;
    assert!(alarm.contains("ends at 6"), "{alarm}");
}

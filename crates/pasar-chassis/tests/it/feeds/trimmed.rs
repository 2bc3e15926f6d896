//! A feed that is trimmed: whoever is new begins with a snapshot and ends where the others are, and whoever was away
//! for too long is not told half of it.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use pasar_contracts::event::Service;
use pasar_feed::tasks::Tasks;
use pasar_store::{fault::Fault, lease::Lease, store::Store};
use pasar_types::time::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{
    database::Database,
    lab::{Kind, Lab},
    things::{self, Knower, MIGRATIONS, change, end, names},
};
use crate::host::soon;

async fn lab(kind: Kind) -> Lab {
    let database = Database::new(Service::Orders, MIGRATIONS, things::needed);
    Lab::on(kind, Some(database)).await
}

/// Trims what was told before a time.
async fn trim(store: &Store, older_than: Timestamp) {
    let lease = Lease::sole("trimming");
    while store.trim(&lease, older_than).await.unwrap().more {}
}

fn now(lab: &Lab) -> Timestamp {
    // What was told a moment ago is older than this on any clock.
    lab.host.clock.now() + Duration::from_millis(1)
}

/// Some things go on, and some have ended.
async fn live(store: &Store, prefix: &str) {
    let (old, ended) = (names(prefix, 300), names(&format!("ended-{prefix}"), 300));
    for keys in [&old, &ended, &old, &ended] {
        change(store, keys.clone()).await;
    }
    end(store, ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_new_begins_with_a_snapshot_and_ends_like_those_who_read_it_all() {
    for kind in Kind::ALL {
        let lab = lab(kind).await;
        let (first, new) = (Knower::new(), Knower::new());
        let read = first.follow(lab.feed(&first.tasks));
        live(lab.store(), "old").await;
        soon(read.caught_up_to(1_500)).await;
        trim(lab.store(), now(&lab)).await;
        assert_eq!(lab.store().trimmed(), 1_500);
        let joined = new.follow(lab.feed(&new.tasks));
        change(lab.store(), names("old", 100)).await;
        end(lab.store(), names("old", 20)).await;
        change(lab.store(), names("new", 10)).await;
        let head = lab.store().head();
        soon(read.caught_up_to(head)).await;
        soon(joined.caught_up_to(head)).await;
        assert_eq!(new.known(), first.known());
        assert_eq!(new.known().len(), 290);
        assert!(first.tasks.alarms().is_empty() && new.tasks.alarms().is_empty());
        let (all, taken) = (first.taken.load(Relaxed), new.taken.load(Relaxed));
        assert!(taken <= all - 900, "it took {taken} of {all}");
    }
}

/// Things are changed and end, and the feed is trimmed up to right before the snapshot's place, while it is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_exact_whatever_happens_while_it_is_read() {
    for kind in Kind::ALL {
        let lab = lab(kind).await;
        let (first, new) = (Knower::new(), Knower::new());
        let read = first.follow(lab.feed(&first.tasks));
        live(lab.store(), "old").await;
        change(lab.store(), names("many", 3_000)).await;
        soon(read.caught_up_to(4_500)).await;
        trim(lab.store(), now(&lab)).await;
        live(lab.store(), "later").await;
        soon(read.caught_up_to(6_000)).await;
        // Nothing that is told from here on: it would take the snapshot's place with it.
        let before = lab.host.clock.now();
        let joined = new.follow(lab.feed(&new.tasks));
        for round in 0..12 {
            let part = names("many", 3_000).split_off(round * 250);
            change(lab.store(), part.iter().take(60).cloned()).await;
            end(lab.store(), part.into_iter().take(30)).await;
            end(
                lab.store(),
                names("old", 300).split_off(round * 25).into_iter().take(5),
            )
            .await;
            trim(lab.store(), before).await;
        }
        let head = lab.store().head();
        soon(read.caught_up_to(head)).await;
        soon(joined.caught_up_to(head)).await;
        assert_eq!(new.known(), first.known());
        assert!(new.tasks.alarms().is_empty(), "{:?}", new.tasks.alarms());
        assert!(lab.store().trimmed() > 4_500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_ends_in_the_middle_of_a_snapshot_goes_on_with_it() {
    for kind in Kind::ALL {
        let lab = lab(kind).await;
        let (first, mut new) = (Knower::new(), Knower::new());
        let read = first.follow(lab.feed(&first.tasks));
        live(lab.store(), "old").await;
        change(lab.store(), names("many", 3_000)).await;
        let at = lab.store().head();
        soon(read.caught_up_to(at)).await;
        trim(lab.store(), now(&lab)).await;
        let mut ends = 0_usize;
        for upto in [1, 700, 1_600, 2_500, 3_300, 4_000] {
            let joined = new.follow(lab.feed(&new.tasks));
            soon(joined.caught_up_to(upto)).await;
            new.stop().await;
            let stored = new.store.stored_position(Service::Orders).await.unwrap();
            ends += usize::from(stored.is_some_and(|stored| stored < at));
            // What ends while nobody reads is not forgotten when the snapshot is read on, be it taken already or not.
            let ended = names("many", 3_000).split_off(500 * ends);
            end(lab.store(), ended.into_iter().take(9)).await;
            let ended = names("old", 300).split_off(40 * ends);
            end(lab.store(), ended.into_iter().take(9)).await;
            change(lab.store(), names("old", 30)).await;
        }
        assert!(ends >= 3, "it was ended in the middle {ends} times");
        let joined = new.follow(lab.feed(&new.tasks));
        let head = lab.store().head();
        soon(read.caught_up_to(head)).await;
        soon(joined.caught_up_to(head)).await;
        assert_eq!(new.known(), first.known());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_away_for_too_long_stops_until_somebody_decides() {
    for kind in Kind::ALL {
        let mut lab = lab(kind).await;
        let (first, mut late) = (Knower::new(), Knower::new());
        change(lab.store(), names("old", 20)).await;
        change(lab.store(), names("seen", 20)).await;
        let followed = late.follow(lab.feed(&late.tasks));
        soon(followed.caught_up_to(40)).await;
        // Within one process nothing is trimmed that a follower needs; this one is gone for that time.
        if kind == Kind::Local {
            late.stop().await;
            late.store.close();
            late.store = late.reopened();
        }
        lab.stop().await;
        lab.host.tasks = Tasks::new();
        let alone = lab.open_alone();
        change(&alone, names("old", 20)).await;
        end(&alone, names("seen", 20)).await;
        change(&alone, names("new", 20)).await;
        trim(&alone, now(&lab)).await;
        assert_eq!(alone.trimmed(), 100);
        alone.close();
        lab.start().await;
        if kind == Kind::Local {
            late.follow(lab.feed(&late.tasks));
        }
        let alarm = soon(async {
            loop {
                if let [(_, text)] = &late.tasks.alarms()[..] {
                    return text.clone();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        assert!(alarm.contains("feed-trimmed"), "{alarm}");
        assert!(
            alarm.contains("pasar reconcile inventory orders"),
            "{alarm}"
        );
        assert!(
            alarm.contains("from 100 on") && alarm.contains("up to 40"),
            "{alarm}"
        );
        assert_eq!(late.known().len(), 40, "it took nothing of the rest");
        late.stop().await;

        late.store.begin_anew(Service::Orders).await.unwrap();
        let followed = late.follow(lab.feed(&late.tasks));
        let read = first.follow(lab.feed(&first.tasks));
        soon(followed.caught_up_to(100)).await;
        soon(read.caught_up_to(100)).await;
        assert!(late.tasks.alarms().is_empty());
        // It has all that there is; what ended while it was away nobody tells it.
        let mut known = late.known();
        known.retain(|key, _| !key.starts_with("seen"));
        assert_eq!(known, first.known());
        assert_eq!((late.known().len(), known.len()), (60, 40));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_a_follower_in_the_process_has_not_taken_is_not_trimmed() {
    let lab = lab(Kind::Local).await;
    let mut slow = Knower::new();
    change(lab.store(), names("a", 10)).await;
    let followed = slow.follow(lab.feed(&slow.tasks));
    soon(followed.caught_up_to(10)).await;
    slow.stop().await;
    change(lab.store(), names("a", 10)).await;
    end(lab.store(), names("a", 10)).await;
    trim(lab.store(), now(&lab)).await;
    assert_eq!(lab.store().trimmed(), 10);
    let followed = slow.follow(lab.feed(&slow.tasks));
    soon(followed.caught_up_to(30)).await;
    assert!(slow.known().is_empty() && slow.tasks.alarms().is_empty());
    trim(lab.store(), now(&lab)).await;
    assert_eq!(lab.store().trimmed(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_refused_with_where_it_goes_on() {
    let lab = lab(Kind::Http).await;
    live(lab.store(), "old").await;
    let asking = Asking { lab: &lab };
    let head = asking.get("?limit=0", None).await.1;
    assert!(head["head"].get("trimmed").is_none(), "{head}");
    trim(lab.store(), now(&lab)).await;
    change(lab.store(), names("new", 1)).await;
    let head = asking.get("?limit=0", None).await.1;
    assert_eq!(
        (&head["head"]["trimmed"], &head["head"]["sequence"]),
        (&1_500.into(), &1_501.into())
    );

    let stream = "text/event-stream";
    let id = format!("{}.1499", lab.store().epoch());
    for (query, headers) in [
        ("?after=0", None),
        ("?after=1499&limit=1", None),
        ("?after=7", Some((stream, None))),
        ("", Some((stream, Some(&*id)))),
    ] {
        let (status, gone) = asking.get(query, headers).await;
        assert_eq!(status, StatusCode::GONE, "{query}: {gone}");
        assert_eq!(gone["type"], "/problems/feed-trimmed");
        assert_eq!(gone["trimmed"], 1_500);
        assert_eq!(gone["snapshot"], "/v1/feeds/orders/snapshot");
    }
    let (status, page) = asking.get("?after=1500", None).await;
    assert_eq!(
        (status, page["events"].as_array().unwrap().len()),
        (StatusCode::OK, 1)
    );

    let (_, part) = asking.get("/snapshot?limit=100", None).await;
    assert_eq!((&part["at"], &part["upto"]), (&1_501.into(), &100.into()));
    assert_eq!(part["events"][0]["subject"], "old0");
    assert!(
        part["events"][0].get("private").is_some(),
        "it goes to a service"
    );
    let (status, _) = asking.get("/snapshot?at=1499&after=100", None).await;
    assert_eq!(
        status,
        StatusCode::GONE,
        "a snapshot of a place that is gone"
    );
    for wrong in [
        "at=1502",
        "at=-1",
        "at=1501&after=1502",
        "limit=0",
        "limit=2049",
    ] {
        let (status, problem) = asking.get(&format!("/snapshot?{wrong}"), None).await;
        assert_eq!(
            status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{wrong}: {problem}"
        );
    }
}

/// A service that asks by itself.
struct Asking<'l> {
    lab: &'l Lab,
}

impl Asking<'_> {
    /// After the feed's path, with what to accept and the id of the last event.
    async fn get(&self, more: &str, headers: Option<(&str, Option<&str>)>) -> (StatusCode, Value) {
        let path = format!("/v1/feeds/orders{more}");
        let (name, value) = (self.lab.introduce())(&path);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client
            .request(Method::GET, format!("http://{}{path}", self.lab.address))
            .header(name, value);
        if let Some((accept, last)) = headers {
            request = request.header("accept", accept);
            if let Some(last) = last {
                request = request.header("last-event-id", last);
            }
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }
}

/// What a follower is told that asks for what is gone, over HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn the_fault_of_a_feed_over_http_says_how_far_it_is_trimmed() {
    for kind in Kind::ALL {
        let lab = lab(kind).await;
        live(lab.store(), "old").await;
        trim(lab.store(), now(&lab)).await;
        change(lab.store(), names("new", 1)).await;
        // In memory everything is there; what another instance answers from its database is not.
        let tasks = Tasks::new();
        let mut lab = lab;
        lab.restart().await;
        let feed = lab.feed(&tasks);
        for fault in [
            feed.after(3, 10).await.unwrap_err(),
            feed.snapshot(1_400, 3, 10).await.unwrap_err(),
        ] {
            assert!(matches!(fault, Fault::Trimmed { upto: 1_500 }), "{fault:?}");
        }
        assert_eq!(feed.trimmed().await.unwrap(), 1_500);
        tasks.drain(Duration::from_secs(20)).await;
    }
}

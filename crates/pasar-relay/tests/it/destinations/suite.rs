//! What holds for every kind of destination, one send at a time or several.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use pasar_contracts::api::relay::Format;
use pasar_feed::tasks::Tasks;
use pasar_relay::{
    destination::{Failure, Next, Sent},
    destinations::guard::Guard,
};
use pasar_testkit::{
    ends::{Access, End, new_name},
    probe::soon,
    servers::{Server, Wire},
};

use super::end::{is_delivered, message, numbered, open, open_owned, parcel};

/// Sends that overlap.
const MANY: i64 = 300;
/// How soon a connection's tasks end.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// Larger than the test servers take.
const TOO_LARGE: usize = 2 * 1024 * 1024;

pub(super) async fn a_message_arrives_as_its_format_says_with_its_attributes<E: End>() {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let name = new_name("");
    let mut end = E::listen(&server, &name).await;
    let destination = open(&E::settings(&Access::plain(&server), &name), Guard::open());
    for (position, format) in [Format::Cloudevents, Format::Data, Format::Raw]
        .into_iter()
        .enumerate()
    {
        let parcel = parcel(message(i64::try_from(position).unwrap(), "halo"), format);
        let sent = destination.send(&parcel).await;
        assert!(is_delivered(&sent), "{sent:?}");
        let got = soon("the message", end.next()).await;
        assert_eq!(got.body, parcel.body);
        if !E::HAS_ATTRIBUTES {
            continue;
        }
        assert_eq!(got.content_type, &*parcel.content_type);
        let attribute = |name: &str| got.attributes.get(name).map(String::as_str);
        assert_eq!(got.id(), &*parcel.message.id);
        assert_eq!(attribute("type"), Some("greeting.said"));
        assert_eq!(attribute("source"), Some("/pasar/client"));
        assert_eq!(attribute("topic"), Some("client"));
        assert_eq!(attribute("partitionkey"), Some("room-1"));
        assert_eq!(attribute("time"), Some(&*parcel.message.time.to_string()));
        assert_eq!(attribute("tenant"), Some("warung"));
    }
}

pub(super) async fn with_tls_only_a_certificate_that_is_trusted_will_do<E: End>() {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let name = new_name("");
    let mut end = E::listen(&server, &name).await;
    let trusting = Access::tls(&server, &server.ca);
    let sent = open(&E::settings(&trusting, &name), Guard::open())
        .send(&numbered(1))
        .await;
    assert!(is_delivered(&sent), "{sent:?}");

    let doubting = Access::tls(&server, &server.other_ca);
    let sent = open(&E::settings(&doubting, &name), Guard::open())
        .send(&numbered(2))
        .await;
    let failure = failure(sent);
    assert!(failure.detail.contains("certificate"), "{failure:?}");
    assert_eq!(failure.next, Next::Retry);

    // Nothing of the second was sent before the first thing that follows it.
    let sent = open(&E::settings(&trusting, &name), Guard::open())
        .send(&numbered(3))
        .await;
    assert!(is_delivered(&sent), "{sent:?}");
    assert_eq!(soon("the first", end.next()).await.id(), "msg_1");
    assert_eq!(soon("the third", end.next()).await.id(), "msg_3");
}

pub(super) async fn wrong_credentials_say_what_to_change_and_cost_an_attempt<E: End>() {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let access = Access {
        password: "not-the-password".to_owned(),
        ..Access::plain(&server)
    };
    let destination = open(&E::settings(&access, &new_name("")), Guard::open());
    for attempt in 1..=2 {
        let failure = failure(destination.send(&numbered(attempt)).await);
        assert!(failure.detail.contains("password"), "{failure:?}");
        assert!(!failure.detail.contains("not-the-password"), "{failure:?}");
        assert_eq!(failure.next, Next::Retry);
    }
}

pub(super) async fn what_a_user_may_not_do_says_so<E: End>() {
    let Some(allowed) = E::ALLOWED else {
        return;
    };
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let access = Access {
        user: server.limited_user.clone(),
        ..Access::plain(&server)
    };
    let name = new_name(allowed);
    let mut end = E::listen(&server, &name).await;
    let sent = open(&E::settings(&access, &name), Guard::open())
        .send(&numbered(1))
        .await;
    assert!(is_delivered(&sent), "{sent:?}");
    assert_eq!(soon("what is allowed", end.next()).await.id(), "msg_1");

    let forbidden = open(&E::settings(&access, &new_name("")), Guard::open());
    let all = [numbered(2), numbered(3), numbered(4)];
    for sent in join_all(all.iter().map(|parcel| forbidden.send(parcel))).await {
        let failure = failure(sent);
        assert!(failure.detail.contains("may not"), "{failure:?}");
        assert_eq!(failure.next, Next::Retry);
    }
}

pub(super) async fn a_message_that_is_too_large_is_never_tried_again<E: End>() {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let name = new_name("");
    let mut end = E::listen(&server, &name).await;
    let destination = open(&E::settings(&Access::plain(&server), &name), Guard::open());
    let huge = parcel(message(1, &"x".repeat(TOO_LARGE)), Format::Raw);
    let small = numbered(2);
    let (sent, after) = tokio::join!(destination.send(&huge), destination.send(&small));
    assert_eq!(failure(sent).next, Next::Never);
    // What is sent beside it does not suffer.
    assert!(is_delivered(&after), "{after:?}");
    assert_eq!(soon("the small one", end.next()).await.id(), "msg_2");
}

pub(super) async fn sends_that_overlap_all_arrive_over_one_connection<E: End>() {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let wire = Wire::to(server.port).await;
    let mut access = Access::plain(&server);
    if E::CAN_BE_CUT {
        access.port = wire.port();
    }
    let name = new_name("");
    let mut end = E::listen(&server, &name).await;
    let destination = open(&E::settings(&access, &name), Guard::open());
    let parcels: Vec<_> = (1..=MANY).map(numbered).collect();
    let sent = join_all(parcels.iter().map(|parcel| destination.send(parcel))).await;
    assert!(sent.iter().all(is_delivered), "{sent:?}");
    // What waits for its predecessor comes after it.
    let last = numbered(MANY + 1);
    assert!(is_delivered(&destination.send(&last).await));
    let mut came = BTreeSet::new();
    for _ in &parcels {
        let got = soon("the next", end.next()).await;
        came.insert(got.id()["msg_".len()..].parse::<i64>().unwrap());
    }
    assert!(came.into_iter().eq(1..=MANY));
    assert_eq!(soon("the last", end.next()).await.id(), &*last.message.id);
    if E::CAN_BE_CUT {
        assert_eq!(wire.connections(), 1);
    }
}

pub(super) async fn nothing_of_it_runs_on_without_it<E: End>() {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let name = new_name("");
    let _end = E::listen(&server, &name).await;
    let tasks = Tasks::new();
    let settings = E::settings(&Access::plain(&server), &name);
    let destination = open_owned(&settings, Guard::open(), &tasks);
    assert!(is_delivered(&destination.send(&numbered(1)).await));
    drop(destination);
    let left = tasks.drain(ENDS_WITHIN).await;
    assert_eq!(left, Vec::<&str>::new());
}

pub(super) async fn an_address_that_is_not_allowed_is_not_connected_to<E: End>() {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let wire = Wire::to(server.port).await;
    let name = new_name("");
    let _end = E::listen(&server, &name).await;
    for host in ["127.0.0.1", "localhost"] {
        let access = Access {
            host,
            port: wire.port(),
            ..Access::plain(&server)
        };
        let settings = E::settings(&access, &name);
        let refusing = open(&settings, Guard::closed(Vec::new()));
        let failure = failure(refusing.send(&numbered(1)).await);
        assert!(failure.detail.contains("allowed_networks"), "{failure:?}");
        assert_eq!(wire.connections(), 0);
    }
    if E::CAN_BE_CUT {
        let access = Access {
            port: wire.port(),
            ..Access::plain(&server)
        };
        let guard = Guard::closed(vec!["127.0.0.0/8".parse().unwrap()]);
        let sent = open(&E::settings(&access, &name), guard)
            .send(&numbered(2))
            .await;
        assert!(is_delivered(&sent), "{sent:?}");
        assert_eq!(wire.connections(), 1);
    }
}

fn failure(sent: Sent) -> Failure {
    match sent {
        Sent::Failed(failure) => failure,
        other => panic!("expected a failure, but {other:?}"),
    }
}

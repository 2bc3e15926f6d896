//! A destination that is down for a while, as the kinds themselves see it: they say so at once, and send
//! again once it is back. That nothing is lost then is the delivery's part, played by a loop here.

use std::{collections::HashSet, time::Duration};

use futures_util::future::join_all;
use pasar_relay::{
    destination::{Destination, Parcel, Sent},
    destinations::guard::Guard,
};
use pasar_testkit::{
    ends::{Access, End, new_name},
    probe::soon,
    servers::{Server, Wire},
};

use super::end::{is_delivered, is_unreachable, numbered, open};

/// An outage is told within this time.
const AT_ONCE: Duration = Duration::from_secs(3);
const MANY: i64 = 200;
const ROUNDS: i64 = 100;
const A_FEW: i64 = 20;

pub(super) async fn a_cut_wire_is_said_at_once_and_loses_nothing<E: End>() {
    if !E::CAN_BE_CUT {
        return;
    }
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let wire = Wire::to(server.port).await;
    let access = Access {
        port: wire.port(),
        ..Access::plain(&server)
    };
    let name = new_name("");
    let mut end = E::listen(&server, &name).await;
    let destination = open(&E::settings(&access, &name), Guard::open());
    assert!(is_delivered(&destination.send(&numbered(0)).await));
    assert_eq!(soon("the first", end.next()).await.id(), "msg_0");

    // In the middle of many: each is told to be delivered or not, and what is told is true.
    let parcels: Vec<_> = (1..=MANY).map(numbered).collect();
    let sending = join_all(parcels.iter().map(|parcel| destination.send(parcel)));
    let cutting = async {
        assert_eq!(soon("one of many", end.next()).await.id(), "msg_1");
        wire.cut();
    };
    let (sent, ()) = tokio::join!(sending, cutting);
    assert!(
        sent.iter().all(|it| is_delivered(it) || is_unreachable(it)),
        "{sent:?}"
    );
    let began = tokio::time::Instant::now();
    let while_down = join_all(parcels.iter().map(|parcel| destination.send(parcel))).await;
    assert!(while_down.iter().all(is_unreachable), "{while_down:?}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());

    wire.mend();
    let mut missing: HashSet<String> = sent
        .iter()
        .zip(&parcels)
        .filter(|(sent, _)| is_delivered(sent))
        .map(|(_, parcel)| parcel.message.id.to_string())
        .collect();
    missing.remove("msg_1");
    let last = numbered(MANY + 1);
    assert!(is_delivered(&until_reached(&*destination, &last).await));
    loop {
        let got = soon("what was told to be delivered", end.next()).await;
        missing.remove(got.id());
        if got.id() == &*last.message.id {
            break;
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// What was on the wire is lost, and the next connection must not vouch for it.
pub(super) async fn a_wire_that_blinks_confirms_nothing_that_was_lost<E: End>() {
    if !E::CAN_BE_CUT {
        return;
    }
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let wire = Wire::to(server.port).await;
    let access = Access {
        port: wire.port(),
        ..Access::plain(&server)
    };
    let name = new_name("");
    let mut end = E::listen(&server, &name).await;
    let destination = open(&E::settings(&access, &name), Guard::open());
    let mut told = HashSet::new();
    let mut lost = 0;
    for round in 0..ROUNDS {
        let first = 1 + round * A_FEW;
        let parcels: Vec<_> = (first..first + A_FEW).map(numbered).collect();
        let sending = join_all(parcels.iter().map(|parcel| destination.send(parcel)));
        let blinking = async {
            // Each round a little later.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            wire.blink();
        };
        let began = tokio::time::Instant::now();
        let (sent, ()) = tokio::join!(sending, blinking);
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        for (sent, parcel) in sent.iter().zip(&parcels) {
            match is_delivered(sent) {
                true => drop(told.insert(parcel.message.id.to_string())),
                false => lost += 1,
            }
        }
    }
    // Or nothing was tried.
    assert!(lost > 0);
    let last = numbered(1 + ROUNDS * A_FEW);
    assert!(is_delivered(&until_reached(&*destination, &last).await));
    loop {
        let got = soon("what was told to be delivered", end.next()).await;
        told.remove(got.id());
        if got.id() == &*last.message.id {
            break;
        }
    }
    assert!(told.is_empty(), "{} are missing", told.len());
}

pub(super) async fn a_server_that_restarts_gets_what_it_missed<E: End>() {
    if !E::IS_DURABLE {
        return;
    }
    let Some(server) = Server::alone(E::SERVER).await else {
        return;
    };
    let name = new_name("");
    drop(E::listen(&server, &name).await);
    let destination = open(&E::settings(&Access::plain(&server), &name), Guard::open());
    assert!(is_delivered(&destination.send(&numbered(0)).await));

    server.stop().await;
    let parcels: Vec<_> = (1..=MANY).map(numbered).collect();
    let began = tokio::time::Instant::now();
    let while_down = join_all(parcels.iter().map(|parcel| destination.send(parcel))).await;
    assert!(while_down.iter().all(is_unreachable), "{while_down:?}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    server.start().await;

    for parcel in &parcels {
        let sent = until_reached(&*destination, parcel).await;
        assert!(is_delivered(&sent), "{sent:?}");
    }
    let mut end = E::listen(&server, &name).await;
    for position in 0..=MANY {
        let got = soon("what was sent before and after", end.next()).await;
        assert_eq!(got.id(), format!("msg_{position}"));
    }
}

/// As the delivery does: an outage costs no attempt.
async fn until_reached(destination: &dyn Destination, parcel: &Parcel) -> Sent {
    soon("the destination is back", async {
        loop {
            let sent = destination.send(parcel).await;
            if !is_unreachable(&sent) {
                return sent;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

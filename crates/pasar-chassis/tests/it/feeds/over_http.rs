//! What only a feed over the network has to stand: cuts, several instances, and strangers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pasar_feed::tasks::Tasks;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Kind, Lab, Reader};
use crate::host::soon;

/// Passes connections on, and cuts each after so many bytes of answers: the limit grows from cut to cut, so
/// that it falls everywhere into an event.
async fn cutting_proxy(target: SocketAddr, cuts: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let cut = cuts.fetch_add(1, Relaxed);
            let mut left = 3_000 + cut * 397;
            let Ok(mut server) = TcpStream::connect(target).await else {
                continue;
            };
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let answers = async {
                    let mut part = [0; 1_024];
                    while left > 0 {
                        let most = part.len().min(left);
                        match from_server.read(&mut part[..most]).await {
                            Ok(read) if read > 0 => {
                                left -= read;
                                if to_client.write_all(&part[..read]).await.is_err() {
                                    return;
                                }
                            }
                            _ => return,
                        }
                    }
                };
                tokio::select! {
                    () = answers => {}
                    _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_in_the_middle_of_events_loses_and_repeats_nothing() {
    let lab = Lab::new(Kind::Http).await;
    let cuts = Arc::new(AtomicUsize::new(0));
    let proxy = cutting_proxy(lab.address, Arc::clone(&cuts)).await;
    let reader = Reader::new();
    let follower = reader.follow(Arc::new(lab.http_feed(&reader.tasks, &[proxy])));
    for round in 1..=30 {
        lab.publish(10).await;
        soon(follower.caught_up_to(round * 10)).await;
    }
    reader.has_all(300);
    assert!(cuts.load(Relaxed) >= 10, "there were {cuts:?} cuts");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_instances_one_that_answers_is_enough() {
    let lab = Lab::new(Kind::Http).await;
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = gone.local_addr().unwrap();
    drop(gone);
    let reader = Reader::new();
    let feed = lab.http_feed(&reader.tasks, &[nowhere, lab.address]);
    let follower = reader.follow(Arc::new(feed));
    lab.publish(20).await;
    soon(follower.caught_up_to(20)).await;
    reader.has_all(20);
}

/// A connection that stays open and says nothing more is found out.
#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_falls_silent_is_asked_again_elsewhere() {
    let lab = Lab::new(Kind::Http).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = silent.accept().await {
            held.push(socket);
        }
    });
    let reader = Reader::new();
    let feed = lab.http_feed(&reader.tasks, &[address, lab.address]);
    let follower = reader.follow(Arc::new(feed));
    lab.publish(3).await;
    soon(follower.caught_up_to(3)).await;
    reader.has_all(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_process_with_the_same_keyring_may_follow() {
    let lab = Lab::new(Kind::Http).await;
    let stranger = Lab::new(Kind::Http).await;
    lab.publish(3).await;
    let tasks = Tasks::new();
    let feed = stranger.http_feed(&tasks, &[lab.address]);
    let fault = pasar_feed::follow::Follow::head(&feed).await.unwrap_err();
    assert!(fault.to_string().contains("same keyring"), "{fault}");
    let path = format!("http://{}/v1/feeds/orders", lab.address);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()["pasar-identity-refused"], "true");
    let body: Value = answer.json().await.unwrap();
    assert!(
        body["detail"].as_str().unwrap().contains("gateway"),
        "{body}"
    );
    tasks.drain(Duration::from_secs(20)).await;
}

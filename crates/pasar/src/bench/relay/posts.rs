//! Messages one by one: as fast as so many connections go, or at a fixed rate.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::{super::http::Connection, child::Child, expect};
use crate::latency::Latencies;

/// What became of messages.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) accepted: u64,
    pub(super) latency: Latencies,
}

/// Connections of messages at a fixed rate.
const CONNECTIONS: usize = 32;

/// So many connections, each sending again as soon as it is answered.
pub(super) async fn closed(
    child: &Child,
    topic: &str,
    connections: usize,
    span: Duration,
) -> anyhow::Result<Tally> {
    let end = Instant::now() + span;
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let (address, head) = (child.address, head(child));
        let topic = topic.to_owned();
        running.spawn_local(async move {
            let mut connection = Connection::open(address).await?;
            let mut request = Vec::with_capacity(512);
            let mut taken = Vec::new();
            while Instant::now() < end {
                let began = Instant::now();
                write(&head, &topic, taken.len(), &mut request);
                let answer = connection.send(&request).await?;
                expect(answer.status == 202, "a message was not accepted")?;
                taken.push(began.elapsed());
            }
            Ok::<_, anyhow::Error>(taken)
        });
    }
    let mut tally = Tally::default();
    while let Some(taken) = running.join_next().await {
        for took in taken.context("a sender panicked")?? {
            tally.accepted += 1;
            tally.latency.record(took);
        }
    }
    Ok(tally)
}

/// So many messages a second, numbered; answers when each was intended to be sent.
pub(super) async fn open(
    child: &Child,
    topic: &str,
    rate: u32,
    span: Duration,
) -> anyhow::Result<Vec<Instant>> {
    let seconds = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    let total = rate.saturating_mul(seconds) as usize;
    let began = Instant::now() + Duration::from_millis(50);
    let pause = Duration::from_secs(1) / rate;
    let at = move |number: usize| began + pause * u32::try_from(number).unwrap_or(u32::MAX);
    let mut running = JoinSet::new();
    for first in 0..CONNECTIONS.min(total) {
        let (address, head, topic) = (child.address, head(child), topic.to_owned());
        running.spawn_local(async move {
            let mut connection = Connection::open(address).await?;
            let mut request = Vec::with_capacity(512);
            for number in (first..total).step_by(CONNECTIONS) {
                tokio::time::sleep_until(at(number).into()).await;
                write(&head, &topic, number, &mut request);
                let answer = connection.send(&request).await?;
                expect(answer.status == 202, "a message was not accepted")?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(sent) = running.join_next().await {
        sent.context("a sender panicked")??;
    }
    Ok((0..total).map(at).collect())
}

fn head(child: &Child) -> String {
    format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        child.address, child.key
    )
}

fn write(head: &str, topic: &str, number: usize, request: &mut Vec<u8>) {
    request.clear();
    let body = super::lines::message(topic, number);
    // Writing to memory does not fail.
    let _ = write!(
        request,
        "{head}content-length: {}\r\n\r\n{body}",
        body.len()
    );
}

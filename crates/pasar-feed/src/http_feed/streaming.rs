//! Keeps one stream of a publisher open, and takes from it what is new.

use std::time::Duration;

use futures_util::StreamExt as _;
use pasar_contracts::{
    api::feeds::{FeedHead, HEAD_EVENT},
    envelope::Envelope,
};

use pasar_store::fault::Fault;

use super::{HttpFeed, publisher::Asked};
use crate::{envelope, follow::Follow as _, sse_frames::Frames};

/// A stream that says nothing for so long is gone: it tells its head every second.
const SILENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Never ends by itself.
pub(super) async fn run(feed: &HttpFeed) {
    let publisher = &feed.0.publisher;
    let mut pause = FIRST_PAUSE;
    let mut failures = 0_usize;
    loop {
        let before = feed.0.known.borrow().head;
        let ended = match listen(feed).await {
            Ok(never) => match never {},
            Err(why) => why,
        };
        if feed.0.known.borrow().head > before {
            (pause, failures) = (FIRST_PAUSE, 0);
        }
        metrics::counter!("pasar_feed_reconnects_total", "publisher" => publisher.service().as_str())
            .increment(1);
        // Once for each outage, however long it lasts.
        if failures == publisher.instances() {
            tracing::warn!(
                publisher = %publisher.service(), url = publisher.url(publisher.asked()), %ended,
                "the feed cannot be reached; it is tried again until it can"
            );
        }
        failures += 1;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn listen(feed: &HttpFeed) -> Result<std::convert::Infallible, String> {
    // Without an epoch nothing is known yet: what is new begins at the head of now.
    if feed.epoch().is_none() {
        feed.head().await.map_err(|fault| fault.to_string())?;
    }
    let publisher = &feed.0.publisher;
    let asked = publisher.asked();
    let heard = hear(feed, asked).await;
    publisher.turn_from(asked);
    heard
}

/// What one instance streams, until it does not.
async fn hear(feed: &HttpFeed, asked: Asked) -> Result<std::convert::Infallible, String> {
    let (epoch, head) = {
        let known = feed.0.known.borrow();
        (known.epoch, known.head)
    };
    let response = match feed.0.publisher.stream(asked, head).await {
        Ok(response) => response,
        Err(fault) => {
            if matches!(fault, Fault::Trimmed { .. }) {
                // It was not heard for so long. Whoever reads on now learns what is missing.
                feed.head().await.map_err(|fault| fault.to_string())?;
            }
            return Err(fault.to_string());
        }
    };
    let mut bytes = response.bytes_stream();
    let mut frames = Frames::default();
    loop {
        let part = tokio::time::timeout(SILENCE, bytes.next())
            .await
            .map_err(|_| "the stream fell silent".to_owned())?
            .ok_or("the stream ended")?
            .map_err(|error| error.to_string())?;
        frames.push(&part);
        while let Some(frame) = frames.next().map_err(|error| error.to_string())? {
            let unreadable = |error: serde_json::Error| format!("{}: {error}", frame.name);
            if frame.name == HEAD_EVENT {
                let said: FeedHead = serde_json::from_str(&frame.data).map_err(unreadable)?;
                feed.learn(&said);
            } else {
                let event: Envelope = serde_json::from_str(&frame.data).map_err(unreadable)?;
                feed.take(event.epoch, envelope::unwrap(event));
            }
        }
        // The stream was asked for from a place of another epoch.
        if feed.epoch() != epoch {
            return Err("the feed began a new epoch".to_owned());
        }
    }
}

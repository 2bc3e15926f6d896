//! A reader of a topic's stream that notes when each message came.

use std::sync::Arc;

use futures_util::StreamExt as _;
use reqwest::Method;
use tokio::task::JoinHandle;

use super::receiver::Arrivals;
use crate::client::Client;

/// Follows a topic until it is aborted.
pub(super) async fn follow(
    client: &Client,
    topic: &str,
    arrivals: Arc<Arrivals>,
) -> anyhow::Result<JoinHandle<()>> {
    let client = client.for_streams()?;
    let request = client.request(Method::GET, &format!("/v1/streams/{topic}"));
    let response = client.open(request).await.map_err(anyhow::Error::from)?;
    Ok(tokio::spawn(async move {
        let mut pieces = response.bytes_stream();
        let mut read = Vec::new();
        while let Some(Ok(piece)) = pieces.next().await {
            read.extend_from_slice(&piece);
            while let Some(end) = read.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = read.drain(..end + 2).collect();
                if !event.starts_with(b":") {
                    arrivals.note(&event);
                }
            }
        }
    }))
}

//! The other end of deliveries, in this process: it answers 204 and notes when each message came.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::{Router, body::Bytes, extract::State, http::StatusCode};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

/// When messages came first, by their numbers.
pub(super) struct Arrivals {
    first: std::sync::Mutex<Vec<Option<Instant>>>,
    count: watch::Sender<u64>,
}

/// It ends when it is dropped.
pub(super) struct Receiver {
    pub(super) url: String,
    pub(super) arrivals: Arc<Arrivals>,
    task: JoinHandle<Result<(), std::io::Error>>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            first: std::sync::Mutex::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl Arrivals {
    /// A message that came: its body or event.
    pub(super) fn note(&self, body: &[u8]) {
        let now = Instant::now();
        if let Some(number) = number(body) {
            let mut first = self
                .first
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if first.len() <= number {
                first.resize(number + 1, None);
            }
            first[number].get_or_insert(now);
        }
        self.count.send_modify(|count| *count += 1);
    }

    /// When a message came, if it did.
    pub(super) fn of(&self, number: usize) -> Option<Instant> {
        let first = self
            .first
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get(number).copied().flatten()
    }

    /// Waits until the first so many have come.
    pub(super) async fn wait_until_over(
        &self,
        wanted: usize,
        patience: Duration,
    ) -> anyhow::Result<()> {
        let mut count = self.count.subscribe();
        let all = async {
            loop {
                let came = {
                    let first = self
                        .first
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    first.iter().take(wanted).filter(|at| at.is_some()).count()
                };
                if came >= wanted || count.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(patience, all)
            .await
            .context("not all messages arrived in time")
    }

    /// Before another phase, whose numbers begin anew.
    fn forget(&self) {
        let mut first = self
            .first
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        first.clear();
    }
}

impl Receiver {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let arrivals = Arc::new(Arrivals::default());
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&arrivals));
        let task = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            url,
            arrivals,
            task,
        })
    }

    /// Waits for so many requests, repeats included, and begins to count anew.
    pub(super) async fn wait_for(&self, wanted: u64, patience: Duration) -> anyhow::Result<()> {
        let mut count = self.arrivals.count.subscribe();
        timeout(patience, count.wait_for(|count| *count >= wanted))
            .await
            .context("not all messages were delivered in time")??;
        self.arrivals.forget();
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(
    State(arrivals): State<Arc<Arrivals>>,
    body: Bytes,
) -> Result<StatusCode, Infallible> {
    arrivals.note(&body);
    Ok(StatusCode::NO_CONTENT)
}

/// The number that a message of the bench carries.
fn number(body: &[u8]) -> Option<usize> {
    let name = b"\"n\":";
    let at = body.windows(name.len()).position(|window| window == name)?;
    let digits = &body[at + name.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

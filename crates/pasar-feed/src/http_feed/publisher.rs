//! Where a publisher is: the addresses of its instances, and what is asked of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue, header::ACCEPT};
use pasar_contracts::{
    api::feeds::{FEEDS, FeedPage, SNAPSHOT, SnapshotPage, SnapshotQuery},
    event::Service,
};
use pasar_store::fault::Fault;
use reqwest::{Client, Response, redirect};
use serde::{Deserialize, de::DeserializeOwned};

/// What is read of a refusal because the feed is trimmed.
#[derive(Deserialize)]
struct Gone {
    trimmed: i64,
}

/// Says who asks: a header for a GET of a path with its query.
pub type Introduce = Arc<dyn Fn(&str) -> (HeaderName, HeaderValue) + Send + Sync>;

/// The instances of a service, any of which can be asked. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    service: Service,
    urls: Arc<[String]>,
    introduce: Introduce,
    client: Client,
    /// Counts turns: whose it is answered last.
    current: Arc<AtomicUsize>,
}

/// The turn in which an instance was asked.
#[derive(Clone, Copy)]
pub(super) struct Asked(usize);

#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("it does not answer")]
    Transport(#[from] reqwest::Error),
    #[error("it answers {0}: {1}")]
    Status(u16, &'static str),
    #[error("its feed is trimmed")]
    Trimmed(i64),
    #[error("it answers something else than a feed")]
    Unreadable(#[from] serde_json::Error),
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Below the time after which services close what lies idle.
const IDLE: Duration = Duration::from_secs(15);

impl Publisher {
    /// `urls` are where its instances are, without a slash at the end.
    ///
    /// # Panics
    /// If there is no URL.
    #[must_use]
    pub fn new(service: Service, urls: &[String], introduce: Introduce) -> Self {
        assert!(!urls.is_empty(), "a publisher is somewhere");
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .build()
            .expect("a client without certificates of its own can be built");
        Self {
            service,
            urls: urls.into(),
            introduce,
            client,
            current: Arc::default(),
        }
    }

    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    pub(super) async fn page(&self, after: i64, limit: u32) -> Result<FeedPage, Fault> {
        self.ask(&format!(
            "{FEEDS}{}?after={after}&limit={limit}",
            self.service
        ))
        .await
    }

    pub(super) async fn snapshot(&self, query: &SnapshotQuery) -> Result<SnapshotPage, Fault> {
        let named = [
            ("at", query.at),
            ("after", query.after),
            ("limit", query.limit.map(i64::from)),
        ];
        let given = named
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| format!("{name}={value}")));
        let query = given.collect::<Vec<_>>().join("&");
        self.ask(&format!("{FEEDS}{}{SNAPSHOT}?{query}", self.service))
            .await
    }

    /// An answer from the instance that answered last, or else from the next that does.
    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let mut last = None;
        for _ in 0..self.urls.len() {
            let asked = self.asked();
            match self.ask_one(asked, path).await {
                Ok(answer) => return Ok(answer),
                Err(Unanswered::Trimmed(upto)) => return Err(Fault::Trimmed { upto }),
                Err(unanswered) => {
                    last = Some(unanswered);
                    self.turn_from(asked);
                }
            }
        }
        let why = last.map_or_else(String::new, |unanswered| chain(&unanswered));
        Err(Fault::Unreachable(format!(
            "the feed of {} at {}: {why}",
            self.service,
            self.urls.join(", ")
        )))
    }

    async fn ask_one<T: DeserializeOwned>(
        &self,
        asked: Asked,
        path: &str,
    ) -> Result<T, Unanswered> {
        let answer = self
            .get(asked, path, "application/json", Some(PAGE_TIMEOUT))
            .await?;
        let body = answer.bytes().await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// A stream of what comes after a place.
    pub(super) async fn stream(&self, asked: Asked, after: i64) -> Result<Response, Fault> {
        let path = format!("{FEEDS}{}?after={after}", self.service);
        let asking = self.get(asked, &path, "text/event-stream", None);
        match tokio::time::timeout(PAGE_TIMEOUT, asking).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(Unanswered::Trimmed(upto))) => Err(Fault::Trimmed { upto }),
            Ok(Err(unanswered)) => Err(Fault::Unreachable(chain(&unanswered))),
            Err(_) => Err(Fault::Unreachable("an answer in time".to_owned())),
        }
    }

    async fn get(
        &self,
        asked: Asked,
        path: &str,
        accept: &'static str,
        within: Option<Duration>,
    ) -> Result<Response, Unanswered> {
        let (name, value) = (self.introduce)(path);
        let mut request = self
            .client
            .get(format!("{}{path}", self.url(asked)))
            .header(ACCEPT, accept)
            .header(name, value);
        if let Some(within) = within {
            request = request.timeout(within);
        }
        let response = request.send().await?;
        match response.status().as_u16() {
            200 => Ok(response),
            410 => {
                let gone: Gone = serde_json::from_slice(&response.bytes().await?)?;
                Err(Unanswered::Trimmed(gone.trimmed))
            }
            401 => Err(Unanswered::Status(
                401,
                "it does not accept who asks; all processes need the same keyring (PASAR_KEYRING, or one data \
                 folder) and clocks less than a minute apart",
            )),
            status => Err(Unanswered::Status(
                status,
                "it is not ready, or something else",
            )),
        }
    }

    /// Whose turn it is.
    pub(super) fn asked(&self) -> Asked {
        Asked(self.current.load(Relaxed))
    }

    pub(super) fn url(&self, Asked(turn): Asked) -> &str {
        &self.urls[turn % self.urls.len()]
    }

    /// Goes on to the next instance, unless somebody has since: two who find the same one silent must not pass
    /// over the one after it.
    pub(super) fn turn_from(&self, Asked(turn): Asked) {
        let next = turn.wrapping_add(1);
        let _ = self.current.compare_exchange(turn, next, Relaxed, Relaxed);
    }

    pub(super) fn instances(&self) -> usize {
        self.urls.len()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use pasar_contracts::api::feeds::FeedHead;
    use pasar_types::{id::EpochId, time::Timestamp};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Answers every request with the same page.
    async fn serve(listener: TcpListener) {
        let page = FeedPage {
            head: FeedHead {
                epoch: EpochId::from_bytes([1; 16]),
                parent: None,
                forked_at: None,
                earlier: Vec::new(),
                sequence: 0,
                trimmed: 0,
                time: Timestamp::default(),
            },
            events: Vec::new(),
        };
        let page = serde_json::to_string(&page).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{page}",
            page.len()
        );
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    }

    async fn listen() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, url)
    }

    #[tokio::test]
    async fn all_who_find_an_instance_gone_at_once_go_on_to_the_next() {
        let (gone, gone_url) = listen().await;
        let (listener, url) = listen().await;
        drop(gone);
        tokio::spawn(serve(listener));
        let introduce: Introduce = Arc::new(|_| (ACCEPT, HeaderValue::from_static("*/*")));
        let publisher = Publisher::new(Service::Orders, &[gone_url, url], introduce);
        let page = || publisher.page(0, 1);
        let pages = tokio::join!(page(), page(), page(), page());
        for page in [pages.0, pages.1, pages.2, pages.3] {
            page.unwrap();
        }
    }
}

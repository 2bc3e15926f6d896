//! The generator: offers orders over HTTP and measures what becomes of each.
//!
//! Open loop: orders come at their times whether or not earlier ones are done, and latency counts from the
//! intended time, so a system that stalls cannot hide it. Closed loop: so many clients, each ordering again
//! as soon as its order is settled; that finds the capacity.

use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{http::Connection, requests::Requests};
use crate::latency::Latencies;

/// Due orders are handed out at least this far apart; tokio's own timer is no finer than 1 ms.
const FINEST_TICK: Duration = Duration::from_micros(250);

#[derive(Clone, Copy, Debug)]
pub(super) enum Offer {
    /// So many clients, each with one order under way.
    Closed { clients: usize },
    /// So many orders a second, over at most so many connections.
    Open { per_second: f64, connections: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The order is answered when it is settled: one call.
    Settled,
    /// The order is answered when it is placed; a long poll then waits until it is settled.
    PlacedThenSettled,
}

/// What became of the orders of one run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) offered: u64,
    pub(super) confirmed: u64,
    /// Settled, cancelled ones included, before the offering ended.
    pub(super) settled_in_time: u64,
    pub(super) settled: u64,
    /// Told to come back later (503).
    pub(super) busy: u64,
    /// Told to slow down (429).
    pub(super) slowed: u64,
    /// Any other answer.
    pub(super) refused: u64,
    /// No answer.
    pub(super) failed: u64,
    /// Due, but no connection was free until the end.
    pub(super) unsent: u64,
    /// From the intended time to the answer that it is placed; nothing when one call was to tell all.
    pub(super) placing: Latencies,
    /// From that answer to the one that it is settled.
    pub(super) settling: Latencies,
    /// From the intended time to the answer that it is settled.
    pub(super) whole: Latencies,
    pub(super) span: Duration,
    /// One answer of those refused, to look at.
    pub(super) example: Option<String>,
}

/// Where to offer orders, and which.
pub(super) struct Generator {
    pub(super) address: SocketAddr,
    pub(super) requests: Requests,
    next: u64,
}

/// One order on its way.
struct Job {
    number: u64,
    intended: Instant,
    connection: Option<Connection>,
}

struct Done {
    connection: Option<Connection>,
    intended: Instant,
    /// Only if it was asked for.
    placed: Option<Instant>,
    at: Instant,
    outcome: Outcome,
}

enum Outcome {
    Confirmed,
    OtherwiseSettled,
    Busy,
    Slowed,
    Refused(String),
    Failed,
}

#[derive(Deserialize)]
struct Order<'a> {
    id: &'a str,
    state: &'a str,
}

impl Generator {
    pub(super) fn new(address: SocketAddr, requests: Requests) -> Self {
        Self {
            address,
            requests,
            next: 0,
        }
    }

    /// Offers for `span`, then waits for what is under way.
    pub(super) async fn run(&mut self, offer: Offer, ask: Ask, span: Duration) -> Tally {
        let Self {
            address,
            requests,
            next,
        } = self;
        let start = Instant::now();
        let end = start + span;
        let (clock, mut due) = mpsc::unbounded_channel();
        let most = offer.begin(clock, start, end);
        let mut tally = Tally {
            span,
            ..Tally::default()
        };
        let mut idle: Vec<Connection> = Vec::with_capacity(most);
        let mut waiting: VecDeque<Instant> = VecDeque::new();
        let mut under_way = FuturesUnordered::new();
        let mut offering = true;
        while offering || !under_way.is_empty() {
            tokio::select! {
                biased;
                Some(done) = under_way.next(), if !under_way.is_empty() => {
                    let done: Done = done;
                    if let Offer::Closed { .. } = offer {
                        waiting.push_back(done.at);
                    }
                    tally.count(done, end, &mut idle);
                }
                intended = due.recv(), if offering => match intended {
                    Some(intended) => waiting.push_back(intended),
                    None => offering = false,
                },
            }
            while under_way.len() < most
                && Instant::now() < end
                && let Some(intended) = waiting.pop_front()
            {
                let job = Job {
                    number: *next,
                    intended,
                    connection: idle.pop(),
                };
                *next += 1;
                tally.offered += 1;
                under_way.push(job.run(*address, requests, ask));
            }
        }
        if let Offer::Open { .. } = offer {
            tally.unsent = waiting.len() as u64;
            tally.offered += tally.unsent;
        }
        tally
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { clients } => write!(f, "{clients} clients"),
            Self::Open { per_second, .. } => write!(f, "{per_second:.0}/s"),
        }
    }
}

impl Offer {
    /// Starts to tell when orders are due; returns how many may be under way.
    fn begin(self, clock: mpsc::UnboundedSender<Instant>, start: Instant, end: Instant) -> usize {
        match self {
            Self::Closed { clients } => {
                for _ in 0..clients {
                    let _ = clock.send(start);
                }
                clients
            }
            Self::Open {
                per_second,
                connections,
            } => {
                thread::spawn(move || keep_time(&clock, per_second, start, end));
                connections
            }
        }
    }
}

/// Tells each intended time when it has come. On a thread of its own, because tokio's timer rounds to 1 ms,
/// which would count as latency.
fn keep_time(
    clock: &mpsc::UnboundedSender<Instant>,
    per_second: f64,
    start: Instant,
    end: Instant,
) {
    let mut number = 0_u32;
    loop {
        let intended = start + Duration::from_secs_f64(f64::from(number) / per_second);
        if intended >= end {
            return;
        }
        let now = Instant::now();
        if intended > now {
            thread::park_timeout((intended - now).max(FINEST_TICK));
        } else if clock.send(intended).is_ok() {
            number += 1;
        } else {
            return;
        }
    }
}

impl Job {
    async fn run(mut self, address: SocketAddr, requests: &Requests, ask: Ask) -> Done {
        let mut placed = None;
        let outcome = match self.order(address, requests, ask, &mut placed).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.connection = None;
                Outcome::Failed
            }
        };
        Done {
            connection: self.connection,
            intended: self.intended,
            placed,
            at: Instant::now(),
            outcome,
        }
    }

    async fn order(
        &mut self,
        address: SocketAddr,
        requests: &Requests,
        ask: Ask,
        placed: &mut Option<Instant>,
    ) -> io::Result<Outcome> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(address).await?),
        };
        let mut request = Vec::with_capacity(768);
        requests.place(self.number, ask == Ask::Settled, &mut request);
        let mut answer = connection.send(&request).await?;
        if answer.status == 201 && ask == Ask::PlacedThenSettled {
            *placed = Some(Instant::now());
        }
        loop {
            let order = match answer.status {
                200 | 201 => serde_json::from_slice::<Order<'_>>(answer.body)?,
                429 => return Ok(Outcome::Slowed),
                503 => return Ok(Outcome::Busy),
                status => {
                    let body = String::from_utf8_lossy(answer.body);
                    return Ok(Outcome::Refused(format!("{status} {body}")));
                }
            };
            match order.state {
                "confirmed" => return Ok(Outcome::Confirmed),
                "placed" | "cancelling" => {}
                _ => return Ok(Outcome::OtherwiseSettled),
            }
            requests.read(self.number, order.id, &mut request);
            answer = connection.send(&request).await?;
        }
    }
}

impl Tally {
    fn count(&mut self, done: Done, end: Instant, idle: &mut Vec<Connection>) {
        idle.extend(done.connection);
        match done.outcome {
            Outcome::Confirmed | Outcome::OtherwiseSettled => {
                self.settled += 1;
                self.confirmed += u64::from(matches!(done.outcome, Outcome::Confirmed));
                self.settled_in_time += u64::from(done.at < end);
                self.whole.record(done.at - done.intended);
                if let Some(placed) = done.placed {
                    self.placing.record(placed - done.intended);
                    self.settling.record(done.at - placed);
                }
            }
            Outcome::Busy => self.busy += 1,
            Outcome::Slowed => self.slowed += 1,
            Outcome::Refused(example) => {
                self.refused += 1;
                self.example.get_or_insert(example);
            }
            Outcome::Failed => self.failed += 1,
        }
    }

    /// Settled orders a second, while orders were offered.
    pub(super) fn goodput(&self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "orders are counted in millions at most"
        )]
        let settled = self.settled_in_time as f64;
        settled / self.span.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Answers every request on every connection with the same order.
    async fn server(status: &'static str, body: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut asked = [0; 2048];
                    while stream.read(&mut asked).await.is_ok_and(|read| read > 0) {
                        let answer = format!(
                            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        address
    }

    fn generator(address: SocketAddr) -> Generator {
        let names = |letter: &str| (0..4).map(|number| format!("{letter}{number}")).collect();
        Generator::new(
            address,
            Requests::new("h".to_owned(), names("k"), names("p"), "run".to_owned()),
        )
    }

    #[tokio::test]
    async fn an_open_loop_offers_what_its_rate_says() {
        let address = server("201 Created", r#"{"id":"ord_1","state":"confirmed"}"#).await;
        let offer = Offer::Open {
            per_second: 1000.0,
            connections: 50,
        };
        let tally = generator(address)
            .run(offer, Ask::Settled, Duration::from_millis(200))
            .await;
        assert_eq!(tally.offered, 200);
        assert_eq!(tally.settled + tally.unsent, 200);
        assert_eq!(tally.whole.spread().unwrap().count as u64, tally.settled);
        assert_eq!(tally.placing.spread(), None);
    }

    #[tokio::test]
    async fn refusals_are_told_apart_and_are_no_goodput() {
        let address = server("503 Service Unavailable", "{}").await;
        let offer = Offer::Closed { clients: 3 };
        let tally = generator(address)
            .run(offer, Ask::Settled, Duration::from_millis(50))
            .await;
        assert!(tally.busy >= 3, "{tally:?}");
        assert_eq!((tally.settled, tally.failed, tally.refused), (0, 0, 0));

        let address = server("422 Unprocessable", "no").await;
        let tally = generator(address)
            .run(offer, Ask::Settled, Duration::from_millis(50))
            .await;
        assert_eq!(tally.example.as_deref(), Some("422 no"));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let offer = Offer::Open {
            per_second: 100.0,
            connections: 5,
        };
        let tally = generator(address)
            .run(offer, Ask::Settled, Duration::from_millis(50))
            .await;
        assert_eq!(tally.offered, 5);
        assert_eq!(tally.failed, 5);
    }
}

//! One instance of a service: where it is, how it is, and how much it has to do.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::{HeaderValue, StatusCode, Uri, uri::Authority};
use metrics::Gauge;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::{
    connection::Connection, http2::Multiplexed, idle::Idle, repeated::Repeated, wire::Wire,
};
use crate::config::{Upstreams, millis};

pub(super) struct Instance {
    url: String,
    pub(super) authority: Authority,
    /// The authority as a request's Host.
    pub(super) host: HeaderValue,
    state: AtomicU8,
    in_flight: AtomicUsize,
    /// Failures in a row.
    failures: AtomicU32,
    most_failures: u32,
    breaker: Mutex<Breaker>,
    pub(super) idle: Idle<Connection>,
    pub(super) wires: Idle<Wire>,
    pub(super) multiplexed: Multiplexed,
    /// That it does not accept who this gateway says it is.
    pub(super) refusals: Repeated,
    up: Gauge,
}

/// Since when nothing is sent to an instance that failed too often, and for how long at least.
struct Breaker {
    opened: Option<Instant>,
    hold: Duration,
}

/// How an instance is. The numbers are those of the atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// Nothing was heard of it yet: it is tried if there is no better.
    Unknown = 0,
    Up = 1,
    /// It answers, and says that it is not ready: better than none.
    Unready = 2,
    /// It is about to end: no new work.
    Draining = 3,
    /// It does not answer, or failed too often.
    Down = 4,
}

/// A request that an instance is busy with, until its answer's body has ended.
pub(super) struct InFlight(Arc<Instance>);

const FIRST_HOLD: Duration = Duration::from_millis(500);
const LONGEST_HOLD: Duration = Duration::from_secs(15);

impl Instance {
    /// `http://host:port`; the error says what is expected.
    pub(super) fn new(service: &str, url: &str, config: &Upstreams) -> Result<Self, String> {
        let expected =
            || format!("services.{service}.urls: expected http://host:port, got {url:?}");
        let uri: Uri = url.parse().map_err(|_| expected())?;
        let is_plain =
            uri.scheme_str() == Some("http") && uri.path().trim_end_matches('/').is_empty();
        let authority = uri.authority().cloned().filter(|_| is_plain);
        let authority = authority.ok_or_else(expected)?;
        let up = metrics::gauge!(
            "pasar_gateway_upstream_up",
            "service" => service.to_owned(), "instance" => authority.to_string()
        );
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| expected())?;
        Ok(Self {
            host,
            url: url.to_owned(),
            authority,
            state: AtomicU8::new(State::Unknown as u8),
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            most_failures: config.failures_in_a_row,
            breaker: Mutex::new(Breaker {
                opened: None,
                hold: FIRST_HOLD,
            }),
            idle: Idle::new(millis(config.idle_ms), config.idle_connections),
            wires: Idle::new(millis(config.idle_ms), config.idle_connections),
            multiplexed: Multiplexed::default(),
            refusals: Repeated::default(),
            up,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn connect(&self, within: Duration) -> std::io::Result<TcpStream> {
        let host = self.authority.host().trim_matches(['[', ']']);
        let port = self.authority.port_u16().unwrap_or(80);
        let connecting = async {
            match host.parse() {
                Ok(address) => TcpStream::connect(SocketAddr::new(address, port)).await,
                Err(_) => TcpStream::connect((host, port)).await,
            }
        };
        let stream = tokio::time::timeout(within, connecting).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub(super) fn state(&self) -> State {
        match self.state.load(Relaxed) {
            1 => State::Up,
            2 => State::Unready,
            3 => State::Draining,
            4 => State::Down,
            _ => State::Unknown,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// It answered a request. Some answers are failures all the same.
    pub(super) fn answered(&self, status: StatusCode) {
        if matches!(
            status,
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
        ) {
            self.failed();
        } else if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
    }

    /// It did not answer a request. So many in a row and it gets no more until it is found well again.
    pub(super) fn failed(&self) {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        if failures >= self.most_failures && self.state() != State::Draining {
            let mut breaker = self.breaker.lock();
            if breaker.opened.is_none() {
                breaker.opened = Some(Instant::now());
            }
            drop(breaker);
            self.set(State::Down);
        }
    }

    /// What a look at it found. An instance whose requests failed stays out for a while although it says that
    /// it is well: longer each time.
    pub(super) fn found(&self, state: State) -> bool {
        let mut breaker = self.breaker.lock();
        if state == State::Up
            && let Some(opened) = breaker.opened
        {
            if opened.elapsed() < breaker.hold {
                return false;
            }
            breaker.opened = None;
            breaker.hold = (breaker.hold * 2).min(LONGEST_HOLD);
            self.failures.store(0, Relaxed);
        } else if state == State::Up && self.failures.load(Relaxed) == 0 {
            breaker.hold = FIRST_HOLD;
        }
        drop(breaker);
        self.set(state)
    }

    /// Answers whether that is news, and it is up.
    fn set(&self, state: State) -> bool {
        let before = self.state.swap(state as u8, Relaxed);
        self.up.set(if state == State::Up { 1.0 } else { 0.0 });
        if matches!(state, State::Draining | State::Down) {
            self.idle.clear();
            self.wires.clear();
            self.multiplexed.clear();
        }
        if before == state as u8 {
            return false;
        }
        tracing::info!(instance = %self.url, ?state, "an instance changed");
        state == State::Up
    }
}

impl InFlight {
    pub(super) fn begin(instance: &Arc<Instance>) -> Self {
        instance.in_flight.fetch_add(1, Relaxed);
        Self(Arc::clone(instance))
    }

    pub(super) fn instance(&self) -> &Arc<Instance> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

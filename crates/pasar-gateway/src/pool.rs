//! A service's instances in other processes: which one gets a request, and what happens when it fails.
//!
//! The least loaded of those that are well is asked. What was not begun goes to another instance; what may
//! have begun does so only if it may happen twice, and only as often as the budget allows.

mod budget;
mod connection;
mod fields;
mod health;
mod http2;
mod idle;
mod instance;
mod instance_io;
mod passed;
mod plain;
mod repeated;
mod tunnel;
mod wire;
mod wire_body;

pub(crate) use self::{
    passed::Passed,
    plain::{PlainRequest, Shown},
};

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use http_body_util::{BodyExt, Limited};
use pasar_chassis::{
    grpc,
    handover::HandsOver,
    host::Host,
    passport::{Passports, REFUSED},
    problem::Problem,
};
use pasar_contracts::problem::ProblemType;
use pasar_feed::tasks::Tasks;
use tokio::sync::Notify;

use self::{
    budget::Budget,
    instance::{InFlight, Instance, State},
};
use crate::{
    config::{Upstreams, millis},
    upgrade,
};

/// Cheap to clone; all clones are one pool.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    instances: Vec<Arc<Instance>>,
    passports: Passports,
    budget: Budget,
    /// Where the search for the least loaded begins, so that equals take turns.
    turn: AtomicUsize,
    tasks: Tasks,
    connect_timeout: Duration,
    /// Told whenever an instance turns out to be well.
    came_up: Notify,
}

/// What became of one try.
enum Tried {
    Answered(Response),
    /// Nothing was sent; the request is whole.
    NotBegun(Request<Body>),
    /// It may have happened.
    Broken,
    /// The client's own body broke off; the instance is not to blame.
    Unsendable,
}

/// What of a request is kept so that it can be sent again.
struct Again {
    parts: Parts,
    body: Bytes,
}

/// Bodies up to this are read before they are sent, so that they can be sent again; larger ones pass through.
const KEPT_BODY_BYTES: u64 = 64 * 1024;
const EVENT_STREAM: &[u8] = b"text/event-stream";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What a client is told to wait while no instance answers.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Pool {
    /// Begins to watch the instances; ends with the host.
    pub(crate) fn start(
        host: &Host,
        name: &str,
        urls: &[String],
        passports: Passports,
        config: &Upstreams,
    ) -> Result<Self, String> {
        let name: Arc<str> = name.into();
        let instances: Result<Vec<_>, String> = urls
            .iter()
            .map(|url| Instance::new(&name, url, config).map(Arc::new))
            .collect();
        let pool = Self(Arc::new(Inner {
            instances: instances?,
            passports,
            budget: Budget::new(config.retry_percent),
            turn: AtomicUsize::new(0),
            tasks: host.tasks.clone(),
            connect_timeout: millis(config.connect_ms),
            came_up: Notify::new(),
            name,
        }));
        health::watch(host, &pool, config);
        Ok(pool)
    }

    /// Resolves when an instance has turned out to be well since the last time.
    pub(crate) async fn came_up(&self) {
        self.0.came_up.notified().await;
    }

    pub(crate) async fn call(&self, request: Request<Body>) -> Result<Response, Problem> {
        self.0.budget.earn();
        let (mut parts, body) = request.into_parts();
        let shown = Shown::of(&parts)?;
        let upgrades = upgrade::is_websocket(&parts.headers);
        if upgrades && parts.extensions.get() != Some(&HandsOver(true)) {
            return Err(Problem::new(ProblemType::InvalidRequest)
                .detail("a WebSocket needs a connection of its own, by HTTP/1.1"));
        }
        let wants_http2 = grpc::is_grpc(&parts.headers);
        fields::to_upstream(&mut parts, upgrades, wants_http2);
        if upgrades {
            let mut request = Request::from_parts(parts, body);
            self.sign(&mut request, &shown);
            return self.tunnel(request).await;
        }
        let (body, kept) = keep(&parts, body).await?;
        // Extensions say things within this process only, and cannot all be sent twice.
        parts.extensions.clear();
        let again = kept.map(|body| Again {
            parts: parts.clone(),
            body,
        });
        let mut request = Request::from_parts(parts, body);
        let mut asked: Vec<usize> = Vec::new();
        let mut tries = 0;
        loop {
            tries += 1;
            let Some((index, instance, in_flight)) = self.choose(&asked) else {
                return Err(self.nobody());
            };
            asked.push(index);
            self.sign(&mut request, &shown);
            let tried = if wants_http2 {
                http2::call(
                    &self.0.tasks,
                    self.0.connect_timeout,
                    &instance,
                    in_flight,
                    request,
                )
                .await
            } else {
                connection::call(self.0.connect_timeout, &instance, in_flight, request).await
            };
            request = match tried {
                Tried::Answered(response) if is_refused(&response) => {
                    return Err(self.refused_by(&instance));
                }
                Tried::Answered(response) => {
                    instance.answered(response.status());
                    let may_repeat = again.as_ref().is_some_and(Again::is_idempotent);
                    let asks_another =
                        may_repeat && self.is_worth_another(response.status(), &asked);
                    match again.as_ref().filter(|_| asks_another) {
                        Some(again) => again.request(),
                        None => return Ok(self.until_drained(fields::from_upstream(response))),
                    }
                }
                Tried::NotBegun(request) => {
                    instance.failed();
                    request
                }
                Tried::Unsendable => return Err(unsendable()),
                Tried::Broken => {
                    // What a client sends without an end can be refused at any time, and that does not tell who
                    // is ill: the next look at the instance does.
                    let Some(again) = &again else {
                        return Err(broken_off());
                    };
                    instance.failed();
                    if !(again.is_idempotent() && self.may_ask_again(&mut asked, tries)) {
                        return Err(broken_off());
                    }
                    again.request()
                }
            };
        }
    }

    /// The least loaded instance that is well and was not asked yet. Ones that say that they are not ready are
    /// better than none.
    fn choose(&self, asked: &[usize]) -> Option<(usize, Arc<Instance>, InFlight)> {
        let count = self.0.instances.len();
        let begin = self.0.turn.fetch_add(1, Relaxed);
        let candidates = || {
            (0..count)
                .map(|offset| begin.wrapping_add(offset) % count)
                .filter(|index| !asked.contains(index))
                .map(|index| (index, &self.0.instances[index]))
        };
        let of_state = |state: State| {
            candidates()
                .filter(|(_, instance)| instance.state() == state)
                .min_by_key(|(_, instance)| instance.in_flight())
        };
        let (index, instance) = of_state(State::Up)
            .or_else(|| of_state(State::Unready))
            .or_else(|| of_state(State::Unknown))?;
        Some((index, Arc::clone(instance), InFlight::begin(instance)))
    }

    /// An event stream has no end of its own: it ends here when this process has to, as it does where the service
    /// runs in it. Whoever follows goes on with `Last-Event-ID`.
    pub(crate) fn until_drained(&self, response: Response) -> Response {
        let kind = response.headers().get(CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(EVENT_STREAM)) {
            return response;
        }
        let tasks = self.0.tasks.clone();
        response.map(|body| {
            let draining = async move { tasks.draining().await };
            Body::from_stream(body.into_data_stream().take_until(draining))
        })
    }

    /// Whether a request that may happen twice goes to another instance after such an answer.
    fn is_worth_another(&self, status: StatusCode, asked: &[usize]) -> bool {
        is_temporary(status) && self.has_other(asked) && self.0.budget.spend()
    }

    /// Whether a request that may happen twice, and may have happened, is sent again.
    fn may_ask_again(&self, asked: &mut Vec<usize>, tries: usize) -> bool {
        if !self.0.budget.spend() {
            return false;
        }
        // Its connection was stale, perhaps: with nobody else left it is asked once more.
        if tries == 1 && !self.has_other(asked) {
            asked.clear();
        }
        true
    }

    fn refused_by(&self, instance: &Instance) -> Problem {
        if instance.refusals.is_news(Instant::now()) {
            tracing::error!(
                service = %self.0.name, instance = instance.url(),
                "the service does not accept this gateway's identity; all processes need the same keyring \
                 (PASAR_KEYRING, or one data folder) and clocks less than a minute apart"
            );
        }
        self.nobody()
    }

    fn has_other(&self, asked: &[usize]) -> bool {
        self.0
            .instances
            .iter()
            .enumerate()
            .any(|(index, instance)| !asked.contains(&index) && instance.state() == State::Up)
    }

    fn sign(&self, request: &mut Request<Body>, shown: &Shown) {
        let path = request.uri().path_and_query();
        let path = path.map_or("/", http::uri::PathAndQuery::as_str);
        let Shown {
            bearer,
            address,
            arrival,
        } = shown;
        let passports = &self.0.passports;
        let (name, value) = passports.issue_to(request.method(), path, bearer, *address, arrival);
        request.headers_mut().insert(name, value);
    }

    async fn tunnel(&self, request: Request<Body>) -> Result<Response, Problem> {
        let mut asked = Vec::new();
        let mut request = request;
        while let Some((index, instance, in_flight)) = self.choose(&asked) {
            asked.push(index);
            match tunnel::open(
                self.0.connect_timeout,
                &self.0.tasks,
                &instance,
                in_flight,
                request,
            )
            .await
            {
                Tried::Answered(response) => {
                    instance.answered(response.status());
                    return Ok(response);
                }
                Tried::NotBegun(whole) => {
                    instance.failed();
                    request = whole;
                }
                Tried::Broken | Tried::Unsendable => {
                    instance.failed();
                    break;
                }
            }
        }
        Err(self.nobody())
    }

    fn nobody(&self) -> Problem {
        Problem::new(ProblemType::Unavailable)
            .detail(format!("{} cannot be reached at the moment", self.0.name))
            .retry_after(RETRY_AFTER)
    }
}

impl Again {
    /// By its method, or because the service remembers what it did for the key.
    fn is_idempotent(&self) -> bool {
        is_idempotent(&self.parts.method) || self.parts.headers.contains_key(IDEMPOTENCY_KEY)
    }

    fn request(&self) -> Request<Body> {
        Request::from_parts(self.parts.clone(), Body::from(self.body.clone()))
    }
}

/// Reads a small body whole; a large one, or one without a length, passes through as it comes.
async fn keep(parts: &Parts, body: Body) -> Result<(Body, Option<Bytes>), Problem> {
    let hint = http_body::Body::size_hint(&body);
    if http_body::Body::is_end_stream(&body) {
        return Ok((Body::empty(), Some(Bytes::new())));
    }
    let told = parts.headers.contains_key(CONTENT_LENGTH) || hint.exact().is_some();
    if !told || hint.upper().is_none_or(|most| most > KEPT_BODY_BYTES) {
        return Ok((body, None));
    }
    let most = usize::try_from(KEPT_BODY_BYTES).unwrap_or(usize::MAX);
    let whole = Limited::new(body, most).collect().await;
    let whole = whole.map_err(|_| {
        Problem::new(ProblemType::InvalidRequest).detail("the body ended before it was whole")
    })?;
    let whole = whole.to_bytes();
    Ok((Body::from(whole.clone()), Some(whole)))
}

pub(crate) fn broken_off() -> Problem {
    Problem::new(ProblemType::Unavailable).detail(
        "the service ended the connection before it answered; whether it did what was asked is not known: repeat \
         the request with the same Idempotency-Key",
    )
}

fn unsendable() -> Problem {
    Problem::new(ProblemType::InvalidRequest).detail("the body ended before it was whole")
}

/// Whether doing it twice is doing it once (RFC 9110, section 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS
    )
}

fn is_temporary(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

/// A 401 about this gateway, not about its client.
fn is_refused(response: &Response) -> bool {
    response.headers().get(REFUSED) == Some(&HeaderValue::from_static("true"))
}

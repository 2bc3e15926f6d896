//! One request, from its head to its answer: checked, identified, counted, passed on, answered.
//!
//! Everything here is on the path of every request. It allocates for what it hands on, not to decide.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{CONNECTION, ORIGIN},
    request::Parts,
    response::Parts as ResponseParts,
};
use hyper::body::Incoming;
use pasar_chassis::{
    cause::Arrival,
    grpc,
    handover::{HandsOver, TakesOver},
    identity::{ClientAddress, Identity},
    problem::Problem,
};
use pasar_contracts::problem::ProblemType;
use pasar_store::cause::Actor;
use tracing::Instrument;

use crate::{
    access_log::Line,
    answer,
    authentication::{Allowance, Verified},
    compression,
    credential::Credential,
    forwarding::{self, Origin},
    gateway::Gateway,
    rate_limit::Counted,
    request_head,
    response_body::{ResponseBody, StreamEnd},
    routes::{Found, Table, Target},
    server::connection::Connection,
    session_cookie::Step,
    upgrade,
    upstream::{Unanswered, Upstream},
};

/// What is remembered of a request until it is answered.
struct Exchange {
    method: Method,
    uri: Uri,
    arrival: Arrival,
    began: Duration,
    request_id: Option<HeaderValue>,
    cross_origin: Option<HeaderValue>,
    takes_gzip: bool,
    table: Arc<Table>,
    target: Option<Arc<Target>>,
    credential: Credential,
    caller: Option<Arc<Verified>>,
    counted: Option<Counted>,
}

/// Where passwords are tried and accounts made.
const LOGIN_PATHS: [&str; 2] = ["/v1/auth/login", "/v1/auth/register"];
/// What a client is told to wait while services are still looked for.
const NOT_YET: Duration = Duration::from_secs(1);
/// Asked by machines that must always get an answer.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/grpc.health.v1.Health/Check"];

impl Gateway {
    pub(crate) async fn answer(
        self: Arc<Self>,
        connection: Arc<Connection>,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let open = connection.begin(request.version());
        let (parts, body) = request.into_parts();
        let arrival = Arrival::new(&*self.clock, &*self.ids, &parts.headers);
        let flow = arrival.flow.to_string();
        let is_grpc = grpc::is_grpc(&parts.headers);
        // An error span is there whatever the filter says, and with it the flow of each line.
        let span = tracing::error_span!("request", flow = flow.as_str());
        let mut exchange = Exchange {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            began: self.clock.monotonic(),
            request_id: answer::request_id(&parts.headers),
            cross_origin: parts.headers.get(ORIGIN).cloned(),
            takes_gzip: self.compresses && compression::is_wanted(&parts.headers, parts.uri.path()),
            table: self.routes.table(),
            target: None,
            credential: Credential::None,
            caller: None,
            counted: None,
            arrival,
        };
        let passed = self
            .pass(&mut exchange, parts, body, &connection)
            .instrument(span)
            .await;
        let response = match passed {
            Ok(response) if !is_grpc || response.status().is_success() => {
                answer::as_problem(response)
            }
            Ok(response) => grpc::unrouted(Problem::new(answer::kind(response.status()))),
            Err(problem) if is_grpc => grpc::unrouted(problem),
            Err(problem) => problem.into_response(),
        };
        let response = if exchange.takes_gzip {
            compression::compress(response).await
        } else {
            response
        };
        let (mut head, body) = response.into_parts();
        self.write_fields(&exchange, flow, &mut head.headers);
        self.note(&exchange, head.status);
        let end = self.stream_end(&exchange, &head);
        Response::from_parts(head, ResponseBody::new(body, open, end, is_grpc))
    }

    /// Whatever is wrong with a request, its body is let go of in a way that leaves the answer readable.
    async fn pass(
        &self,
        exchange: &mut Exchange,
        mut parts: Parts,
        body: Incoming,
        connection: &Connection,
    ) -> Result<Response, Problem> {
        let kind = exchange.table.body_kind(&parts);
        let admitted = match request_head::check(&parts, &self.limits, kind) {
            Ok(()) => match self.cors.preflight(&parts) {
                Some(preflight) => return Ok(preflight),
                None => self.admit(exchange, &mut parts, connection).await,
            },
            Err(problem) => Err(Self::and_close(problem, &parts)),
        };
        let (target, step) = match admitted {
            Ok(admitted) => admitted,
            Err(problem) => {
                self.body_rules.dismiss(body, &parts.headers);
                return Err(problem);
            }
        };
        let (body, verdict) = self.body_rules.guard(body, kind, &parts.headers);
        let body = match step {
            Some(step) => step.body(&mut parts.headers)?.unwrap_or(body),
            None => body,
        };
        forwarding::strip(&mut parts.headers);
        let called = self.call(&target, Request::from_parts(parts, body)).await;
        if let Some(kind) = verdict.problem() {
            return Err(request_head::body_problem(kind, &self.limits));
        }
        match step {
            Some(step) => step.apply(called?).await,
            None if exchange.method == Method::OPTIONS => called.map(answer::options),
            None => called,
        }
    }

    /// Decides who it is, whether it is one too many, and where it goes; the service is told the former.
    async fn admit(
        &self,
        exchange: &mut Exchange,
        parts: &mut Parts,
        connection: &Connection,
    ) -> Result<(Arc<Target>, Option<Step>), Problem> {
        let origin = self.proxies.origin(connection.peer, &parts.headers);
        let step = Step::of(parts);
        exchange.credential = Credential::read(&parts.headers);
        self.judge_cookie(exchange, parts, step)?;
        upgrade::check(parts, &exchange.credential, &self.own_origins, &self.cors)?;
        exchange.caller = self.identify(exchange, origin).await?;
        self.count(exchange, parts, origin)?;
        let target = match exchange.table.find(parts.uri.path()) {
            Found::Target(target) => target,
            Found::Nothing => return Err(Problem::new(ProblemType::NotFound)),
            Found::Perhaps => {
                return Err(Problem::new(ProblemType::Unavailable)
                    .detail(
                        "not all services have been reached yet, and one of them may answer this",
                    )
                    .retry_after(NOT_YET));
            }
        };
        exchange.target = Some(Arc::clone(&target));
        let caller = exchange.caller.as_ref();
        match &target.upstream {
            Upstream::Local(_) => {
                let identity = caller.map(|caller| caller.identity.clone());
                let identity = identity.unwrap_or_else(Identity::anonymous);
                parts.extensions.insert(identity);
            }
            Upstream::Pool(_) => {
                let bearer = caller.map(|caller| caller.bearer.clone());
                parts
                    .extensions
                    .insert(bearer.unwrap_or_else(|| self.anonymous.clone()));
            }
        }
        parts.extensions.insert(ClientAddress(Some(origin.address)));
        parts.extensions.insert(origin);
        let hands_over = HandsOver(connection.hands_over());
        parts.extensions.insert(hands_over);
        parts.extensions.insert(exchange.arrival.clone());
        Ok((target, step))
    }

    /// A cookie counts only for our own pages. Steps of a page's session take no other credential.
    fn judge_cookie(
        &self,
        exchange: &mut Exchange,
        parts: &Parts,
        step: Option<Step>,
    ) -> Result<(), Problem> {
        let is_cookie = matches!(exchange.credential, Credential::Cookie(_));
        let counts = (is_cookie || step.is_some())
            && self.own_origins.accepts(&exchange.method, &parts.headers)?;
        if is_cookie && !counts {
            exchange.credential = Credential::None;
        }
        Ok(())
    }

    /// Counts the request against the quota of whoever makes it.
    fn count(&self, exchange: &mut Exchange, parts: &Parts, origin: Origin) -> Result<(), Problem> {
        let now = exchange.began;
        let path = parts.uri.path();
        if PROBES.contains(&path) {
            return Ok(());
        }
        exchange.counted = match &exchange.caller {
            None => self.rate_limiter.count_address(origin.address, now),
            Some(caller) => match &caller.allowance {
                Allowance::Unlimited => None,
                Allowance::General => self.rate_limiter.count_client(caller.client, None, now),
                Allowance::Own(own) => {
                    self.rate_limiter
                        .count_client(caller.client, Some(own), now)
                }
            },
        };
        self.enforce(exchange.counted.as_ref())?;
        if exchange.method == Method::POST && LOGIN_PATHS.contains(&path) {
            let counted = self.rate_limiter.count_login(origin.address, now);
            exchange.counted = counted.or(exchange.counted.take());
            self.enforce(exchange.counted.as_ref())?;
        }
        Ok(())
    }

    async fn identify(
        &self,
        exchange: &mut Exchange,
        origin: Origin,
    ) -> Result<Option<Arc<Verified>>, Problem> {
        let Some(secret) = exchange.credential.secret() else {
            return match exchange.credential {
                Credential::Unreadable => Err(Problem::unauthenticated()
                    .detail("expected one Authorization header: Bearer and a token or API key")),
                Credential::None | Credential::Bearer(_) | Credential::Cookie(_) => Ok(None),
            };
        };
        if let Some(known) = self.authenticator.recall(secret) {
            return Ok(Some(known));
        }
        // Whoever guesses is held to what strangers may do.
        let exhausted = self
            .rate_limiter
            .is_exhausted(origin.address, exchange.began);
        self.enforce(exhausted.as_ref())?;
        match self.authenticator.verify(secret).await {
            Ok(verified) => Ok(Some(verified)),
            Err(problem) if problem.kind() != ProblemType::Unauthenticated => Err(problem),
            // A page whose session has ended goes on as a stranger until it logs in again.
            Err(_) if matches!(exchange.credential, Credential::Cookie(_)) => Ok(None),
            Err(problem) => {
                self.meters.unauthenticated.increment(1);
                exchange.counted = self
                    .rate_limiter
                    .count_address(origin.address, exchange.began);
                Err(problem)
            }
        }
    }

    fn enforce(&self, counted: Option<&Counted>) -> Result<(), Problem> {
        match counted.and_then(|counted| counted.verdict.wait) {
            None => Ok(()),
            Some(wait) => {
                self.meters.limited.increment(1);
                Err(Problem::new(ProblemType::TooManyRequests).retry_after(wait))
            }
        }
    }

    /// Calls the service, for as long as a request may take. Whatever happens in it, there is an answer.
    async fn call(&self, target: &Target, request: Request<Body>) -> Result<Response, Problem> {
        // A caller of gRPC may be less patient.
        let asked = grpc::timeout(request.headers()).unwrap_or(self.request_timeout);
        let patience = asked.min(self.request_timeout);
        let called = target.upstream.call(request);
        match tokio::time::timeout(patience, called).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(Unanswered::Problem(problem))) => Err(problem),
            Ok(Err(Unanswered::Panicked)) => {
                self.meters.panics.increment(1);
                Err(Problem::defect("a service panicked while it answered"))
            }
            Err(_) => {
                self.meters.timeouts.increment(1);
                Err(Problem::new(ProblemType::Timeout))
            }
        }
    }

    /// What follows a head that can be read in two ways is not read as a request.
    fn and_close(problem: Problem, parts: &Parts) -> Problem {
        if parts.version < Version::HTTP_2 {
            problem.header(CONNECTION, HeaderValue::from_static("close"))
        } else {
            problem
        }
    }

    fn write_fields(&self, exchange: &Exchange, flow: String, headers: &mut HeaderMap) {
        answer::write_ids(
            exchange.request_id.as_ref(),
            &exchange.arrival,
            flow,
            headers,
        );
        answer::write_security(self.transport_security.as_ref(), headers);
        self.cors
            .write_fields(exchange.cross_origin.as_ref(), headers);
        if let Some(counted) = &exchange.counted {
            counted.write_fields(headers);
        }
    }

    fn note(&self, exchange: &Exchange, status: StatusCode) {
        let took = self.clock.monotonic().saturating_sub(exchange.began);
        if let Some(target) = &exchange.target {
            target.meters.record(status, took);
        }
        self.log.write(&Line {
            method: &exchange.method,
            path: exchange.uri.path(),
            status,
            took,
            flow: exchange.arrival.flow,
            actor: exchange
                .caller
                .as_ref()
                .map_or(Actor::Anonymous, |caller| caller.identity.actor),
        });
    }

    /// A stream ends with the credentials that opened it.
    fn stream_end(&self, exchange: &Exchange, head: &ResponseParts) -> Option<StreamEnd> {
        let is_stream = answer::is_stream(&head.headers)
            || grpc::is_grpc(&head.headers)
            || head.extensions.get::<TakesOver>().is_some();
        let caller = exchange.caller.as_ref().filter(|_| is_stream)?;
        let secret = exchange.credential.secret()?.to_owned();
        Some(Box::pin(
            self.authenticator.ended(secret, Arc::clone(caller)),
        ))
    }
}

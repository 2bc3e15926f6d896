//! One request, from its head to its answer: checked, identified, counted, passed on, answered.
//!
//! Everything here is on the path of every request. It allocates for what it hands on, not to decide.

use std::sync::Arc;

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
use tracing::Instrument;

use crate::{
    access_log::Line,
    admission::{self, Admission},
    answer, compression,
    credential::{Credential, Presented},
    forwarding,
    gateway::Gateway,
    request_head,
    response_body::{ResponseBody, StreamEnd},
    routes::{Table, Target},
    server::connection::{Connection, OpenRequest},
    session_cookie::Step,
    upgrade,
    upstream::{Unanswered, Upstream},
};

/// What is remembered of a request until it is answered.
struct Exchange {
    method: Method,
    uri: Uri,
    arrival: Arrival,
    request_id: Option<HeaderValue>,
    cross_origin: Option<HeaderValue>,
    takes_gzip: bool,
    table: Arc<Table>,
    target: Option<Arc<Target>>,
    credential: Credential,
    admission: Admission,
}

/// What an answer depends on.
pub(crate) struct Known<'e> {
    pub(crate) method: &'e Method,
    pub(crate) path: &'e str,
    pub(crate) arrival: &'e Arrival,
    /// The client's own name for its request, if it is harmless.
    pub(crate) request_id: Option<HeaderValue>,
    pub(crate) cross_origin: Option<&'e HeaderValue>,
    pub(crate) takes_gzip: bool,
    pub(crate) is_grpc: bool,
    pub(crate) admission: &'e Admission,
    pub(crate) target: Option<&'e Target>,
    pub(crate) presented: Presented<'e>,
}

impl Gateway {
    pub(crate) async fn answer(
        self: Arc<Self>,
        connection: Arc<Connection>,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let open = connection.begin(request.version());
        let (parts, body) = request.into_parts();
        let arrival = Arrival::new(&*self.clock, &*self.ids, &parts.headers);
        let is_grpc = grpc::is_grpc(&parts.headers);
        // An error span is there whatever the filter says, and with it the flow of each line.
        let span = tracing::error_span!("request", flow = %arrival.flow);
        let mut exchange = Exchange {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            request_id: answer::request_id(&parts.headers),
            cross_origin: parts.headers.get(ORIGIN).cloned(),
            takes_gzip: self.compresses && compression::is_wanted(&parts.headers, parts.uri.path()),
            table: self.routes.table(),
            target: None,
            credential: Credential::None,
            admission: Admission::new(
                self.clock.monotonic(),
                self.proxies.origin(connection.peer, &parts.headers),
            ),
            arrival,
        };
        let passed = self
            .pass(&mut exchange, parts, body, &connection)
            .instrument(span)
            .await;
        let response = match passed {
            Ok(response) if !is_grpc || response.status().is_success() => response,
            Ok(response) => grpc::unrouted(Problem::new(answer::kind(response.status()))),
            Err(problem) if is_grpc => grpc::unrouted(problem),
            Err(problem) => problem.into_response(),
        };
        self.finish(&exchange.known(is_grpc), response, open).await
    }

    /// What every answer is given, and what is recorded of it.
    pub(crate) async fn finish(
        self: &Arc<Self>,
        known: &Known<'_>,
        response: Response,
        open: OpenRequest,
    ) -> Response<ResponseBody> {
        let response = if known.is_grpc {
            response
        } else {
            answer::as_problem(response)
        };
        let response = if known.takes_gzip {
            compression::compress(response).await
        } else {
            response
        };
        let (mut head, body) = response.into_parts();
        self.write_fields(known, &mut head.headers);
        self.note(known, head.status);
        let end = self.stream_end(known, &head);
        Response::from_parts(head, ResponseBody::new(body, open, end, known.is_grpc))
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
        let step = Step::of(parts);
        exchange.credential = Credential::read(&parts.headers);
        self.judge_cookie(exchange, parts, step)?;
        upgrade::check(parts, &exchange.credential, &self.own_origins, &self.cors)?;
        let presented = exchange.credential.presented();
        let admission = &mut exchange.admission;
        if !self.recognise(admission, presented) {
            self.identify(admission, presented).await?;
        }
        self.count(admission, &parts.method, parts.uri.path())?;
        let target = admission::target(&exchange.table, parts.uri.path())?;
        exchange.target = Some(Arc::clone(&target));
        let origin = exchange.admission.origin;
        let caller = exchange.admission.caller.as_ref();
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

    /// Calls the service, for as long as a request may take. Whatever happens in it, there is an answer.
    pub(crate) async fn call(
        &self,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response, Problem> {
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

    fn write_fields(&self, known: &Known<'_>, headers: &mut HeaderMap) {
        answer::write_ids(known.request_id.as_ref(), known.arrival, headers);
        answer::write_security(self.transport_security.as_ref(), headers);
        self.cors.write_fields(known.cross_origin, headers);
        if let Some(counted) = &known.admission.counted {
            counted.write_fields(headers);
        }
    }

    pub(crate) fn note(&self, known: &Known<'_>, status: StatusCode) {
        let took = self.clock.monotonic().saturating_sub(known.admission.began);
        if let Some(target) = known.target {
            target.meters.record(status, took);
        }
        self.log.write(&Line {
            method: known.method,
            path: known.path,
            status,
            took,
            flow: known.arrival.flow,
            actor: known.admission.actor(),
        });
    }

    /// A stream ends with the credentials that opened it.
    fn stream_end(self: &Arc<Self>, known: &Known<'_>, head: &ResponseParts) -> Option<StreamEnd> {
        let is_stream = answer::is_stream(&head.headers)
            || grpc::is_grpc(&head.headers)
            || head.extensions.get::<TakesOver>().is_some();
        let caller = known.admission.caller.as_ref();
        let caller = caller.filter(|_| is_stream)?;
        let secret = known.presented.secret()?.to_owned();
        Some(Box::pin(
            self.authenticator.ended(secret, Arc::clone(caller)),
        ))
    }
}

impl Exchange {
    fn known(&self, is_grpc: bool) -> Known<'_> {
        Known {
            method: &self.method,
            path: self.uri.path(),
            arrival: &self.arrival,
            request_id: self.request_id.clone(),
            cross_origin: self.cross_origin.as_ref(),
            takes_gzip: self.takes_gzip,
            is_grpc,
            admission: &self.admission,
            target: self.target.as_deref(),
            presented: self.credential.presented(),
        }
    }
}

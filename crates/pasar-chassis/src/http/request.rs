//! One request: its flow is begun here, or goes on where another process began it, and its log lines carry it.

use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use pasar_feed::tasks::Tasks;
use pasar_store::{clock::Clock, ids::Ids};
use tower::Service;
use tracing::Instrument;

use super::{unread::Unread, upgrade::Upgrade};
use crate::{
    cause::{Arrival, FLOW_HEADER},
    grpc,
    host::Host,
    passport::{self, Passport, Passports, Rejected},
    problem::Problem,
};

/// The other end of the connection: a proxy, perhaps. Inserted as a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// What answers requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct Requests {
    router: Router,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    tasks: Tasks,
    /// Where only the other processes of the system are answered.
    passports: Option<Passports>,
}

/// Asked by whoever looks after the process, who has no passport.
const PROBES: [&str; 6] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

impl Requests {
    pub(super) fn new(host: &Host, router: Router, passports: Option<Passports>) -> Self {
        Self {
            router,
            clock: Arc::clone(&host.clock),
            ids: Arc::clone(&host.ids),
            tasks: host.tasks.clone(),
            passports,
        }
    }

    pub(super) fn call(
        &self,
        mut request: Request<Incoming>,
        peer: PeerAddress,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        let admitted = self.admit(&request);
        let arrival = match &admitted {
            Ok(Some(passport)) => passport.arrival.clone(),
            Ok(None) | Err(_) => Arrival::new(&*self.clock, &*self.ids, request.headers()),
        };
        let flow = arrival.flow.to_string();
        // An error span is there whatever the filter says, and with it the flow of each line.
        let span = tracing::error_span!("request", flow = flow.as_str());
        let is_grpc = grpc::is_grpc(request.headers());
        let upgrade = Upgrade::of(&mut request);
        let (parts, body) = request.into_parts();
        let body = Body::new(Unread::new(body, &parts.headers, &self.tasks));
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(arrival);
        request.extensions_mut().insert(peer);
        let refused = admitted.map(|passport| {
            if let Some(passport) = passport {
                request.extensions_mut().insert(passport.identity);
                request.extensions_mut().insert(passport.address);
                request.headers_mut().remove(passport::HEADER);
            }
        });
        let mut router = self.router.clone();
        let tasks = self.tasks.clone();
        let answer = async move {
            let mut response = match refused {
                // Whatever happens in a handler, there is an answer, and others' requests go on.
                Ok(()) => match AssertUnwindSafe(router.call(request)).catch_unwind().await {
                    Ok(answered) => answered?,
                    Err(_) => Problem::defect("a handler panicked").into_response(),
                },
                Err(rejected) => refusal(rejected, is_grpc),
            };
            if let Some(upgrade) = upgrade {
                upgrade.follow(&mut response, &tasks);
            }
            if let Ok(flow) = HeaderValue::try_from(flow) {
                response.headers_mut().insert(FLOW_HEADER, flow);
            }
            Ok(response)
        };
        answer.instrument(span)
    }

    /// Nobody in particular where anybody may ask.
    fn admit(&self, request: &Request<Incoming>) -> Result<Option<Passport>, Rejected> {
        let path = request.uri().path();
        let Some(passports) = self.passports.as_ref().filter(|_| !PROBES.contains(&path)) else {
            return Ok(None);
        };
        let whole = request.uri().path_and_query();
        let whole = whole.map_or(path, http::uri::PathAndQuery::as_str);
        passports
            .check(request.method(), whole, request.headers())
            .map(Some)
            .inspect_err(|rejected| passports.tell(*rejected, path))
    }
}

fn refusal(rejected: Rejected, is_grpc: bool) -> Response {
    let problem = Problem::unauthenticated().detail(rejected.to_string());
    let mut response = if is_grpc {
        grpc::refusal(problem)
    } else {
        problem.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(passport::REFUSED, HeaderValue::from_static("true"));
    response
}

//! One plain request, from its head to its answer. What decides is shared with all others: `admission`,
//! `answer` and the pools.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, Request, Uri};
use pasar_chassis::{
    cause::Arrival,
    handover::HandsOver,
    identity::{ClientAddress, Identity},
    problem::Problem,
};
use pasar_contracts::problem::ProblemType;
use tracing::Instrument as _;

use super::{
    head::{Authorization, Head},
    write,
};
use crate::{
    admission::{self, Admission},
    answer, compression,
    credential::Presented,
    exchange::Known,
    gateway::Gateway,
    http1::fields,
    pool::{PlainRequest, Pool, Shown},
    routes::Target,
    server::connection::Connection,
    upstream::Upstream,
};

/// A request as it was read.
#[derive(Clone, Copy)]
pub(super) struct Asked<'r> {
    pub(super) head: &'r Head,
    /// What its places are in.
    pub(super) input: &'r [u8],
    /// The fields that the service is told.
    pub(super) lines: &'r [u8],
}

/// What is remembered of a request until it is answered.
pub(super) struct Exchange<'r> {
    pub(super) asked: Asked<'r>,
    pub(super) arrival: Arrival,
    pub(super) admission: Admission,
    pub(super) target: Option<Arc<Target>>,
    pub(super) closes: bool,
    takes_gzip: bool,
}

pub(super) enum Answer {
    /// Written to the buffer, whole.
    Written {
        closes: bool,
    },
    Response(Response),
}

impl<'r> Asked<'r> {
    fn text(&self, place: &std::ops::Range<usize>) -> &'r str {
        // A target is ASCII, as it was read.
        str::from_utf8(&self.input[place.clone()]).unwrap_or_default()
    }

    fn target(&self) -> &'r str {
        self.text(&self.head.target)
    }

    pub(super) fn path(&self) -> &'r str {
        self.text(&(self.head.target.start..self.head.path_end))
    }

    fn body(&self) -> &'r [u8] {
        let end = self.head.bytes + self.head.body;
        &self.input[self.head.bytes..end]
    }

    fn presented(&self) -> Presented<'r> {
        match &self.head.authorization {
            Authorization::None => Presented::Nothing,
            Authorization::One(place) => Presented::of_header(&self.input[place.clone()]),
            Authorization::Several => Presented::Unreadable,
        }
    }

    /// The client's own name for its request, if it is harmless.
    pub(super) fn request_id(&self) -> Option<&'r [u8]> {
        let id = &self.input[self.head.request_id.clone()?];
        answer::is_harmless(id).then_some(id)
    }

    fn accepted_codings(&self) -> Option<&'r [u8]> {
        Some(&self.input[self.head.accept_encoding.clone()?])
    }

    /// As services in this process take it.
    fn into_request(self) -> Result<Request<Body>, Problem> {
        let uri: Uri = self.target().parse().map_err(|_| {
            Problem::new(ProblemType::InvalidRequest).detail("the request target cannot be read")
        })?;
        let mut request = Request::new(Body::from(Bytes::copy_from_slice(self.body())));
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = fields::map(self.lines);
        Ok(request)
    }
}

impl<'r> Exchange<'r> {
    pub(super) fn new(gateway: &Gateway, connection: &Connection, asked: Asked<'r>) -> Self {
        let Asked { head, input, .. } = asked;
        let hops = head.forwarded_for.iter().map(|place| &input[place.clone()]);
        let origin = gateway
            .proxies
            .origin_of(connection.peer, head.is_forwarded, hops);
        let trace = head.traceparent.clone().map(|place| &input[place]);
        let accepted = asked.accepted_codings();
        Self {
            arrival: Arrival::with_trace(&*gateway.clock, &*gateway.ids, trace),
            admission: Admission::new(gateway.clock.monotonic(), origin),
            target: None,
            closes: head.closes,
            takes_gzip: gateway.compresses
                && accepted.is_some_and(compression::accepts_gzip)
                && compression::may_be(asked.path()),
            asked,
        }
    }

    /// Whatever happens in it, there is an answer.
    pub(super) async fn call(
        &mut self,
        gateway: &Gateway,
        connection: &Connection,
        out: &mut Vec<u8>,
    ) -> Answer {
        let passed = self.pass(gateway, connection, out).await;
        passed.unwrap_or_else(|problem| Answer::Response(problem.into_response()))
    }

    async fn pass(
        &mut self,
        gateway: &Gateway,
        connection: &Connection,
        out: &mut Vec<u8>,
    ) -> Result<Answer, Problem> {
        let asked = self.asked;
        let presented = asked.presented();
        if !gateway.recognise(&mut self.admission, presented) {
            let span = self.span();
            let identified = gateway.identify(&mut self.admission, presented);
            // Once in a while, and large.
            Box::pin(identified.instrument(span)).await?;
        }
        gateway.count(&mut self.admission, &asked.head.method, asked.path())?;
        let target = admission::target(&gateway.routes.table(), asked.path())?;
        self.target = Some(Arc::clone(&target));
        match &target.upstream {
            Upstream::Pool(pool) => self.call_elsewhere(gateway, pool, out).await,
            Upstream::Local(_) => {
                let hands_over = HandsOver(connection.hands_over());
                let request = self.request_here(hands_over)?;
                let called = gateway.call(&target, request).instrument(self.span());
                Box::pin(called).await.map(Answer::Response)
            }
        }
    }

    async fn call_elsewhere(
        &self,
        gateway: &Gateway,
        pool: &Pool,
        out: &mut Vec<u8>,
    ) -> Result<Answer, Problem> {
        let asked = self.asked;
        let request = PlainRequest {
            method: &asked.head.method,
            target: asked.target(),
            lines: asked.lines,
            body: asked.body(),
            has_idempotency_key: asked.head.has_idempotency_key,
        };
        let bearer = self.admission.caller.as_ref();
        let shown = Shown {
            bearer: bearer
                .map_or(&gateway.anonymous, |caller| &caller.bearer)
                .clone(),
            address: ClientAddress(Some(self.admission.origin.address)),
            arrival: self.arrival.clone(),
        };
        let passed = pool.call_plain(&request, &shown, out).await?;
        let length = passed.as_it_is();
        match length.filter(|length| !self.takes_gzip || *length < compression::MIN_BYTES) {
            Some(length) => {
                let closes = write::as_it_is(gateway, self, passed, length, out).await?;
                Ok(Answer::Written { closes })
            }
            None => Ok(Answer::Response(pool.until_drained(passed.into_response()))),
        }
    }

    fn request_here(&self, hands_over: HandsOver) -> Result<Request<Body>, Problem> {
        let mut request = self.asked.into_request()?;
        let caller = self.admission.caller.as_ref();
        let identity = caller.map(|caller| caller.identity.clone());
        let extensions = request.extensions_mut();
        extensions.insert(identity.unwrap_or_else(Identity::anonymous));
        extensions.insert(ClientAddress(Some(self.admission.origin.address)));
        extensions.insert(self.admission.origin);
        extensions.insert(hands_over);
        extensions.insert(self.arrival.clone());
        Ok(request)
    }

    /// What there is no answer of, as the service took its time.
    pub(super) fn too_long(gateway: &Gateway) -> Answer {
        gateway.meters.timeouts.increment(1);
        Answer::Response(Problem::new(ProblemType::Timeout).into_response())
    }

    /// An error span is there whatever the filter says, and with it the flow of each line.
    fn span(&self) -> tracing::Span {
        tracing::error_span!("request", flow = %self.arrival.flow)
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known {
            method: &self.asked.head.method,
            path: self.asked.path(),
            arrival: &self.arrival,
            request_id: self
                .asked
                .request_id()
                .and_then(|id| HeaderValue::from_bytes(id).ok()),
            cross_origin: None,
            takes_gzip: self.takes_gzip,
            is_grpc: false,
            admission: &self.admission,
            target: self.target.as_deref(),
            presented: self.asked.presented(),
        }
    }
}

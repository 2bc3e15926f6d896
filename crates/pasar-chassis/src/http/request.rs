//! One request: its flow is begun here, and its log lines carry it.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, response::Response};
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use pasar_store::{clock::Clock, ids::Ids};
use tower::Service;
use tracing::Instrument;

use crate::{
    cause::{Arrival, FLOW_HEADER},
    host::Host,
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
}

impl Requests {
    pub(super) fn new(host: &Host, router: Router) -> Self {
        Self {
            router,
            clock: Arc::clone(&host.clock),
            ids: Arc::clone(&host.ids),
        }
    }

    pub(super) fn call(
        &self,
        request: Request<Incoming>,
        peer: PeerAddress,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        let arrival = Arrival::new(&*self.clock, &*self.ids, request.headers());
        let flow = arrival.flow.to_string();
        // An error span is there whatever the filter says, and with it the flow of each line.
        let span = tracing::error_span!("request", flow = flow.as_str());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(arrival);
        request.extensions_mut().insert(peer);
        let mut router = self.router.clone();
        let answer = async move {
            let mut response = router.call(request).await?;
            if let Ok(flow) = HeaderValue::try_from(flow) {
                response.headers_mut().insert(FLOW_HEADER, flow);
            }
            Ok(response)
        };
        answer.instrument(span)
    }
}

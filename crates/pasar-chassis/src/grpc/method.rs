//! Methods as handlers: [`Message`] is the last extractor, [`Reply`] or [`Replies`] the answer, and a `Problem`,
//! of a handler or of any extractor, becomes the outcome.

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequest, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use pasar_contracts::problem::ProblemType;
use pasar_feed::tasks::Tasks;

use super::{
    Code,
    deadline::{Timers, timeout},
    frames::{framed, read, undecodable},
    is_grpc, refusal, trailers,
};
use crate::{
    extract::{BodyLimit, DEFAULT_BODY_LIMIT},
    host::Host,
    problem::Problem,
};

/// The one message of a request, within the route's [`BodyLimit`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<M>(pub M);

/// The one message of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reply<M>(pub M);

/// Messages as they come, until there are no more or the process drains.
pub struct Replies(Response);

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// What all methods have in common: their deadlines are kept, and problems are told as outcomes.
pub fn methods(host: &Host, router: Router) -> Router {
    let timers = Arc::new(Timers::new(host));
    router.route_layer(middleware::from_fn_with_state(timers, answer))
}

async fn answer(State(timers): State<Arc<Timers>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !is_grpc(headers) {
        return Problem::new(ProblemType::UnsupportedMediaType)
            .detail("this is a gRPC method: call it by gRPC")
            .into_response();
    }
    if is_compressed(headers) {
        let mut outcome = super::stream(stream::empty());
        *outcome.body_mut() = axum::body::Body::empty();
        let text = "compressed messages are not accepted";
        let end = trailers(Code::Unimplemented, Some(text));
        outcome.headers_mut().extend(end);
        outcome.headers_mut().insert(ACCEPTED, IDENTITY);
        return outcome;
    }
    let timeout = timeout(headers);
    let called = async { refusal::of(next.run(request).await).await };
    timers.within(timeout, called).await
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers
        .get(ENCODING)
        .is_some_and(|coding| coding != IDENTITY)
}

impl<M: prost::Message + Default, S: Send + Sync> FromRequest<S> for Message<M> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let limit = parts.extensions.get().unwrap_or(&DEFAULT_BODY_LIMIT);
        let BodyLimit(most) = *limit;
        let bytes = read(&parts.headers, body, most).await?;
        M::decode(bytes)
            .map(Self)
            .map_err(|error| undecodable(&error))
    }
}

impl<M: prost::Message> IntoResponse for Reply<M> {
    fn into_response(self) -> Response {
        super::stream(stream::iter([framed(&self.0)]))
    }
}

impl Replies {
    pub fn new<M: prost::Message>(
        tasks: &Tasks,
        messages: impl Stream<Item = M> + Send + 'static,
    ) -> Self {
        Self(super::stream_until_drain(tasks, frames(messages)))
    }

    /// The same for messages that see the drain themselves.
    pub fn to_the_end<M: prost::Message>(
        tasks: &Tasks,
        messages: impl Stream<Item = M> + Send + 'static,
    ) -> Self {
        Self(super::stream_to_the_end(tasks, frames(messages)))
    }
}

fn frames<M: prost::Message>(
    messages: impl Stream<Item = M> + Send + 'static,
) -> impl Stream<Item = Bytes> + Send + 'static {
    messages.map(|message| framed(&message))
}

impl IntoResponse for Replies {
    fn into_response(self) -> Response {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::post};
    use http_body_util::BodyExt;
    use pasar_store::ids::SystemIds;
    use tower::ServiceExt;

    use super::*;
    use crate::{identity::Identity, keyring::Keyring};

    /// The message of one string with tag 1.
    async fn greet(
        identity: Identity,
        Message(name): Message<String>,
    ) -> Result<Reply<String>, Problem> {
        identity.require_user()?;
        Ok(Reply(format!("halo {name}")))
    }

    async fn call(request: http::request::Builder, body: &'static [u8]) -> Response {
        let data = tempfile::tempdir().unwrap();
        let keyring = Keyring::ephemeral(&SystemIds::default());
        let host = Host::system(data.path(), keyring, "http://localhost");
        let router = methods(&host, Router::new().route("/v1.Greeter/Greet", post(greet)));
        let request = request.uri("/v1.Greeter/Greet").method("POST");
        let request = request.body(Body::from(body)).unwrap();
        let Ok(response) = router.oneshot(request).await;
        response
    }

    fn request() -> http::request::Builder {
        let user = Identity::user(pasar_types::id::UserId::from_bytes([1; 16]), []);
        http::Request::builder()
            .header("content-type", "application/grpc")
            .extension(user)
    }

    const ANN: &[u8] = b"\0\0\0\0\x05\x0a\x03ann";

    #[tokio::test]
    async fn a_method_is_a_handler() {
        let answer = call(request(), ANN).await;
        assert_eq!(answer.headers()["content-type"], "application/grpc");
        let answer = answer.into_body().collect().await.unwrap();
        assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(answer.to_bytes(), &b"\0\0\0\0\x0a\x0a\x08halo ann"[..]);
    }

    #[tokio::test]
    async fn problems_of_handlers_and_extractors_are_outcomes() {
        let status = async |request, body| {
            let answer = call(request, body).await;
            answer.headers()["grpc-status"].to_str().unwrap().to_owned()
        };
        assert_eq!(
            status(request().extension(Identity::anonymous()), ANN).await,
            "16"
        );
        assert_eq!(status(request(), b"\0\0\0\0\x01a").await, "3");
        assert_eq!(status(request().extension(BodyLimit(4)), ANN).await, "8");
        assert_eq!(
            status(request().header("grpc-encoding", "gzip"), ANN).await,
            "12"
        );
    }

    #[tokio::test]
    async fn who_does_not_speak_grpc_is_told_so_as_rest_does() {
        let answer = call(http::Request::builder(), b"{}").await;
        assert_eq!(answer.status(), 415);
    }
}

//! Server-sent events: a stream with heartbeats that ends when the process drains. Nothing is buffered
//! for a slow reader; the stream is asked for its next event when the socket takes one.

use std::{convert::Infallible, time::Duration};

pub use axum::response::sse::Event;
use axum::response::{IntoResponse, Response, Sse, sse::KeepAlive};
use futures_util::{Stream, StreamExt};
use http::{HeaderName, HeaderValue};
use pasar_feed::tasks::Tasks;

/// A comment is sent when nothing else was for this long.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Streams events until they end or the process drains. The gateway closes it when the credentials end.
pub fn respond(tasks: &Tasks, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let tasks = tasks.clone();
    let open = Open::new();
    let until_drain = events
        .take_until(async move { tasks.draining().await })
        .map(move |event| {
            let _counted = &open;
            Ok::<_, Infallible>(event)
        });
    let mut response = Sse::new(until_drain)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response();
    // Proxies such as nginx would hold events back otherwise.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// An event with a number (for `Last-Event-ID`), a name and JSON data.
pub fn event(id: i64, name: &str, json: String) -> Event {
    Event::default().id(id.to_string()).event(name).data(json)
}

/// Counts streams that are open.
struct Open;

impl Open {
    fn new() -> Self {
        metrics::gauge!("pasar_sse_streams").increment(1.0);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("pasar_sse_streams").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_stream_carries_ids_and_ends_on_drain() {
        let tasks = Tasks::new();
        let first = stream::iter([event(7, "order.placed", "{\"a\":1}".to_owned())]);
        let response = respond(&tasks, first.chain(stream::pending()));
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body();
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, "id: 7\nevent: order.placed\ndata: {\"a\":1}\n\n");
        tasks.drain(Duration::from_secs(10)).await;
        assert!(body.frame().await.is_none());
    }
}

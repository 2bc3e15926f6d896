//! An answer's body on its way to the client. Keeps its request open until the last byte is taken, and
//! ends a stream when the credentials that opened it end.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pasar_chassis::grpc::{self, Code};

use crate::server::connection::OpenRequest;

/// Resolves when a stream has to end.
pub(crate) type StreamEnd = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct ResponseBody {
    body: Body,
    request: OpenRequest,
    end: Option<StreamEnd>,
    /// Whether how it ended is told by trailers.
    is_grpc: bool,
}

impl ResponseBody {
    pub(crate) fn new(
        body: Body,
        mut request: OpenRequest,
        end: Option<StreamEnd>,
        is_grpc: bool,
    ) -> Self {
        if request.connection.is_http2() {
            request.owe();
        }
        Self {
            body,
            request,
            end,
            is_grpc,
        }
    }

    /// When the stream has to end, without its body.
    pub(crate) fn into_end(self) -> Option<StreamEnd> {
        self.end
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Some(end) = &mut this.end
            && end.as_mut().poll(cx).is_ready()
        {
            this.end = None;
            this.body = Body::empty();
            if this.is_grpc {
                let text = "the credentials are not valid any more";
                let trailers = grpc::trailers(Code::Unauthenticated, Some(text));
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
        }
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        // HTTP/1 blocks at the socket, which is watched there; HTTP/2 blocks at the stream's window.
        if this.request.connection.is_http2() {
            if frame.is_pending() {
                this.request.settle();
            } else {
                this.request.owe();
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

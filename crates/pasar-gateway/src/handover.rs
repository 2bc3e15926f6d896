//! Handing a connection over to the handler that asked for its socket.
//!
//! The HTTP server is dropped in the middle of the exchange, so that none of its buffers stay for as long as
//! the stream does. The answer's body then ends with the connection, which RFC 9112 (section 6.3) allows;
//! whatever else the client had sent on it is not read as a request.

use std::{future::Future, io, pin::Pin};

use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
    response::Parts,
};
use pasar_chassis::handover::{Ended, Socket, TakesOver};
use tokio::io::AsyncWriteExt;

use crate::response_body::{ResponseBody, StreamEnd};

/// What is left of a connection that was handed over.
pub(crate) type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer whose handler asked for the socket.
pub(crate) struct Handover {
    head: Bytes,
    takes_over: TakesOver,
    end: Option<StreamEnd>,
}

impl Handover {
    /// The answer itself if nobody asked.
    #[expect(
        clippy::result_large_err,
        reason = "the answer is the usual case, and goes on to the client"
    )]
    pub(crate) fn of(mut response: Response<ResponseBody>) -> Result<Self, Response<ResponseBody>> {
        let Some(takes_over) = TakesOver::of(&mut response) else {
            return Err(response);
        };
        let (parts, body) = response.into_parts();
        Ok(Self {
            head: head(parts),
            takes_over,
            end: body.into_end(),
        })
    }

    pub(crate) async fn run(self, mut socket: Socket) {
        let end: Ended = match self.end {
            Some(end) => end,
            None => Box::pin(std::future::pending()),
        };
        if send(&mut socket, &self.head).await.is_ok() {
            self.takes_over.run(socket, end).await;
        }
    }
}

async fn send(socket: &mut Socket, head: &[u8]) -> io::Result<()> {
    socket.write_all(head).await?;
    socket.flush().await
}

/// The head as HTTP/1.1 writes it.
fn head(mut parts: Parts) -> Bytes {
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(TRANSFER_ENCODING);
    if parts.status != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        parts.headers.insert(CONNECTION, close);
    }
    let mut head = BytesMut::with_capacity(1024);
    head.put_slice(b"HTTP/1.1 ");
    head.put_slice(parts.status.as_str().as_bytes());
    head.put_u8(b' ');
    let reason = parts.status.canonical_reason().unwrap_or_default();
    head.put_slice(reason.as_bytes());
    head.put_slice(b"\r\n");
    for (name, value) in &parts.headers {
        head.put_slice(name.as_str().as_bytes());
        head.put_slice(b": ");
        head.put_slice(value.as_bytes());
        head.put_slice(b"\r\n");
    }
    head.put_slice(b"\r\n");
    head.freeze()
}

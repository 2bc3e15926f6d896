//! A connection to an instance that plain requests go by: one is written, and its answer read, by whoever
//! holds it.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    idle::Keep,
    instance::{InFlight, Instance},
    passed::{AnswerHead, Passed},
};
use crate::http1::fields::Unread;

/// Held by one request at a time.
pub(super) struct Wire {
    stream: TcpStream,
    /// What came and is not read yet.
    pub(super) input: Vec<u8>,
    /// The fields of an answer that are passed on.
    pub(super) lines: Vec<u8>,
    /// The request was not sent whole, as its answer came before, or the end: nothing can be sent after that.
    is_cut: bool,
}

/// Why there is no answer by a wire.
pub(super) enum Unanswered {
    /// Nothing was sent.
    NotBegun,
    /// The request may have been taken.
    Broken,
    /// The same, and it was not sent whole.
    Cut,
}

/// An answer's head may have so many bytes.
const MOST_HEAD_BYTES: usize = 64 * 1024;
/// What is read at once, if it is there: of a head and a small body, and of a large body.
const READ_BYTES: usize = 4 * 1024;
const READ_BODY_BYTES: usize = 16 * 1024;
/// A buffer that grew beyond this is not kept.
const KEPT_BYTES: usize = 32 * 1024;

/// Sends a request to an instance and waits for the head of its answer.
pub(super) async fn call(
    connect_timeout: Duration,
    instance: &Arc<Instance>,
    in_flight: InFlight,
    request: &[u8],
) -> Result<Passed, Unanswered> {
    loop {
        let (mut wire, is_new) = match instance.wires.take() {
            Some(wire) => (wire, false),
            None => match Wire::open(instance, connect_timeout).await {
                Ok(wire) => (wire, true),
                Err(error) => {
                    tracing::debug!(instance = instance.url(), %error, "an instance cannot be reached");
                    return Err(Unanswered::NotBegun);
                }
            },
        };
        match wire.ask(request).await {
            Ok(head) => return Ok(Passed::new(head, wire, in_flight)),
            // It was closed at the other end, which has read nothing of it: it goes by another.
            Err(Unanswered::NotBegun) if !is_new => {}
            Err(unanswered) => return Err(unanswered),
        }
    }
}

impl Wire {
    async fn open(instance: &Instance, within: Duration) -> io::Result<Self> {
        Ok(Self {
            stream: instance.connect(within).await?,
            input: Vec::new(),
            lines: Vec::new(),
            is_cut: false,
        })
    }

    async fn ask(&mut self, request: &[u8]) -> Result<AnswerHead, Unanswered> {
        let written = self.stream.write(request).await;
        let written = written.map_err(|_| Unanswered::NotBegun)?;
        if written < request.len() {
            self.send_rest(&request[written..]).await;
        }
        loop {
            match AnswerHead::read(&self.input, &mut self.lines) {
                // Told in advance; the answer comes after it.
                Ok(head) if head.status.is_informational() => {
                    self.input.drain(..head.bytes);
                    continue;
                }
                Ok(head) => return Ok(head),
                Err(Unread::Partial) if self.input.len() < MOST_HEAD_BYTES => {}
                Err(Unread::Partial | Unread::Malformed) => return Err(Unanswered::Broken),
            }
            if !matches!(self.read().await, Ok(1..)) {
                return Err(if self.is_cut {
                    Unanswered::Cut
                } else {
                    Unanswered::Broken
                });
            }
        }
    }

    /// Who refuses a large request may answer before it has read it, and close: what it said is there to be read.
    async fn send_rest(&mut self, rest: &[u8]) {
        let (mut reader, mut writer) = self.stream.split();
        self.input.reserve(READ_BYTES);
        self.is_cut = tokio::select! {
            biased;
            written = writer.write_all(rest) => written.is_err(),
            _ = reader.read_buf(&mut self.input) => true,
        };
    }

    /// Reads more of what comes. 0 at the end.
    pub(super) async fn read(&mut self) -> io::Result<usize> {
        self.input.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.input).await
    }

    /// Reads more of a body. 0 at the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<usize>> {
        self.input.reserve(READ_BODY_BYTES);
        let read = std::pin::pin!(self.read());
        read.poll(cx)
    }

    /// Puts the wire back, for the next request. Everything of the last one must have been read.
    pub(super) fn put_back(mut self, instance: &Instance) {
        if self.is_cut || !self.input.is_empty() {
            return;
        }
        if self.input.capacity() > KEPT_BYTES {
            self.input = Vec::new();
        }
        instance.wires.put(self);
    }
}

impl Keep for Wire {
    fn is_alive(&mut self) -> bool {
        let mut byte = [0];
        let read = self.stream.try_read(&mut byte);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

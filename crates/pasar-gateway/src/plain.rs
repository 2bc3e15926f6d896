//! Requests as nearly all are: HTTP/1.1, a head as the RFC has it, a small body of known length. They are read,
//! passed on and answered here, each in one piece, which costs a fraction of what a general server and client do.
//!
//! Whatever else comes, and whatever could be read in two ways, is left with its connection to whoever serves
//! everything: `server` and `exchange`. Both share what decides.

mod client;
mod exchange;
mod head;
mod kind;
mod write;

use std::{io, pin::pin, sync::Arc};

use axum::response::IntoResponse as _;
use http::Version;
use pasar_feed::tasks::Tasks;

use self::{
    client::{Client, Waited},
    exchange::{Answer, Asked, Exchange},
    head::{Head, Reading},
};
use crate::{
    config::Limits,
    gateway::Gateway,
    handover::Handover,
    server::{connection::Connection, guarded_io::GuardedIo},
};

/// What is left of a connection.
pub(crate) enum Left {
    Nothing,
    /// An answer asked for the socket, which was given back.
    HandedOver,
    /// What comes next is not plain. Whoever goes on reads these bytes first.
    Unread(GuardedIo, Vec<u8>),
}

/// A connection whose requests are plain so far.
pub(crate) struct Plain<'c> {
    gateway: &'c Arc<Gateway>,
    connection: &'c Arc<Connection>,
    tasks: &'c Tasks,
    client: Client,
    /// What was read of requests that are not answered yet.
    input: Vec<u8>,
    /// The fields that the service is told.
    lines: Vec<u8>,
    /// What is sent: to the service, then to the client.
    out: Vec<u8>,
}

/// What follows an answer.
enum Next {
    Request,
    End,
    Handover,
}

/// Buffers that grew beyond this are not kept for the next request.
const KEPT_BYTES: usize = 16 * 1024;

impl<'c> Plain<'c> {
    pub(crate) fn new(
        gateway: &'c Arc<Gateway>,
        connection: &'c Arc<Connection>,
        tasks: &'c Tasks,
        io: GuardedIo,
    ) -> Self {
        Self {
            gateway,
            connection,
            tasks,
            client: Client::new(io),
            input: Vec::new(),
            lines: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Serves until the connection ends or something comes that is not plain.
    pub(crate) async fn serve(mut self) -> io::Result<Left> {
        let mut draining = pin!(self.tasks.draining());
        loop {
            let limits: &Limits = &self.gateway.limits;
            let head = match head::read(&self.input, limits, &mut self.lines) {
                Reading::Plain(head) => head,
                Reading::Other => return Ok(Left::Unread(self.client.into_io(), self.input)),
                Reading::Partial => {
                    let more = self.client.read(&mut self.input, draining.as_mut());
                    match more.await? {
                        0 => return Ok(Left::Nothing),
                        _ => continue,
                    }
                }
            };
            let end = head.bytes + head.body;
            match self.answer(&head).await? {
                Next::Request => {}
                Next::End => {
                    self.client.shut_down().await?;
                    return Ok(Left::Nothing);
                }
                Next::Handover => return Ok(Left::HandedOver),
            }
            self.input.drain(..end);
            self.client.catch_up(&mut self.input);
            for buffer in [&mut self.input, &mut self.lines, &mut self.out] {
                if buffer.capacity() > KEPT_BYTES && buffer.is_empty() {
                    *buffer = Vec::new();
                }
            }
        }
    }

    async fn answer(&mut self, head: &Head) -> io::Result<Next> {
        let Self {
            gateway,
            connection,
            tasks,
            client,
            input,
            lines,
            out,
        } = self;
        let open = connection.begin(Version::HTTP_11);
        let whole = head.bytes + head.body;
        let patience = gateway.body_rules.patience;
        let refused = client.read_body(input, whole, patience, &gateway.limits);
        let refused = refused.await;
        let asked = Asked { head, input, lines };
        let mut exchange = Exchange::new(gateway, connection, asked);
        exchange.closes |= refused.is_some();
        let answer = match refused {
            Some(problem) => Answer::Response(problem.into_response()),
            None => {
                let called = exchange.call(gateway, connection, out);
                match client.wait(called, Some(gateway.request_timeout)).await {
                    Waited::Answered(answer) => answer,
                    Waited::Gone => return Ok(Next::End),
                    Waited::TooLong => Exchange::too_long(gateway),
                }
            }
        };
        let response = match answer {
            Answer::Response(response) => response,
            Answer::Written { closes } => {
                client.write(out).await?;
                return Ok(Next::after(!closes));
            }
        };
        let known = exchange.known();
        let finished = gateway.finish(&known, response, open);
        match Handover::of(Box::pin(finished).await) {
            Ok(handover) => {
                connection.hand_over(handover);
                Ok(Next::Handover)
            }
            Err(response) => {
                let closes = exchange.closes || tasks.is_draining();
                let written = write::response(gateway, response, closes, out, client);
                Box::pin(written).await.map(Next::after)
            }
        }
    }
}

impl Next {
    const fn after(may_go_on: bool) -> Self {
        if may_go_on { Self::Request } else { Self::End }
    }
}

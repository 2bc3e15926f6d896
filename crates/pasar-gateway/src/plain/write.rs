//! Answers as they are written to the client.

use std::{io, io::Write as _};

use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{
    HeaderMap, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use pasar_chassis::problem::Problem;

use super::{
    client::{Client, Waited},
    exchange::Exchange,
};
use crate::{
    answer,
    gateway::Gateway,
    http1::{date, fields},
    pool::{Passed, broken_off},
    response_body::ResponseBody,
};

/// What is gathered of a stream before it is sent.
const GATHERED_BYTES: usize = 32 * 1024;

/// Writes an answer as the service wrote it, but for the fields that are the gateway's. It is recorded here. Whether
/// it says that the connection ends with it.
pub(super) async fn as_it_is(
    gateway: &Gateway,
    exchange: &Exchange<'_>,
    passed: Passed,
    length: u64,
    out: &mut Vec<u8>,
) -> Result<bool, Problem> {
    let closes = exchange.closes || gateway.body_rules.tasks.is_draining();
    let status = passed.status();
    let names = passed.names();
    out.clear();
    begin(out, status, closes);
    out.extend_from_slice(passed.lines());
    if !has_no_body(status) {
        let _ = write!(out, "content-length: {length}\r\n");
    }
    if !names.date {
        date::write(out, &*gateway.clock);
    }
    let flow = exchange.arrival.flow;
    match exchange.asked.request_id() {
        Some(id) => fields::write(out, "x-request-id", id),
        None => {
            let _ = write!(out, "x-request-id: {}\r\n", exchange.arrival.request);
        }
    }
    let _ = write!(out, "pasar-flow: {flow}\r\n");
    out.extend_from_slice(&gateway.answer_lines);
    if !names.content_security_policy {
        out.extend_from_slice(answer::NO_CONTENT_LINE);
    }
    if !names.cache_control {
        out.extend_from_slice(answer::NO_STORE_LINE);
    }
    if let Some(counted) = &exchange.admission.counted {
        counted.write_lines(out);
    }
    out.extend_from_slice(b"\r\n");
    if !passed.write_body(out).await {
        return Err(broken_off());
    }
    gateway.note(&exchange.known(), status);
    Ok(closes)
}

/// Writes any answer. Whether its end can be told from what follows.
pub(super) async fn response(
    gateway: &Gateway,
    response: Response<ResponseBody>,
    mut closes: bool,
    out: &mut Vec<u8>,
    client: &mut Client,
) -> io::Result<bool> {
    let (parts, mut body) = response.into_parts();
    closes |= says_close(&parts.headers);
    let length = body.size_hint().exact();
    out.clear();
    begin(out, parts.status, closes);
    for (name, value) in &parts.headers {
        if ![CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name) {
            fields::write(out, name.as_str(), value.as_bytes());
        }
    }
    if !parts.headers.contains_key(DATE) {
        date::write(out, &*gateway.clock);
    }
    let is_chunked = length.is_none();
    match length {
        _ if has_no_body(parts.status) => {}
        Some(length) => fields::write(out, "content-length", length.to_string().as_bytes()),
        None => fields::write(out, "transfer-encoding", b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
    if has_no_body(parts.status) {
        client.write(out).await?;
        return Ok(!closes);
    }
    let mut gathered = Gathered { out, is_chunked };
    loop {
        let next = match body.frame().now_or_never() {
            Some(next) if gathered.out.len() < GATHERED_BYTES => next,
            Some(next) => {
                gathered.send(client).await?;
                next
            }
            None => {
                gathered.send(client).await?;
                match client.wait(body.frame(), None).await {
                    Waited::Answered(next) => next,
                    Waited::Gone | Waited::TooLong => return Ok(false),
                }
            }
        };
        match next {
            Some(Ok(frame)) => gathered.add(frame),
            // The client has what came, and learns by the connection's end that it is not all.
            Some(Err(error)) => {
                gathered.send(client).await?;
                return Err(io::Error::other(error));
            }
            None => break,
        }
    }
    if is_chunked {
        gathered.out.extend_from_slice(b"0\r\n\r\n");
    }
    gathered.send(client).await?;
    Ok(!closes)
}

struct Gathered<'o> {
    out: &'o mut Vec<u8>,
    is_chunked: bool,
}

impl Gathered<'_> {
    fn add(&mut self, frame: Frame<Bytes>) {
        // Trailers are for gRPC, which is not plain.
        let Ok(data) = frame.into_data() else {
            return;
        };
        if !self.is_chunked {
            self.out.extend_from_slice(&data);
        } else if !data.is_empty() {
            let _ = write!(self.out, "{:x}\r\n", data.len());
            self.out.extend_from_slice(&data);
            self.out.extend_from_slice(b"\r\n");
        }
    }

    async fn send(&mut self, client: &mut Client) -> io::Result<()> {
        if !self.out.is_empty() {
            client.write(self.out).await?;
            self.out.clear();
        }
        Ok(())
    }
}

fn begin(out: &mut Vec<u8>, status: StatusCode, closes: bool) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    let reason = status.canonical_reason().unwrap_or_default();
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
    if closes {
        out.extend_from_slice(b"connection: close\r\n");
    }
}

fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || matches!(status.as_u16(), 204 | 304)
}

fn says_close(headers: &HeaderMap) -> bool {
    let connection = headers.get(CONNECTION);
    connection.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

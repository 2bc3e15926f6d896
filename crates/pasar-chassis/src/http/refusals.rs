//! What hyper answers by itself to bytes that it cannot read as a request has no body. On its way out it becomes a
//! problem, as every other refusal is. It is told by its fields: every answer of ours has more of them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pasar_contracts::problem::ProblemType;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::problem::{MEDIA_TYPE, Problem};

/// A connection below hyper's server.
pub struct Refusals<I> {
    io: I,
    /// A line has ended since the last answer: a head that is too large has more than its first line.
    has_line: bool,
    /// What is written in place of a refusal, and how much of it is.
    problem: Option<(Vec<u8>, usize)>,
}

/// The fields of an answer that hyper makes up.
const ITS_FIELDS: [&str; 3] = ["connection", "content-length", "date"];
const EMPTY: &str = "content-length: 0";

impl<I> Refusals<I> {
    pub const fn new(io: I) -> Self {
        Self {
            io,
            has_line: false,
            problem: None,
        }
    }
}

impl<I: AsyncWrite + Unpin> Refusals<I> {
    /// Whether these bytes are a refusal, which is then written in other words.
    fn is_refusal(&mut self, bytes: &[u8]) -> bool {
        if self.problem.is_none() {
            self.problem = reworded(bytes, self.has_line).map(|problem| (problem, 0));
            self.has_line = false;
        }
        self.problem.is_some()
    }

    fn poll_problem(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((problem, written)) = &mut self.problem {
            if *written == problem.len() {
                self.problem = None;
                break;
            }
            match ready!(Pin::new(&mut self.io).poll_write(cx, &problem[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn reworded(bytes: &[u8], has_line: bool) -> Option<Vec<u8>> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let problem = match status {
        b"400" => Problem::new(ProblemType::InvalidRequest)
            .detail("the request is not written as HTTP/1.1 has it"),
        b"414" => Problem::new(ProblemType::UriTooLong),
        b"431" if has_line => Problem::new(ProblemType::HeadersTooLarge),
        b"431" => Problem::new(ProblemType::UriTooLong),
        _ => return None,
    };
    let head = str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let mut fields = head.split("\r\n").skip(1);
    let is_its = |field: &str| {
        let name = field.split(':').next();
        name.is_some_and(|name| ITS_FIELDS.contains(&name))
    };
    if !head.contains(EMPTY) || !fields.clone().all(is_its) {
        return None;
    }
    let status = problem.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let body = problem.to_json().to_string();
    let mut lines = vec![format!("HTTP/1.1 {} {reason}", status.as_u16())];
    lines.extend(
        fields
            .by_ref()
            .filter(|field| *field != EMPTY)
            .map(str::to_owned),
    );
    lines.push(format!("content-type: {MEDIA_TYPE}"));
    lines.push(format!("content-length: {}", body.len()));
    lines.push("cache-control: no-store\r\nx-content-type-options: nosniff".to_owned());
    Some(format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes())
}

impl<I: AsyncRead + Unpin> AsyncRead for Refusals<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if !self.has_line {
            self.has_line = buffer.filled()[before..].contains(&b'\n');
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Refusals<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_refusal(bytes) {
            return self.poll_problem(cx).map_ok(|()| bytes.len());
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [bytes] = slices {
            return self.poll_write(cx, bytes);
        }
        self.has_line = false;
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITS: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                       content-length: 0\r\ndate: Thu, 26 Nov 2026 11:00:00 GMT\r\n\r\n";

    fn said(bytes: &str, has_line: bool) -> Option<String> {
        let problem = reworded(bytes.as_bytes(), has_line);
        problem.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_refusal_keeps_its_fields_and_gets_a_body() {
        let problem = said(ITS, true).unwrap();
        let (head, body) = problem.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
        assert!(
            head.contains("\r\nconnection: close\r\ndate: Thu"),
            "{head}"
        );
        assert!(
            head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())),
            "{head}"
        );
        assert!(!head.contains(EMPTY) && body.contains("/problems/headers-too-large"));
        assert!(
            said(ITS, false)
                .unwrap()
                .starts_with("HTTP/1.1 414 URI Too Long\r\n")
        );
    }

    #[test]
    fn answers_of_ours_stay_as_they_are() {
        for ours in [
            ITS.replace("date:", "pasar-flow: flw_1\r\ndate:"),
            ITS.replace("431", "404"),
            ITS.replace("content-length: 0", "content-length: 2") + "{}",
            ITS.replace("content-length: 0\r\n", ""),
            ITS.repeat(2),
        ] {
            assert_eq!(said(&ours, true), None, "{ours}");
        }
    }
}

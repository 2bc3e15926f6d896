//! A keep-alive HTTP/1.1 connection that costs little: the generator runs on the same cores as what it measures.
//!
//! Reads only what Pasar answers to the bench: a status, a `Content-Length`, a body. No TLS, no chunks.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// A longer answer is not one of those that the bench asks for.
const MAX_ANSWER: usize = 1 << 20;
/// Above the `Prefer: wait` of every call of the bench.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

/// Where an answer's parts are in the buffer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    body_start: usize,
    body_length: usize,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends one whole request and reads its whole answer.
    pub(super) async fn send(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        match timeout(ANSWER_TIMEOUT, self.exchange(request)).await {
            Ok(Ok(head)) => Ok(Answer {
                status: head.status,
                body: &self.buffer[head.body_start..head.body_start + head.body_length],
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Head> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = head(&self.buffer)? {
                self.read_until(head.body_start + head.body_length).await?;
                return Ok(head);
            }
            if self.buffer.len() > MAX_ANSWER {
                return Err(unexpected("no end of the answer's head"));
            }
        }
    }

    async fn read_until(&mut self, length: usize) -> io::Result<()> {
        while self.buffer.len() < length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// `None` until the whole head is there.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text =
        std::str::from_utf8(&bytes[..end]).map_err(|_| unexpected("the head is not ASCII"))?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| unexpected("no status line"))?;
    let mut body_length = None;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Err(unexpected("a header without a colon"));
        };
        if name.eq_ignore_ascii_case("content-length") {
            body_length = value
                .trim()
                .parse()
                .ok()
                .filter(|length| *length <= MAX_ANSWER);
        }
    }
    let body_length = match (body_length, status) {
        (Some(length), _) => length,
        (None, 204 | 304) => 0,
        (None, _) => return Err(unexpected("no usable Content-Length")),
    };
    Ok(Some(Head {
        status,
        body_start: end + 4,
        body_length,
    }))
}

fn unexpected(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_head_gives_status_and_the_place_of_the_body() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-length: 2\r\ndate: x\r\n\r\n{}";
        let body_start = bytes.len() - 2;
        assert_eq!(
            head(bytes).unwrap(),
            Some(Head {
                status: 201,
                body_start,
                body_length: 2
            })
        );
        assert_eq!(
            head(b"HTTP/1.1 304 Not Modified\r\n\r\n")
                .unwrap()
                .unwrap()
                .body_length,
            0
        );
        assert_eq!(head(b"HTTP/1.1 201 Cr").unwrap(), None);
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn answers_that_come_in_pieces_are_put_together_and_the_connection_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4];
            for body in ["first", "other"] {
                stream.read_exact(&mut asked).await.unwrap();
                for part in [
                    "HTTP/1.1 200 OK\r\ncontent-",
                    "length: 5\r\n\r\n",
                    &body[..2],
                    &body[2..],
                ] {
                    stream.write_all(part.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut connection = Connection::open(address).await.unwrap();
        assert_eq!(connection.send(b"ask1").await.unwrap().body, b"first");
        assert_eq!(connection.send(b"ask2").await.unwrap().body, b"other");
        let error = connection.send(b"ask3").await.err().unwrap();
        assert!(matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
        ));
    }
}

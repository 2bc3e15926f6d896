//! HTTP calls to one place over connections that are kept: HTTP/1.1, or HTTP/2 where TLS agrees on it.
//!
//! A client belongs to one destination: no lock is shared with others, and a slow place holds up only itself.
//! It follows no redirect and no proxy, and connects only where the guard lets it.

mod http1;
mod http2;
mod pool;
mod stream;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header::HOST};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use rustls::{CertificateError, ClientConfig, pki_types::ServerName};
use tokio::time::{Instant, timeout_at};

use self::{http1::Http1, http2::Http2, pool::Pool, stream::Stream};
use crate::{destination::Network, destinations::guard::ConnectError};

/// Bytes that are read of one answer; then the connection is cut.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024;

pub(crate) struct Client {
    target: Target,
    pool: Pool,
}

/// Where the calls go.
pub(crate) struct Target {
    /// Absolute: `https://shop.example/hook?a=b`.
    pub(crate) uri: Uri,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For https.
    pub(crate) tls: Option<Tls>,
    pub(crate) network: Network,
    /// No longer than the network's.
    pub(crate) connect_timeout: Duration,
    /// How long a connection is kept without a request.
    pub(crate) idle_timeout: Duration,
}

pub(crate) struct Tls {
    /// With what may be agreed on (ALPN).
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

/// One request. Its headers are made again if it is sent again.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a (dyn Fn() -> HeaderMap + Send + Sync),
    pub(crate) body: &'a Bytes,
    /// For everything together, connecting included.
    pub(crate) timeout: Duration,
    /// Bytes of the answer's body that are wanted.
    pub(crate) keep: usize,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The first bytes.
    pub(crate) body: Vec<u8>,
}

/// Texts for the destination's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The guard refused.
    NotAllowed(String),
    /// There is no connection, or it broke before an answer.
    Unreachable(String),
    /// The other end is there, and not usable: its certificate, its protocol.
    Unusable(String),
    Timeout(Duration),
}

enum Connection {
    Http1(Http1),
    Http2(Http2),
}

impl Client {
    /// Connects to nothing yet.
    pub(crate) fn new(target: Target) -> Self {
        let pool = Pool::new(target.idle_timeout, target.network.clone());
        Self { target, pool }
    }

    /// Sends a request and reads the beginning of its answer. A body that does not end in time, or not within
    /// [`MAX_ANSWER_BYTES`], or breaks, costs the connection; the answer is still one.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer, NoAnswer> {
        let deadline = Instant::now() + call.timeout;
        let (mut connection, response) = timeout_at(deadline, self.exchange(call))
            .await
            .map_err(|_| NoAnswer::Timeout(call.timeout))??;
        let (head, mut incoming) = response.into_parts();
        let mut body = Vec::new();
        let reading = connection.read(&mut incoming, &mut body, call.keep);
        let whole = timeout_at(deadline, reading).await.unwrap_or(false);
        drop(incoming);
        match connection {
            Connection::Http1(http1) if whole => self.pool.give_back(http1).await,
            // Dropped, the one is closed and the other stays with the pool.
            Connection::Http1(_) | Connection::Http2(_) => {}
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// The answer's head, and the connection that it came on. That a connection which others had used before
    /// turns out to be closed is no fault of the other end: the request goes out once more.
    async fn exchange(
        &self,
        call: &Call<'_>,
    ) -> Result<(Connection, http::Response<Incoming>), NoAnswer> {
        let (mut connection, is_used) = match self.pool.take().await {
            Some(kept) => (kept, true),
            None => self.connect().await?,
        };
        match connection.ask(self.request(call, &connection)).await {
            Ok(response) => return Ok((connection, response)),
            Err(_) if is_used && !connection.heard() => self.pool.forget(connection),
            Err(broken) => return Err(unreachable(&broken)),
        }
        let (mut connection, _) = self.connect().await?;
        match connection.ask(self.request(call, &connection)).await {
            Ok(response) => Ok((connection, response)),
            Err(broken) => Err(unreachable(&broken)),
        }
    }

    fn request(&self, call: &Call<'_>, connection: &Connection) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.headers_mut() = (call.headers)();
        let uri = &self.target.uri;
        match connection {
            Connection::Http1(_) => {
                if let Some(host) = uri
                    .authority()
                    .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok())
                {
                    request.headers_mut().insert(HOST, host);
                }
                *request.uri_mut() = uri
                    .path_and_query()
                    .map_or_else(Uri::default, |path| path.clone().into());
            }
            Connection::Http2(_) => *request.uri_mut() = uri.clone(),
        }
        request
    }

    /// A new connection; over TLS one at a time until it is known that it is not HTTP/2, of which one
    /// connection serves all. Says whether it is one that others use, too.
    async fn connect(&self) -> Result<(Connection, bool), NoAnswer> {
        if self.target.tls.is_none() {
            return Ok((self.open().await?, false));
        }
        let asked = Instant::now();
        let opening = match self.pool.is_http1() {
            true => None,
            false => Some(self.pool.opening.lock().await),
        };
        if self.pool.is_http1() {
            drop(opening);
            return Ok((self.open_and_note().await?, false));
        }
        if let Some(http2) = self.pool.http2() {
            return Ok((Connection::Http2(http2), true));
        }
        // Who waited for a connection that failed shares the failure, and does not wait once more.
        if let Some(failure) = self.pool.failure_since(asked) {
            return Err(failure);
        }
        Ok((self.open_and_note().await?, false))
    }

    async fn open_and_note(&self) -> Result<Connection, NoAnswer> {
        let opened = self.open().await;
        match &opened {
            Ok(connection) => self.pool.speaks(connection),
            Err(failure) => self.pool.failed(failure),
        }
        opened
    }

    async fn open(&self) -> Result<Connection, NoAnswer> {
        let target = &self.target;
        let deadline = Instant::now() + target.connect_timeout;
        let plain = target
            .network
            .guard
            .connect(&target.host, target.port, target.connect_timeout)
            .await?;
        let stream = match &target.tls {
            None => Stream::plain(plain),
            Some(tls) => timeout_at(deadline, Stream::secure(plain, tls))
                .await
                .map_err(|_| ConnectError::Timeout(target.connect_timeout))?
                .map_err(|error| insecure(&error))?,
        };
        let opened = if stream.is_http2() {
            Http2::open(stream, &target.network)
                .await
                .map(Connection::Http2)
        } else {
            Http1::open(stream).await.map(Connection::Http1)
        };
        opened.map_err(|broken| unreachable(&broken))
    }
}

impl Connection {
    async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, hyper::Error> {
        match self {
            Self::Http1(http1) => http1.ask(request).await,
            Self::Http2(http2) => http2.ask(request).await,
        }
    }

    /// Whether something of the answer to what was last asked had come when it broke.
    fn heard(&self) -> bool {
        match self {
            Self::Http1(http1) => http1.heard(),
            // Streams break one by one, and which bytes were whose is not known: sent twice rather than lost.
            Self::Http2(_) => false,
        }
    }

    /// Reads a body and keeps its beginning. Says whether it came whole.
    async fn read(&mut self, incoming: &mut Incoming, kept: &mut Vec<u8>, keep: usize) -> bool {
        let mut read = 0;
        while !incoming.is_end_stream() {
            let frame = match self {
                Self::Http1(http1) => http1.frame(incoming).await,
                Self::Http2(_) => http2::frame(incoming).await,
            };
            let data = match frame {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            let room = keep.saturating_sub(kept.len());
            kept.extend_from_slice(&data[..room.min(data.len())]);
            read += data.len();
            if read > MAX_ANSWER_BYTES {
                return false;
            }
        }
        true
    }
}

impl From<ConnectError> for NoAnswer {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NotAllowed => Self::NotAllowed(error.to_string()),
            ConnectError::Unresolved(_) | ConnectError::Io(_) | ConnectError::Timeout(_) => {
                Self::Unreachable(error.to_string())
            }
        }
    }
}

fn insecure(error: &io::Error) -> NoAnswer {
    let refused = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match refused {
        // The second is what an authority of the same name and another key looks like.
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => NoAnswer::Unusable(
            "TLS: no authority that is believed signed the certificate; set ca to the one that did"
                .to_owned(),
        ),
        Some(refused) => NoAnswer::Unusable(format!("TLS: {refused}")),
        None => NoAnswer::Unreachable(format!("TLS: {}", error.kind())),
    }
}

fn unreachable(broken: &hyper::Error) -> NoAnswer {
    if broken.is_parse() {
        return NoAnswer::Unusable(format!("the answer is not HTTP as it should be: {broken}"));
    }
    NoAnswer::Unreachable("the connection was closed before an answer".to_owned())
}

#[cfg(test)]
mod tests {
    use pasar_feed::tasks::Tasks;
    use pasar_testkit::probe::soon;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::destinations::guard::Guard;

    #[tokio::test]
    async fn a_connection_that_is_not_used_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = Client::new(Target {
            uri: format!("http://{address}/").parse().unwrap(),
            host: address.ip().to_string(),
            port: address.port(),
            tls: None,
            network: Network {
                guard: Guard::open(),
                connect_timeout: Duration::from_secs(5),
                attempt_timeout: Duration::from_secs(5),
                tasks: Tasks::new(),
            },
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_millis(20),
        });
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream.read(&mut request).await.unwrap()
        });
        let call = Call {
            method: &Method::POST,
            headers: &HeaderMap::new,
            body: &Bytes::new(),
            timeout: Duration::from_secs(5),
            keep: 0,
        };
        let answer = client.send(&call).await.map(|answer| answer.status);
        assert_eq!(answer, Ok(StatusCode::NO_CONTENT));
        let more = soon("the connection's end", serving).await.unwrap();
        assert_eq!(more, 0);
        assert!(client.pool.is_empty());
    }
}

//! The socket to a server: frames of PostgreSQL's protocol 3.0, over TCP or TLS. It blocks, so that it serves
//! any thread, one of a runtime too: the drivers that exist bring a runtime, which may not be entered twice.

use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use postgres_protocol::message::frontend;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::place::{Server, Tls};

/// How long a server may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Longer than any statement may take (`STATEMENT_LIMIT`): after it the server is taken for gone.
const ANSWER_LIMIT: Duration = Duration::from_secs(40);
/// One frame, so one row, has at most so many bytes.
const MOST_FRAME_BYTES: usize = 256 * 1024 * 1024;
const READ_BYTES: usize = 16 * 1024;

pub(super) struct Wire {
    stream: Stream,
    /// What is to be sent.
    pub(super) out: BytesMut,
    input: BytesMut,
    scratch: Box<[u8; READ_BYTES]>,
}

/// One message of the server.
pub(super) struct Frame {
    pub(super) tag: u8,
    pub(super) body: Bytes,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub(super) fn connect(server: &Server) -> io::Result<Self> {
        let mut tcp = connect_tcp(server)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(ANSWER_LIMIT))?;
        tcp.set_write_timeout(Some(ANSWER_LIMIT))?;
        let stream = match trusted(&server.tls)? {
            None => Stream::Plain(tcp),
            Some(roots) => {
                ask_for_tls(&mut tcp)?;
                Stream::Tls(Box::new(secure(tcp, roots, &server.host)?))
            }
        };
        Ok(Self {
            stream,
            out: BytesMut::new(),
            input: BytesMut::new(),
            scratch: Box::new([0; READ_BYTES]),
        })
    }

    /// Sends all that was written to `out`.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let result = match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(&self.out),
            Stream::Tls(tls) => tls.write_all(&self.out).and_then(|()| tls.flush()),
        };
        self.out.clear();
        result
    }

    /// Whether the server has ended the session, or said something unasked, since it was last heard. Only when
    /// every answer was read.
    pub(super) fn is_stale(&self) -> bool {
        let tcp = match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => &tls.sock,
        };
        let peek = || {
            tcp.set_nonblocking(true)?;
            let heard = tcp.peek(&mut [0]);
            tcp.set_nonblocking(false)?;
            heard
        };
        !matches!(peek(), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits for the next message.
    pub(super) fn read(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = self.split_frame()? {
                return Ok(frame);
            }
            let count = match &mut self.stream {
                Stream::Plain(tcp) => tcp.read(&mut self.scratch[..]),
                Stream::Tls(tls) => tls.read(&mut self.scratch[..]),
            };
            match count {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.input.extend_from_slice(&self.scratch[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn split_frame(&mut self) -> io::Result<Option<Frame>> {
        let Some((head, _)) = self.input.split_at_checked(5) else {
            return Ok(None);
        };
        let tag = head[0];
        // It counts itself, and not the tag.
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(4..=MOST_FRAME_BYTES).contains(&length) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a frame of an impossible length",
            ));
        }
        if self.input.len() <= length {
            self.input.reserve(length + 1 - self.input.len());
            return Ok(None);
        }
        let body = self.input.split_to(length + 1).freeze().slice(5..);
        Ok(Some(Frame { tag, body }))
    }
}

impl Drop for Wire {
    /// Lets the server end the session now, not once it notices.
    fn drop(&mut self) {
        self.out.clear();
        frontend::terminate(&mut self.out);
        // It may be gone already.
        let _ = self.flush();
    }
}

fn connect_tcp(server: &Server) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (server.host.as_str(), server.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask_for_tls(tcp: &mut TcpStream) -> io::Result<()> {
    let mut out = BytesMut::new();
    frontend::ssl_request(&mut out);
    tcp.write_all(&out)?;
    let mut answer = [0];
    tcp.read_exact(&mut answer)?;
    if answer == [b'S'] {
        return Ok(());
    }
    Err(io::Error::other(
        "the server offers no TLS; set ssl = on there, or sslmode=disable in the URL",
    ))
}

/// Whose certificates are believed; `None` without TLS.
fn trusted(tls: &Tls) -> io::Result<Option<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    match tls {
        Tls::Off => return Ok(None),
        Tls::Public => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Tls::File(path) => {
            let pem = fs::read(path)
                .map_err(|error| io::Error::new(error.kind(), format!("sslrootcert: {error}")))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(io::Error::other)?;
                roots.add(certificate).map_err(io::Error::other)?;
            }
            if roots.is_empty() {
                return Err(io::Error::other("sslrootcert holds no certificate"));
            }
        }
    }
    Ok(Some(roots))
}

fn secure(
    tcp: TcpStream,
    roots: RootCertStore,
    host: &str,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, tcp))
}

//! A socket that gives up on clients which send heads too slowly, lie idle, or do not take their answers.
//!
//! hyper's own header timeout counts idle time too and knows nothing of writes, and a timeout inside a
//! body does not fire while the socket is blocked: hence here, where all bytes pass. A timer is set
//! rarely and looked at when it fires, so that a request costs no timer.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::server::{connection::Connection, timer::Timer};

pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// It was handed over.
    Gone,
}

#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    pub(super) write: Duration,
}

pub(crate) struct GuardedIo {
    socket: Socket,
    /// Read before what comes from the socket.
    unread: Vec<u8>,
    connection: Arc<Connection>,
    patience: Patience,
    /// The requests that had begun when this was last looked at.
    begun: u64,
    /// When the first bytes of the head that is being read came.
    head_since: Option<Instant>,
    write_since: Option<Instant>,
    read_timer: Timer,
    write_timer: Timer,
}

impl GuardedIo {
    pub(super) fn new(socket: Socket, connection: Arc<Connection>, patience: Patience) -> Self {
        Self {
            socket,
            unread: Vec::new(),
            connection,
            patience,
            begun: 0,
            head_since: None,
            write_since: None,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
        }
    }

    /// Gives back what was read of it and not used.
    pub(super) fn with_unread(mut self, bytes: Vec<u8>) -> Self {
        self.unread = bytes;
        self
    }

    fn note_read(&mut self) {
        self.forget_finished_head();
        if self.head_since.is_none() && !self.connection.is_active() {
            self.head_since = Some(Instant::now());
        }
    }

    fn forget_finished_head(&mut self) {
        let begun = self.connection.begun();
        if begun != self.begun {
            self.begun = begun;
            self.head_since = None;
        }
    }

    /// Until when the client must have sent, or taken, something.
    fn read_deadline(&mut self) -> Option<Instant> {
        self.forget_finished_head();
        if self.begun == 0 {
            return Some(self.connection.opened() + self.patience.head);
        }
        if self.connection.is_active() {
            // HTTP/2: the socket may take bytes while a stream's window stays shut.
            return self
                .connection
                .stalled_since()
                .map(|since| since + self.patience.write);
        }
        match self.head_since {
            Some(since) if !self.connection.is_http2() => Some(since + self.patience.head),
            _ => Some(self.connection.idle_since() + self.patience.idle),
        }
    }

    fn poll_read_guard(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let recheck = self.patience.idle.min(self.patience.write);
        loop {
            // While a request is open nothing is due, but nobody tells when it ends: look again.
            let deadline = self.read_deadline();
            let wake = deadline.unwrap_or_else(|| Instant::now() + recheck);
            ready!(self.read_timer.poll(wake, cx));
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Poll::Ready(timed_out("the client sent too slowly, or nothing"));
            }
        }
    }

    /// Passes on what a write said, unless it has said "later" for too long.
    fn guard_write<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.write_since.take().is_some() {
                self.connection.set_blocked(false);
            }
            return written;
        }
        self.connection.set_blocked(true);
        let since = *self.write_since.get_or_insert_with(Instant::now);
        let deadline = since + self.patience.write;
        loop {
            ready!(self.write_timer.poll(deadline, cx));
            if deadline <= Instant::now() {
                return Poll::Ready(Err(timed_out("the client does not take its answer")));
            }
        }
    }
}

/// Once an answer has asked for the socket, dropping what reads requests from it frees the socket.
impl Drop for GuardedIo {
    fn drop(&mut self) {
        if self.connection.is_handed_over() {
            let socket = std::mem::replace(&mut self.socket, Socket::Gone);
            self.connection.give_back(socket);
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket was handed over")
}

fn timed_out(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, reason)
}

impl AsyncRead for GuardedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.unread.is_empty() {
            let length = this.unread.len().min(buffer.remaining());
            buffer.put_slice(&this.unread[..length]);
            this.unread.drain(..length);
            return Poll::Ready(Ok(()));
        }
        let read = match &mut this.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Socket::Tls(socket) => Pin::new(socket).poll_read(cx, buffer),
            Socket::Gone => Poll::Ready(Ok(())),
        };
        if read.is_ready() {
            this.note_read();
            return read;
        }
        // Who took the socket over decides how long it waits for its client.
        if this.connection.is_handed_over() {
            return Poll::Pending;
        }
        this.poll_read_guard(cx).map(Err)
    }
}

impl AsyncWrite for GuardedIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Socket::Tls(socket) => Pin::new(socket).poll_write(cx, bytes),
            Socket::Gone => return Poll::Ready(Err(gone())),
        };
        self.guard_write(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Socket::Tls(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Socket::Gone => return Poll::Ready(Err(gone())),
        };
        self.guard_write(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(socket) => socket.is_write_vectored(),
            Socket::Tls(socket) => socket.is_write_vectored(),
            Socket::Gone => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            // Nothing is buffered here; a flush neither waits nor tells of progress.
            Socket::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Tls(socket) => {
                let flushed = Pin::new(socket).poll_flush(cx);
                self.guard_write(flushed, cx)
            }
            Socket::Gone => Poll::Ready(Err(gone())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Gone => return Poll::Ready(Ok(())),
        };
        self.guard_write(shut, cx)
    }
}

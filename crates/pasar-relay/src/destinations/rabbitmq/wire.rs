//! Our own socket under lapin: connected through the guard, encrypted by our TLS, and cut when we say so.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use async_compat::Compat;
use async_rs::{Runtime, Tokio, traits::Reactor, util::RuntimeParts};
use futures_util::{Stream as Items, task::AtomicWaker};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::destinations::broker::Stream;

/// Tokio for all but sockets.
pub(super) fn runtime() -> Runtime<RuntimeParts<Tokio, Wires>> {
    Runtime::new(RuntimeParts::new(Tokio::current(), Wires(Tokio::current())))
}

/// Gives lapin the type of its sockets; they are made elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Wires(Tokio);

impl Reactor for Wires {
    type TcpStream = Compat<Wire>;
    type Sleep = tokio::time::Sleep;

    #[expect(
        refining_impl_trait_internal,
        reason = "the trait's own types are no direct dependency, and it is never called"
    )]
    fn register<H: Read + Write + Send + 'static>(&self, _: H) -> io::Result<Compat<Wire>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Items<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

/// Ends a connection under whoever reads from it. Clones cut the same wire.
#[derive(Clone, Default)]
pub(super) struct Cutter(Arc<Cut>);

#[derive(Default)]
struct Cut {
    is_cut: AtomicBool,
    reader: AtomicWaker,
}

impl Cutter {
    pub(super) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    /// Cuts when dropped, unless disarmed before.
    pub(super) fn armed(&self) -> Armed {
        Armed(Some(self.clone()))
    }
}

pub(super) struct Armed(Option<Cutter>);

impl Armed {
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        if let Some(cutter) = &self.0 {
            cutter.cut();
        }
    }
}

pub(super) struct Wire {
    stream: Box<dyn Stream>,
    cut: Arc<Cut>,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>, cutter: &Cutter) -> Compat<Self> {
        Compat::new(Self {
            stream,
            cut: Arc::clone(&cutter.0),
        })
    }

    fn check(&self) -> io::Result<()> {
        match self.cut.is_cut.load(Ordering::Acquire) {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut.reader.register(cx.waker());
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

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
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
};

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

/// How long lapin may take to tell those who wait that their connection has ended, and why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ends a connection under whoever reads from it, and tells when it has ended. Clones are of the same wire.
#[derive(Clone, Default)]
pub(super) struct Cutter(Arc<Cut>);

#[derive(Default)]
struct Cut {
    is_cut: AtomicBool,
    reader: AtomicWaker,
    has_ended: watch::Sender<bool>,
}

impl Cutter {
    pub(super) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    /// There is no wire, or none any more.
    pub(super) fn ended(&self) {
        self.0.has_ended.send_replace(true);
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.0.has_ended.borrow()
    }

    /// What lapin answers. Nothing if it does not although the wire has ended: it forgets who asks while a
    /// connection goes (a channel that is asked for after its loop has stopped, a connection whose first frame
    /// is sent after connecting has failed).
    pub(super) async fn answer<T>(&self, asked: impl Future<Output = T>) -> Option<T> {
        let mut has_ended = self.0.has_ended.subscribe();
        let mut asked = std::pin::pin!(asked);
        tokio::select! {
            biased;
            answer = &mut asked => return Some(answer),
            // The sender lives as long as this.
            _ = has_ended.wait_for(|has_ended| *has_ended) => {}
        }
        tokio::time::timeout(LAST_WORDS, asked).await.ok()
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

impl Drop for Wire {
    /// lapin lets go of it last, when it has read and answered whatever came.
    fn drop(&mut self) {
        self.cut.has_ended.send_replace(true);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_forgotten_is_told_when_the_wire_has_ended_and_who_is_not_hears_the_answer() {
        let cutter = Cutter::default();
        let forgotten = cutter.answer(std::future::pending::<()>());
        let answered = cutter.answer(tokio::time::sleep(LAST_WORDS / 2));
        let ending = async { drop(Wire::new(Box::new(tokio::io::empty()), &cutter)) };
        let began = tokio::time::Instant::now();
        let (forgotten, answered, ()) = tokio::join!(forgotten, answered, ending);
        assert_eq!((forgotten, answered), (None, Some(())));
        assert_eq!(began.elapsed().as_secs(), LAST_WORDS.as_secs());

        // There was no wire.
        let none = Cutter::default();
        none.ended();
        assert_eq!(none.answer(std::future::pending::<()>()).await, None);
        assert!(none.has_ended());
    }
}

//! One HTTP/2 connection: many requests at once, moved by a task of its own that ends with the last handle.

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Body as _, Frame, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{sync::watch, task::AbortHandle};

use super::{MAX_ANSWER_BYTES, stream::Stream};
use crate::destination::Network;

/// Cheap to clone; all clones are one connection.
#[derive(Clone)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    driver: Arc<Driver>,
}

struct Driver {
    driving: AbortHandle,
    /// What the library runs beside ends with this.
    _open: watch::Sender<()>,
}

/// Runs what the library wants run beside, for as long as the connection is wanted.
#[derive(Clone)]
struct Beside {
    network: Network,
    open: watch::Receiver<()>,
}

/// A connection with requests under way is asked after this long whether it still lives, and given up after
/// so long without an answer.
const ARE_YOU_THERE: Duration = Duration::from_secs(10);
const GIVE_UP: Duration = Duration::from_secs(10);
/// Of one answer's body, and of all that are under way, unread.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

impl Http2 {
    /// Until the other end has said how many requests it takes at once, it gets one.
    pub(super) async fn open(stream: Stream, network: &Network) -> Result<Self, hyper::Error> {
        let most = u32::try_from(MAX_ANSWER_BYTES).unwrap_or(u32::MAX);
        let (open, while_open) = watch::channel(());
        let beside = Beside {
            network: network.clone(),
            open: while_open,
        };
        let (sender, driver) = http2::Builder::new(beside)
            .timer(TokioTimer::new())
            .keep_alive_interval(ARE_YOU_THERE)
            .keep_alive_timeout(GIVE_UP)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(1)
            .max_header_list_size(most)
            .handshake(TokioIo::new(stream))
            .await?;
        // What went wrong is told to who waits for an answer.
        let driving = network.spawn("HTTP/2 connection", async move { drop(driver.await) });
        Ok(Self {
            sender,
            driver: Arc::new(Driver {
                driving,
                _open: open,
            }),
        })
    }

    pub(super) async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.driver, &other.driver)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether nobody but the pool holds it.
    pub(super) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.driver) == 1
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Beside {
    fn execute(&self, task: F) {
        let mut open = self.open.clone();
        self.network.spawn("HTTP/2 stream", async move {
            tokio::select! {
                () = task => {}
                // Nothing is ever sent: it resolves when the connection is let go.
                _ = open.changed() => {}
            }
        });
    }
}

/// The next piece of an answer's body.
pub(super) async fn frame(incoming: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx)).await
}

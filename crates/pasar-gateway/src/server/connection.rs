//! What the parts that serve one connection know of each other: how many requests are open, and
//! whether the client takes what it is given.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::Version;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{handover::Handover, server::guarded_io::Socket};

/// One client connection. Its counters are hints for timeouts; nothing else hangs on their order.
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    opened: Instant,
    http2: AtomicBool,
    begun: AtomicU64,
    active: AtomicU32,
    /// Answers whose next part waits for the client (HTTP/2: for its window).
    owing: AtomicU32,
    /// When a request last ended, and when an answer last moved: milliseconds since `opened`.
    ended_ms: AtomicU64,
    moved_ms: AtomicU64,
    /// Whether what was answered before still waits for the client to take it.
    blocked: AtomicBool,
    handed_over: AtomicBool,
    handing: Mutex<Handing>,
    asked: Notify,
}

/// What meets when a connection is handed over: the answer that asked for the socket, and the socket.
#[derive(Default)]
struct Handing {
    answer: Option<Handover>,
    socket: Option<Socket>,
}

/// A request that is open, from its head to the end of its answer's body, however that ends.
pub(crate) struct OpenRequest {
    pub(crate) connection: Arc<Connection>,
    owing: bool,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            opened: Instant::now(),
            http2: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            active: AtomicU32::new(0),
            owing: AtomicU32::new(0),
            ended_ms: AtomicU64::new(0),
            moved_ms: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            handed_over: AtomicBool::new(false),
            handing: Mutex::default(),
            asked: Notify::new(),
        }
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }

    /// Whether an answer may ask for the socket: not by HTTP/2, where others share it, and not while a part
    /// of an earlier answer would be lost.
    pub(crate) fn hands_over(&self) -> bool {
        !self.is_http2() && !self.blocked.load(Relaxed)
    }

    /// An answer asks for the socket: from now on, whoever holds it gives it back when dropped.
    pub(crate) fn hand_over(&self, answer: Handover) {
        self.handing.lock().answer = Some(answer);
        self.handed_over.store(true, Relaxed);
        self.asked.notify_one();
    }

    pub(super) fn is_handed_over(&self) -> bool {
        self.handed_over.load(Relaxed)
    }

    /// Resolves once an answer has asked for the socket.
    pub(super) async fn asked_for(&self) {
        self.asked.notified().await;
    }

    pub(super) fn give_back(&self, socket: Socket) {
        self.handing.lock().socket = Some(socket);
    }

    /// The answer and the socket, once both are there.
    pub(super) fn handed(&self) -> Option<(Handover, Socket)> {
        let mut handing = self.handing.lock();
        Some((handing.answer.take()?, handing.socket.take()?))
    }

    pub(crate) fn begin(self: &Arc<Self>, version: Version) -> OpenRequest {
        self.http2.store(version == Version::HTTP_2, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        self.active.fetch_add(1, Relaxed);
        OpenRequest {
            connection: Arc::clone(self),
            owing: false,
        }
    }

    /// Requests so far.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Whether the requests so far came by HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Relaxed) > 0
    }

    pub(crate) const fn opened(&self) -> Instant {
        self.opened
    }

    /// Since when no request has been open; meaningful only while none is.
    pub(crate) fn idle_since(&self) -> Instant {
        self.opened + Duration::from_millis(self.ended_ms.load(Relaxed))
    }

    /// Since when the client has taken nothing of what waits for it.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        let stalled = self.owing.load(Relaxed) > 0;
        stalled.then(|| self.opened + Duration::from_millis(self.moved_ms.load(Relaxed)))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl OpenRequest {
    /// The client was given a part (or the head) and has to come for the next.
    pub(crate) fn owe(&mut self) {
        self.connection
            .moved_ms
            .store(self.connection.elapsed_ms(), Relaxed);
        if !self.owing {
            self.owing = true;
            self.connection.owing.fetch_add(1, Relaxed);
        }
    }

    /// The client came for more and there is none yet.
    pub(crate) fn settle(&mut self) {
        if self.owing {
            self.owing = false;
            self.connection.owing.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.settle();
        self.connection
            .ended_ms
            .store(self.connection.elapsed_ms(), Relaxed);
        self.connection.active.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Arc<Connection> {
        Arc::new(Connection::new(SocketAddr::from(([127, 0, 0, 1], 1))))
    }

    #[test]
    fn a_connection_is_active_until_its_last_request_is_dropped() {
        let connection = connection();
        let (first, second) = (
            connection.begin(Version::HTTP_11),
            connection.begin(Version::HTTP_11),
        );
        drop(first);
        assert!(connection.is_active());
        drop(second);
        assert!(!connection.is_active());
        assert_eq!(connection.begun(), 2);
    }

    #[test]
    fn an_answer_is_stalled_only_while_the_client_owes_a_read() {
        let connection = connection();
        let mut request = connection.begin(Version::HTTP_11);
        assert_eq!(connection.stalled_since(), None);
        request.owe();
        request.owe();
        assert!(connection.stalled_since().is_some());
        request.settle();
        assert_eq!(connection.stalled_since(), None);
        request.owe();
        drop(request);
        assert_eq!(connection.stalled_since(), None);
    }
}

//! The connections of one client that wait for the next request. There are never more than requests that
//! were under way at once, and what is not used for a while is closed.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{task::AbortHandle, time::Instant};

use super::{Connection, NoAnswer, http1::Http1, http2::Http2};
use crate::destination::Network;

pub(super) struct Pool {
    state: Arc<Mutex<State>>,
    idle_timeout: Duration,
    network: Network,
    /// Held while it is not known what the other end speaks.
    pub(super) opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The one that was used last is taken first, so that the others fall idle.
    idle: Vec<(Http1, Instant)>,
    http2: Option<(Http2, Instant)>,
    is_http1: bool,
    failure: Option<(NoAnswer, Instant)>,
    sweeper: Option<AbortHandle>,
}

impl Pool {
    /// Closes what was not used for so long.
    pub(super) fn new(idle_timeout: Duration, network: Network) -> Self {
        Self {
            state: Arc::default(),
            idle_timeout,
            network,
            opening: tokio::sync::Mutex::default(),
        }
    }

    /// A connection that is open, as far as is known here.
    pub(super) async fn take(&self) -> Option<Connection> {
        if let Some(http2) = self.http2() {
            return Some(Connection::Http2(http2));
        }
        loop {
            let (mut http1, _) = self.state.lock().idle.pop()?;
            if http1.ready().await {
                return Some(Connection::Http1(http1));
            }
        }
    }

    pub(super) async fn give_back(&self, mut http1: Http1) {
        if http1.settle().await {
            let mut state = self.state.lock();
            state.idle.push((http1, Instant::now()));
            self.keep_sweeping(&mut state);
        }
    }

    pub(super) fn http2(&self) -> Option<Http2> {
        let mut state = self.state.lock();
        let (http2, used) = state.http2.as_mut()?;
        if http2.is_closed() {
            state.http2 = None;
            return None;
        }
        *used = Instant::now();
        Some(http2.clone())
    }

    /// Closes a connection that broke, unless it was replaced meanwhile. Whether all of it broke or only one
    /// request on it is not asked: requests that are under way keep it.
    pub(super) fn forget(&self, broken: Connection) {
        let Connection::Http2(broken) = broken else {
            return;
        };
        let mut state = self.state.lock();
        if state
            .http2
            .as_ref()
            .is_some_and(|(current, _)| current.is_same(&broken))
        {
            state.http2 = None;
        }
    }

    pub(super) fn is_http1(&self) -> bool {
        self.state.lock().is_http1
    }

    /// Notes what a new connection speaks: the other end may have been changed since.
    pub(super) fn speaks(&self, connection: &Connection) {
        let mut state = self.state.lock();
        state.failure = None;
        match connection {
            Connection::Http1(_) => state.is_http1 = true,
            Connection::Http2(http2) => {
                state.is_http1 = false;
                state.http2 = Some((http2.clone(), Instant::now()));
                self.keep_sweeping(&mut state);
            }
        }
    }

    pub(super) fn failed(&self, failure: &NoAnswer) {
        self.state.lock().failure = Some((failure.clone(), Instant::now()));
    }

    pub(super) fn failure_since(&self, since: Instant) -> Option<NoAnswer> {
        let state = self.state.lock();
        let (failure, at) = state.failure.as_ref()?;
        (*at >= since).then(|| failure.clone())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.idle.is_empty() && state.http2.is_none()
    }

    fn keep_sweeping(&self, state: &mut State) {
        if state.sweeper.is_none() {
            let sweeping = sweep(Arc::downgrade(&self.state), self.idle_timeout);
            state.sweeper = Some(self.network.spawn("idle connections", sweeping));
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.state.lock().sweeper {
            sweeper.abort();
        }
    }
}

/// Closes what is idle for long; ends once nothing is kept.
async fn sweep(state: Weak<Mutex<State>>, idle_timeout: Duration) {
    loop {
        tokio::time::sleep(idle_timeout).await;
        let Some(state) = state.upgrade() else {
            return;
        };
        let mut state = state.lock();
        let now = Instant::now();
        let is_fresh = |used: Instant| now.duration_since(used) < idle_timeout;
        state.idle.retain(|(_, used)| is_fresh(*used));
        let unused = |(http2, used): &(Http2, Instant)| {
            http2.is_closed() || http2.is_idle() && !is_fresh(*used)
        };
        if state.http2.as_ref().is_some_and(unused) {
            state.http2 = None;
        }
        if state.idle.is_empty() && state.http2.is_none() {
            state.sweeper = None;
            return;
        }
    }
}

//! A connection that is made by the first who needs it, shared by all, and made anew once it broke.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use crate::destination::Sent;

pub struct Link<C> {
    state: Mutex<State<C>>,
    /// Attempts to connect that ended.
    ended: AtomicU64,
}

struct State<C> {
    connection: Option<Arc<C>>,
    last_failure: Option<Sent>,
}

impl<C> Default for Link<C> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                connection: None,
                last_failure: None,
            }),
            ended: AtomicU64::new(0),
        }
    }
}

impl<C> Link<C> {
    /// The connection, or why there is none. Those who wait while one attempt fails share its failure: a
    /// destination that is down is not tried once for each message that waits for it.
    pub async fn get(
        &self,
        timeout: Duration,
        is_alive: impl Fn(&C) -> bool,
        connect: impl AsyncFnOnce() -> Result<C, Sent>,
    ) -> Result<Arc<C>, Sent> {
        let ended_before = self.ended.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            if is_alive(connection) {
                return Ok(Arc::clone(connection));
            }
            state.connection = None;
        }
        if self.ended.load(Ordering::Acquire) != ended_before
            && let Some(failure) = &state.last_failure
        {
            return Err(failure.clone());
        }
        let result = match tokio::time::timeout(timeout, connect()).await {
            Ok(result) => result,
            Err(_) => Err(Sent::Unreachable(format!(
                "no connection within {} ms",
                timeout.as_millis()
            ))),
        };
        self.ended.fetch_add(1, Ordering::AcqRel);
        match result {
            Ok(connection) => {
                let connection = Arc::new(connection);
                state.connection = Some(Arc::clone(&connection));
                state.last_failure = None;
                Ok(connection)
            }
            Err(failure) => {
                state.last_failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Closes a connection that does not answer, unless it was replaced meanwhile.
    pub async fn forget(&self, connection: &Arc<C>) {
        let mut state = self.state.lock().await;
        if state
            .connection
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, connection))
        {
            state.connection = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::join_all;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn those_who_wait_share_one_connection_or_one_failure() {
        let link = Link::<u8>::default();
        let tries = AtomicUsize::new(0);
        let fail = async || {
            tries.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Err(Sent::Unreachable("down".into()))
        };
        let results = join_all((0..50).map(|_| link.get(TIMEOUT, |_| true, fail))).await;
        assert!(results.iter().all(Result::is_err));
        assert_eq!(tries.load(Ordering::Relaxed), 1);

        let work = async || {
            tries.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(7)
        };
        let results = join_all((0..50).map(|_| link.get(TIMEOUT, |_| true, work))).await;
        assert!(
            results
                .iter()
                .all(|result| matches!(result, Ok(seven) if **seven == 7))
        );
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_dead_or_forgotten_connection_is_made_anew() {
        let link = Link::<u8>::default();
        let first = link.get(TIMEOUT, |_| true, async || Ok(1)).await.unwrap();
        let second = link.get(TIMEOUT, |_| false, async || Ok(2)).await.unwrap();
        link.forget(&first).await;
        let kept = link.get(TIMEOUT, |_| true, async || Ok(3)).await.unwrap();
        link.forget(&second).await;
        let third = link.get(TIMEOUT, |_| true, async || Ok(4)).await.unwrap();
        assert_eq!((*second, *kept, *third), (2, 2, 4));
    }

    #[tokio::test]
    async fn a_connection_that_takes_too_long_is_given_up() {
        let link = Link::<u8>::default();
        let result = link
            .get(Duration::from_millis(5), |_| true, std::future::pending)
            .await;
        assert_eq!(
            result.unwrap_err(),
            Sent::Unreachable("no connection within 5 ms".into())
        );
    }
}

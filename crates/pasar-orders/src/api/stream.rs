//! An order's changes as they happen, and as server-sent events: subscribed first, then replayed from the feed, then live.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::response::Response;
use futures_util::{Stream, StreamExt, stream};
use pasar_chassis::{
    problem::{Chain, Problem},
    sse,
};
use pasar_contracts::{api::orders::OrderChange, problem::ProblemType};
use pasar_feed::tail::Watch;
use pasar_store::{fault::Fault, feed::FeedEvent};
use pasar_types::{id::OrderId, time::Timestamp};

use super::Api;
use crate::{
    changes::{self, Changes},
    waiting,
};

/// How long a stream goes on after the order's end, so that what follows at once is still seen.
const GRACE: Duration = Duration::from_secs(5);
/// Events of one order that are read at once.
const STRETCH: usize = 200;

/// Streams an order's changes after a version.
pub(super) fn order(api: &Arc<Api>, id: OrderId, after: Option<i64>) -> Result<Response, Problem> {
    let events = changes(api, id, after.unwrap_or(0))?.map(|Named { name, change }| {
        let json = serde_json::to_string(&change);
        let json = json.expect("a change was read as JSON");
        sse::event(change.version, &name, json)
    });
    Ok(sse::respond(&api.host.tasks, events))
}

/// An order's changes after a version, as they happen.
pub(super) fn changes(
    api: &Arc<Api>,
    id: OrderId,
    after: i64,
) -> Result<impl Stream<Item = Named> + Send + use<>, Problem> {
    let key = id.to_string();
    let mut follow = Following {
        watch: api.tail.watch(&key),
        api: Arc::clone(api),
        key,
        after,
        changes: Changes::new(),
        first: None,
        waiting: VecDeque::new(),
        ends_at: None,
    };
    follow.replay()?;
    // Each begins with that it was placed.
    if follow.first != Some(1) {
        return Err(Problem::new(ProblemType::NoLongerKept).detail(
            "the order has ended long ago and its changes are not kept; read the order itself",
        ));
    }
    Ok(stream::unfold(follow, async |mut follow| {
        let change = follow.next().await?;
        Some((change, follow))
    }))
}

/// A change and what the stream calls it.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) change: OrderChange,
}

struct Following {
    api: Arc<Api>,
    watch: Watch,
    key: String,
    /// What the client saw before.
    after: i64,
    changes: Changes,
    /// The first version that the feed has of the order.
    first: Option<i64>,
    waiting: VecDeque<Named>,
    /// Set once the order has come to its end.
    ends_at: Option<Timestamp>,
}

impl Following {
    async fn next(&mut self) -> Option<Named> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let ends_at = self.ends_at;
            let host = &self.api.host;
            let heard = tokio::select! {
                heard = self.watch.changed() => heard,
                () = waiting::until(host, ends_at.unwrap_or(NEVER)) => return None,
            };
            let taken = if heard.missed {
                self.replay()
            } else {
                heard.events.iter().try_for_each(|event| self.take(event))
            };
            if let Err(fault) = taken {
                tracing::error!(key = self.key, fault = %Chain(&fault), "a stream ends early");
                return None;
            }
        }
    }

    /// Takes what the feed has of the order and was not taken yet.
    fn replay(&mut self) -> Result<(), Fault> {
        loop {
            let events = self
                .api
                .store
                .events_of(&self.key, self.changes.version(), STRETCH)?;
            if events.is_empty() {
                return Ok(());
            }
            events.iter().try_for_each(|event| self.take(event))?;
        }
    }

    fn take(&mut self, event: &FeedEvent) -> Result<(), Fault> {
        self.first.get_or_insert(event.keyversion);
        let Some(change) = self.changes.take(event)? else {
            return Ok(());
        };
        if self.changes.state().is_final() && self.ends_at.is_none() {
            self.ends_at = Some(self.api.host.clock.now() + GRACE);
        }
        if change.version > self.after {
            let name = changes::name(&event.event_type).to_owned();
            self.waiting.push_back(Named { name, change });
        }
        Ok(())
    }
}

const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

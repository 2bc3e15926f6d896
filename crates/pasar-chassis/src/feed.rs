//! A service's feed as others follow it over HTTP: `GET /v1/feeds/{service}`, in pages, or as server-sent
//! events that go on where the follower was; and beside it the snapshot, for whoever is new. Services of this system
//! see the private parts; whoever else has the scope `feed:{service}` does not.

mod snapshot;
pub mod trimming;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
};
use pasar_contracts::{
    api::{
        feeds::{
            DEFAULT_FEED_LIMIT, FEEDS, FeedHead, FeedPage, FeedQuery, Fork, HEAD_EVENT,
            MAX_FEED_LIMIT, SNAPSHOT,
        },
        users::Role,
    },
    envelope::Envelope,
    event::Service,
    problem::ProblemType,
};
use pasar_feed::{envelope, tasks::Tasks};
use pasar_store::{
    cause::Actor, fault::Fault, feed::FeedEvent, follower::Position, lineage::Lineage, store::Store,
};
use pasar_types::id::EpochId;
use serde::Serialize;

use crate::{extract::Query, identity::Identity, problem::Problem};

/// What is served of one store.
struct Served {
    store: Store,
    lineage: Lineage,
    tasks: Tasks,
}

/// A follower's stream: where it is, and when it last said something.
struct Following {
    served: Arc<Served>,
    with_private: bool,
    after: i64,
    heads: tokio::sync::watch::Receiver<i64>,
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Events of one part of a stream.
const STRETCH: usize = 256;
/// How often a stream tells the head and the time while nothing happens.
const IDLE: Duration = Duration::from_secs(1);

/// The routes of a service's feed.
pub async fn router(tasks: &Tasks, store: Store) -> Result<Router, Fault> {
    let path = path(store.service());
    let lineage = store.lineage().await?;
    let served = Served {
        store,
        lineage,
        tasks: tasks.clone(),
    };
    Ok(Router::new()
        .route(&path, get(follow_feed))
        .route(&format!("{path}{SNAPSHOT}"), get(snapshot::read))
        .with_state(Arc::new(served)))
}

/// Where a service's feed is served.
#[must_use]
pub fn path(service: Service) -> String {
    format!("{FEEDS}{service}")
}

async fn follow_feed(
    State(served): State<Arc<Served>>,
    identity: Identity,
    headers: HeaderMap,
    Query(query): Query<FeedQuery>,
) -> Result<Response, Problem> {
    let with_private = admit(&identity, served.store.service())?;
    let after = match headers.get(LAST_EVENT_ID) {
        Some(id) => served.resume(id).await?,
        None => query.after.unwrap_or(0),
    };
    if after < 0 {
        return Err(Problem::invalid_field("after", "expected 0 or more"));
    }
    if takes_events(&headers) {
        // A stream has no other way to refuse once it has begun.
        let first = served.store.events_after(after, 1);
        first.map_err(|fault| served.refuse(fault))?;
        return Ok(served.stream(after, with_private));
    }
    let limit = query.limit.unwrap_or(DEFAULT_FEED_LIMIT);
    if limit > MAX_FEED_LIMIT {
        let expected = format!("expected 0 to {MAX_FEED_LIMIT}");
        return Err(Problem::invalid_field("limit", expected));
    }
    served.page(after, limit, with_private)
}

/// Whether the caller sees private parts; 401 or 403 if it may not follow at all.
fn admit(identity: &Identity, publisher: Service) -> Result<bool, Problem> {
    if matches!(identity.actor, Actor::Service(_)) {
        return Ok(true);
    }
    if identity.is_anonymous() {
        return Err(Problem::unauthenticated());
    }
    let named = format!("feed:{publisher}");
    let has_scope = identity
        .scopes
        .iter()
        .any(|scope| *scope == named || scope == "feed:*");
    let has_role = identity.has(Role::Integrator) || identity.has(Role::Admin);
    if has_scope && has_role {
        return Ok(false);
    }
    Err(Problem::new(ProblemType::Forbidden).detail(format!(
        "following this feed needs an integrator's API key with the scope {named}"
    )))
}

/// What is true for the moment only.
fn answer(page: impl Serialize) -> Response {
    let mut response = Json(page).into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn takes_events(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter();
    accepted.any(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

impl Served {
    /// `Last-Event-ID` is `{epoch}.{sequence}`. One of an earlier epoch holds up to where that ended.
    async fn resume(&self, id: &HeaderValue) -> Result<i64, Problem> {
        let malformed = || {
            Problem::new(ProblemType::InvalidRequest)
                .detail("Last-Event-ID must be the id of an event of this feed")
        };
        let (epoch, sequence) = id
            .to_str()
            .ok()
            .and_then(|text| text.split_once('.'))
            .ok_or_else(malformed)?;
        let epoch: EpochId = epoch.parse().map_err(|_| malformed())?;
        let sequence: i64 = sequence.parse().map_err(|_| malformed())?;
        if self.lineage.holds(Position { epoch, sequence }) && self.reaches(sequence).await? {
            return Ok(sequence);
        }
        Err(Problem::new(ProblemType::FeedDiverged)
            .detail(
                "this feed was restored to an earlier state than you have followed; decide what to keep, then follow from \
                 forked_at; where there is none it was put back without a mark, and whoever runs the service has to run \
                 `pasar restore --mark`",
            )
            .with("head", self.head()))
    }

    /// Whether there ever was such a place. Another instance may have told of one that this one has not heard of yet.
    async fn reaches(&self, sequence: i64) -> Result<bool, Fault> {
        Ok(sequence <= self.store.head() || sequence <= self.store.stored_head().await?)
    }

    fn head(&self) -> FeedHead {
        let (newest, earlier) = match self.lineage.forks.split_first() {
            Some((newest, earlier)) => (Some(newest), earlier),
            None => (None, &[][..]),
        };
        FeedHead {
            epoch: self.lineage.epoch,
            parent: newest.map(|fork| fork.epoch),
            forked_at: newest.map(|fork| fork.sequence),
            earlier: earlier
                .iter()
                .map(|fork| Fork {
                    epoch: fork.epoch,
                    forked_at: fork.sequence,
                })
                .collect(),
            sequence: self.store.head(),
            trimmed: self.store.trimmed(),
            time: self.store.clock().now(),
        }
    }

    fn page(&self, after: i64, limit: u32, with_private: bool) -> Result<Response, Problem> {
        // Before the events: they may have grown since, never the other way round.
        let head = self.head();
        let events = match limit {
            0 => Vec::new(),
            limit => self
                .store
                .events_after(after, limit as usize)
                .map_err(|fault| self.refuse(fault))?,
        };
        let events = self.wrap(&events, with_private)?;
        Ok(answer(FeedPage { head, events }))
    }

    fn wrap(
        &self,
        events: &[Arc<FeedEvent>],
        with_private: bool,
    ) -> Result<Vec<Envelope>, Problem> {
        let (service, epoch) = (self.store.service(), self.lineage.epoch);
        let wrapped = events
            .iter()
            .map(|event| envelope::wrap(event, service, epoch, with_private))
            .collect::<Result<Vec<_>, _>>();
        wrapped.map_err(|error| Problem::defect(&format!("an event: {error}")))
    }

    /// What is not kept any more is told with where it goes on.
    fn refuse(&self, fault: Fault) -> Problem {
        let Fault::Trimmed { upto } = fault else {
            return fault.into();
        };
        let path = path(self.store.service());
        Problem::from(fault)
            .detail(format!(
                "this feed is kept after {upto}; begin with its snapshot, or follow from {upto} on if you need not know \
                 what happened before"
            ))
            .with("snapshot", format!("{path}{SNAPSHOT}"))
            .with("head", self.head())
    }

    /// Nothing is kept for a follower: what comes next is read when the connection takes it.
    fn stream(self: Arc<Self>, after: i64, with_private: bool) -> Response {
        let tasks = self.tasks.clone();
        let following = Following {
            heads: self.store.heads(),
            served: self,
            with_private,
            after,
        };
        // At once, so that the follower knows where it stands.
        let first = Bytes::from(following.tell_head());
        let parts = stream::unfold(following, |mut following| async {
            let part = following.next().await?;
            Some((part, following))
        });
        let parts = stream::once(async { first })
            .chain(parts)
            .take_until(async move { tasks.draining().await })
            .map(Ok::<_, Infallible>);
        let mut response = Body::from_stream(parts).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        );
        response
    }
}

impl Following {
    /// The next events, or the head if there are none for a while; `None` if the feed cannot be read.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.heads.mark_unchanged();
            match self.served.store.events_after(self.after, STRETCH) {
                Ok(events) if events.is_empty() => {}
                Ok(events) => return self.write(&events),
                // It is slower than the feed is trimmed; when it comes back it is told so.
                Err(Fault::Trimmed { .. }) => return None,
                Err(fault) => {
                    tracing::error!(service = %self.served.store.service(), %fault, "own feed cannot be read");
                    return None;
                }
            }
            if tokio::time::timeout(IDLE, self.heads.changed())
                .await
                .is_err()
            {
                return Some(self.tell_head().into());
            }
        }
    }

    fn write(&mut self, events: &[Arc<FeedEvent>]) -> Option<Bytes> {
        let epoch = self.served.lineage.epoch;
        let service = self.served.store.service();
        let mut part = Vec::with_capacity(events.len() * 1024);
        for event in events {
            let written = envelope::wrap(event, service, epoch, self.with_private)
                .and_then(|envelope| serde_json::to_string(&envelope));
            let json = match written {
                Ok(json) => json,
                Err(error) => {
                    tracing::error!(%service, sequence = event.sequence, %error, "an event cannot be written");
                    return None;
                }
            };
            let head = format!(
                "id: {epoch}.{}\nevent: {}\ndata: ",
                event.sequence, event.event_type
            );
            part.extend_from_slice(head.as_bytes());
            part.extend_from_slice(json.as_bytes());
            part.extend_from_slice(b"\n\n");
            self.after = event.sequence;
        }
        Some(part.into())
    }

    fn tell_head(&self) -> String {
        let json = serde_json::to_string(&self.served.head()).unwrap_or_default();
        format!("event: {HEAD_EVENT}\ndata: {json}\n\n")
    }
}

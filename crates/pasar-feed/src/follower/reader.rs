//! Reads stretches of a feed, hands them to the lanes of its own store and moves on when they are committed.

use std::{sync::Arc, time::Duration};

use pasar_contracts::event::Service;
use pasar_store::{
    context::Context,
    fault::Fault,
    feed::FeedEvent,
    follower::{Batch, React, Taken},
    lineage::Lineage,
    snapshot,
    store::Store,
};
use pasar_types::id::EpochId;
use tokio::sync::watch;

use super::{Progress, Reactions, Route, stopped::Stopped};
use crate::{
    follow::Follow,
    tasks::{Alarm, Tasks},
};

pub(super) struct Reader {
    pub(super) alarm: Alarm,
    publisher: Service,
    feed: Arc<dyn Follow>,
    store: Store,
    reactions: Arc<dyn Reactions>,
    react: Arc<Reacting>,
    pub(super) progress: watch::Sender<Progress>,
}

/// What the store calls.
struct Reacting(Arc<dyn Reactions>);

/// Where the lanes are: `stored` in the database, `read` by this reader.
struct Place {
    epoch: EpochId,
    read: i64,
    stored: Vec<i64>,
    /// The snapshot as of this place is read up to it, instead of the feed.
    snapshot: i64,
}

/// What is taken next.
struct Stretch {
    events: Vec<Arc<FeedEvent>>,
    upto: i64,
    of_snapshot: bool,
}

/// Events read at once.
const STRETCH: usize = 256;
/// A position that only skipped what did not concern it is stored after this time.
const IDLE_STORE: Duration = Duration::from_secs(1);
/// How often it is looked whether the publisher was put back, while nothing comes.
const LOOK_BACK: Duration = Duration::from_secs(10);
/// One instance of a publisher may be behind what another has told, but not for so many looks.
const LOOKS: usize = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
const RETRY_PARKED: Duration = Duration::from_secs(30);
const BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// A publisher that comes back is followed on within this time.
const LONGEST_WAIT_FOR_PUBLISHER: Duration = Duration::from_millis(500);

impl React for Reacting {
    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        self.0.react(context, event)
    }

    fn react_all(
        &self,
        context: &mut Context<'_>,
        publisher: Service,
        events: &[Arc<FeedEvent>],
    ) -> Result<(), Fault> {
        self.0.react_all(context, publisher, events)
    }
}

impl Reader {
    pub(super) fn new(
        tasks: &Tasks,
        publisher: Service,
        feed: Arc<dyn Follow>,
        store: Store,
        reactions: Arc<dyn Reactions>,
        progress: watch::Sender<Progress>,
    ) -> Self {
        Self {
            alarm: tasks.alarm(format!("{} follows {publisher}", store.service())),
            publisher,
            feed,
            store,
            react: Arc::new(Reacting(Arc::clone(&reactions))),
            reactions,
            progress,
        }
    }

    pub(super) async fn run(&self) {
        let mut backoff = BACKOFF;
        loop {
            let (Err(stopped), progressed) = self.run_until_stopped().await;
            if progressed {
                backoff = BACKOFF;
            }
            stopped.tell(self.store.service(), self.publisher, &self.alarm);
            let longest = match stopped {
                Stopped::Fault(Fault::Unreachable(_)) => LONGEST_WAIT_FOR_PUBLISHER,
                _ => LONGEST_BACKOFF,
            };
            backoff = backoff.min(longest);
            tokio::time::sleep(backoff).await;
            backoff *= 2;
        }
    }

    async fn run_until_stopped(&self) -> (Result<std::convert::Infallible, Stopped>, bool) {
        let mut place = match self.place().await {
            Ok(place) => place,
            Err(stopped) => return (Err(stopped), false),
        };
        let begun = place.read;
        let result = self.read_on(&mut place).await;
        (result, place.read > begun)
    }

    async fn place(&self) -> Result<Place, Stopped> {
        let lineage = self.feed.lineage().await?;
        let head = self.feed.head().await?;
        if head.epoch != lineage.epoch {
            return Err(Stopped::NewEpoch);
        }
        let trimmed = self.feed.trimmed().await?;
        let begin_at = (trimmed > 0).then_some(head.sequence);
        let begun = self
            .store
            .begin_following(self.publisher, head.epoch, begin_at)
            .await?;
        let mut positions = begun.positions.iter();
        if positions.any(|position| position.epoch != head.epoch) {
            self.adopt(&lineage).await?;
        }
        let stored: Vec<i64> = begun.positions.iter().map(|at| at.sequence).collect();
        let read = stored.iter().copied().min().unwrap_or(0);
        let reached = read.max(begun.snapshot);
        if reached < trimmed {
            return Err(Stopped::Trimmed {
                follower: self.store.service(),
                publisher: self.publisher,
                reached,
                trimmed,
            });
        }
        let furthest = stored.iter().copied().max().unwrap_or(0);
        self.ensure_not_put_back(head.epoch, furthest).await?;
        if read < begun.snapshot {
            tracing::info!(
                follower = %self.store.service(), publisher = %self.publisher, at = begun.snapshot, read,
                "following begins with a snapshot"
            );
        }
        self.progress.send_modify(|progress| {
            progress.taken = read;
            progress.head_at_boot.get_or_insert(head.sequence);
        });
        self.alarm.clear();
        self.reactions.begins(head.epoch);
        Ok(Place {
            epoch: head.epoch,
            read,
            stored,
            snapshot: begun.snapshot,
        })
    }

    /// Within an epoch a feed only grows, unless its database was put back and nobody said so.
    async fn ensure_not_put_back(&self, epoch: EpochId, reached: i64) -> Result<(), Stopped> {
        let mut ended_at = 0;
        for _ in 0..LOOKS {
            let head = self.feed.head().await?;
            if head.epoch != epoch || head.sequence >= reached {
                return Ok(());
            }
            ended_at = head.sequence;
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Err(Stopped::PutBack {
            follower: self.store.service(),
            publisher: self.publisher,
            head: ended_at,
            reached,
        })
    }

    async fn look_back(&self, place: &Place) -> Result<(), Stopped> {
        match self.ensure_not_put_back(place.epoch, place.read).await {
            // What is down may come back as it was.
            Err(Stopped::Fault(Fault::Unreachable(_))) => Ok(()),
            looked => looked,
        }
    }

    /// Goes over to the feed's epoch, if all that was followed lies before the forks.
    async fn adopt(&self, lineage: &Lineage) -> Result<(), Stopped> {
        let adopted = self.store.adopt(self.publisher, lineage.clone()).await?;
        if !adopted {
            return Err(Stopped::Diverged {
                follower: self.store.service(),
                publisher: self.publisher,
            });
        }
        tracing::warn!(
            follower = %self.store.service(), publisher = %self.publisher, epoch = %lineage.epoch,
            "the feed was restored to a state at or after what was followed; following goes on"
        );
        Ok(())
    }

    async fn read_on(&self, place: &mut Place) -> Result<std::convert::Infallible, Stopped> {
        let mut retry_parked = tokio::time::interval(RETRY_PARKED);
        let begun = tokio::time::Instant::now();
        let mut look_back = tokio::time::interval_at(begun + LOOK_BACK, LOOK_BACK);
        let mut idle_stored = begun;
        loop {
            let Some(stretch) = self.next(place).await? else {
                tokio::select! {
                    () = self.feed.grown(place.read) => self.gather().await,
                    () = tokio::time::sleep(IDLE_STORE), if place.is_behind() => {
                        self.hand_out(place, &[], place.read, true).await?;
                        idle_stored = tokio::time::Instant::now();
                    }
                    _ = look_back.tick() => self.look_back(place).await?,
                    _ = retry_parked.tick() => self.retry_parked().await?,
                }
                continue;
            };
            // Also while events come without a pause. In a snapshot all lanes go together.
            let store_idle = stretch.of_snapshot || idle_stored.elapsed() >= IDLE_STORE;
            self.hand_out(place, &stretch.events, stretch.upto, store_idle)
                .await?;
            if store_idle {
                idle_stored = tokio::time::Instant::now();
            }
            // Whoever is behind reads on.
            if !stretch.of_snapshot && stretch.events.len() < STRETCH {
                self.gather().await;
            }
        }
    }

    /// What comes after the place, of the snapshot or of the feed; nothing if there is nothing yet.
    async fn next(&self, place: &Place) -> Result<Option<Stretch>, Stopped> {
        let of_snapshot = place.read < place.snapshot;
        let stretch = if of_snapshot {
            let part = self.feed.snapshot(place.snapshot, place.read, STRETCH);
            let snapshot::Stretch { events, upto } = part.await?;
            Some(Stretch {
                events,
                upto,
                of_snapshot,
            })
        } else {
            let events = self.feed.after(place.read, STRETCH).await?;
            events.last().map(|last| last.sequence).map(|upto| Stretch {
                events,
                upto,
                of_snapshot,
            })
        };
        if self.feed.epoch().is_some_and(|epoch| epoch != place.epoch) {
            return Err(Stopped::NewEpoch);
        }
        Ok(stretch)
    }

    async fn gather(&self) {
        let span = self.reactions.gather();
        if span.is_zero() {
            return;
        }
        let into = self.store.clock().monotonic().as_nanos() % span.as_nanos();
        let into = Duration::from_nanos(u64::try_from(into).unwrap_or_default());
        tokio::time::sleep(span - into).await;
    }

    /// Gives each lane what concerns it and waits until all of it is committed. Lanes that nothing
    /// concerns are moved only when told to.
    async fn hand_out(
        &self,
        place: &mut Place,
        events: &[Arc<FeedEvent>],
        upto: i64,
        move_idle: bool,
    ) -> Result<(), Stopped> {
        let lanes = self.store.lanes();
        let mut of_lane: Vec<Vec<Arc<FeedEvent>>> = vec![Vec::new(); lanes as usize];
        for event in events
            .iter()
            .filter(|event| self.reactions.wants(&event.event_type))
        {
            let route = if lanes == 1 {
                Ok(Route::All)
            } else {
                self.reactions.route(event)
            };
            match route {
                Ok(Route::One(key)) => of_lane[key.lane(lanes) as usize].push(Arc::clone(event)),
                // What cannot be routed is parked where it cannot be taken either.
                Ok(Route::All) | Err(_) => {
                    of_lane
                        .iter_mut()
                        .for_each(|lane| lane.push(Arc::clone(event)));
                }
            }
        }
        let mut answers = Vec::new();
        for (lane, mut events) in (0..lanes).zip(of_lane) {
            let from = place.stored[lane as usize];
            events.retain(|event| event.sequence > from);
            // A lane that is ahead of what was read is not taken back.
            if events.is_empty() && (!move_idle || upto <= from) {
                continue;
            }
            let batch = Batch {
                publisher: self.publisher,
                epoch: place.epoch,
                lane,
                from,
                upto,
                events,
            };
            answers.push((
                lane,
                self.store
                    .react(batch, Arc::clone(&self.react) as Arc<dyn React>),
            ));
        }
        for (lane, answer) in answers {
            match answer.await? {
                Taken::Moved { .. } => place.stored[lane as usize] = upto,
                Taken::Fenced => return Err(Stopped::Fenced),
            }
        }
        place.read = upto;
        self.progress.send_modify(|progress| progress.taken = upto);
        Ok(())
    }

    async fn retry_parked(&self) -> Result<(), Stopped> {
        for lane in 0..self.store.lanes() {
            let react = Arc::clone(&self.react) as Arc<dyn React>;
            let (taken, left) = self.store.retry_parked(self.publisher, lane, react).await?;
            if taken + left > 0 {
                tracing::warn!(
                    follower = %self.store.service(), publisher = %self.publisher, taken, left,
                    "parked events tried again"
                );
            }
        }
        Ok(())
    }
}

impl Place {
    fn is_behind(&self) -> bool {
        self.stored.iter().any(|stored| *stored < self.read)
    }
}

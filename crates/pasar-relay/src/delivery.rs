//! Delivering messages to subscriptions. A dispatcher hands the log out once to all that are attached; each
//! subscription with work has a courier, which delivers, tries again and records. What costs depends on the
//! subscriptions that a message goes to, not on those that there are.

mod attempt;
mod board;
mod courier;
mod desk;
mod dispatcher;
mod encodings;
mod job;
mod keys;
mod office;
mod outage;
mod rate;
mod schedule;

use std::{collections::HashSet, ops::Deref, sync::Arc, time::Duration};

use bytes::Bytes;
use pasar_chassis::{duty::Duty, host::Host, problem::Chain, sleeper::Sleeper};
use pasar_contracts::{
    api::relay::{Attempt, Ordering, SubscriptionState},
    event::Service,
};
use pasar_feed::tasks::Tasks;
use pasar_store::{
    cause::{Actor, Cause},
    clock::Clock,
    context::Context,
    fault::Fault,
    ids::Ids,
    lane::Class,
    lease::Lease,
    store::Store,
};
use pasar_types::id::{FlowId, MessageId, SubscriptionId};

use self::{
    attempt::attempt,
    board::Board,
    courier::{Courier, Gone},
    desk::Desk,
    encodings::Encodings,
    job::{Ended, Job},
    office::Office,
};
use crate::{
    commands::replay_deliveries::{self, ReplayDeliveries, replay_deliveries},
    config::Config,
    destination::Network,
    log::Log,
    message::Message,
    queries::TEST_MESSAGE,
    subscription::{Stored, lane},
    tables::{attempts, nudges, progress, replays, retries, subscriptions},
    vault::Vault,
};

/// Delivers the shares that this instance is on duty for, until the host drains. Cheap to clone.
#[derive(Clone)]
pub struct Deliveries(Arc<Office>);

/// What all couriers of a share have in common while this instance delivers it.
pub(crate) struct Shared {
    base: Arc<Base>,
    /// Whose subscriptions they are of.
    pub(crate) share: i64,
    /// What they record is checked against it.
    pub(crate) lease: Lease,
    /// They end with the term.
    pub(crate) tasks: Tasks,
    pub(crate) board: Board,
    /// One subscription is loaded at a time.
    loading: tokio::sync::Mutex<()>,
}

/// What deliveries need, whoever is on duty.
pub(crate) struct Base {
    pub(crate) store: Store,
    pub(crate) log: Log,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) sleeper: Arc<dyn Sleeper>,
    pub(crate) vault: Vault,
    pub(crate) network: Network,
    pub(crate) encodings: Encodings,
    pub(crate) disable_after: Duration,
}

/// Subscriptions that are read at once.
const PAGE: usize = 500;
const AFTER_FAULT: Duration = Duration::from_secs(1);

impl Deliveries {
    /// Delivers each share whenever this instance is on duty for it. As many as [`sharing`] says have to be given.
    ///
    /// [`sharing`]: crate::sharing
    pub fn start(
        host: &Host,
        duties: &[Duty],
        log: Log,
        config: &Config,
        vault: Vault,
        network: Network,
    ) -> Self {
        let base = Base {
            store: log.store().clone(),
            log,
            clock: Arc::clone(&host.clock),
            ids: Arc::clone(&host.ids),
            sleeper: Arc::clone(&host.sleeper),
            vault,
            network,
            encodings: Encodings::default(),
            disable_after: Duration::from_secs(config.disable_after_s),
        };
        let shares = 0..i64::try_from(duties.len()).unwrap_or(1);
        let office = Arc::new(Office::new(base, shares.end));
        for (share, duty) in shares.zip(duties) {
            let (working, tasks, until) = (Arc::clone(&office), host.tasks.clone(), duty.clone());
            duty.run("deliveries", move |lease| {
                let working = Arc::clone(&working);
                office::deliver(working, share, until.clone(), tasks.clone(), lease)
            });
        }
        Self(office)
    }

    /// A subscription was created, changed, paused, resumed, disabled or deleted: what is in flight ends and
    /// is recorded, then it goes on as its row says. Where another instance delivers, that one hears of it by the
    /// commit that changed it.
    pub fn changed(&self, id: SubscriptionId) {
        if let Some(shared) = self.0.shared(id) {
            changed(&shared, id);
        }
    }

    /// Sends a message of its own straight to the destination, whatever state the subscription is in. It is
    /// not tried again. `None` if there is no such subscription.
    pub async fn test(&self, id: SubscriptionId) -> Result<Option<Attempt>, Fault> {
        let shared = &self.0.base;
        let Some(stored) = shared
            .store
            .read(move |tx| subscriptions::find(tx, id))
            .await?
        else {
            return Ok(None);
        };
        let spec = stored.open(&shared.vault)?;
        let destination = spec.kind.open(&spec.destination, &shared.network);
        let job = Job::first(Arc::new(test_message(shared)));
        let (at, began) = (shared.clock.now(), shared.clock.monotonic());
        let sent = attempt(id, &shared.encodings, &spec, destination, &job, at).await;
        let took = shared.clock.monotonic().saturating_sub(began);
        let tried = Ended {
            job,
            at,
            took,
            sent,
        }
        .tried(shared.clock.now());
        let row = tried.clone();
        shared
            .store
            .write(lane(id), Class::Internal, shared.cause(), move |ctx| {
                attempts::insert(ctx, id, &row)
            })
            .await?;
        Ok(Some(Attempt {
            subscription_id: id,
            position: 0,
            message_id: TEST_MESSAGE.to_owned(),
            attempt: 1,
            at,
            took_ms: took.as_secs_f64() * 1_000.0,
            delivered: tried.delivered,
            status: tried.status,
            detail: tried.detail,
            next_at: None,
        }))
    }

    /// Delivers once more.
    pub async fn replay(
        &self,
        cause: Cause,
        command: ReplayDeliveries,
    ) -> Result<replay_deliveries::Outcome, Fault> {
        let id = command.id;
        let outcome = self
            .0
            .base
            .store
            .write(lane(id), Class::New, cause, move |ctx| {
                nudges::nudge(ctx, id)?;
                replay_deliveries(ctx, &command)
            })
            .await?;
        if let Some(shared) = self.0.shared(id)
            && let Some(desk) = shared.board.desk(id)
        {
            desk.set_stale();
            if shared.board.employ(&desk) {
                spawn_courier(&shared, desk);
            }
        }
        Ok(outcome)
    }
}

impl Deref for Shared {
    type Target = Base;

    fn deref(&self) -> &Base {
        &self.base
    }
}

impl Base {
    /// Of commands that nobody asked for.
    pub(crate) fn cause(&self) -> Cause {
        let flow = FlowId::from_uuid(self.ids.uuid_v7(self.clock.now()));
        Cause::new(Actor::Service(Service::Relay), flow)
    }
}

fn test_message(shared: &Base) -> Message {
    let now = shared.clock.now();
    let id = MessageId::from_uuid(shared.ids.uuid_v7(now));
    let text = "a test of this subscription";
    Message {
        position: 0,
        topic: TEST_MESSAGE.into(),
        id: id.to_string().into(),
        message_type: "subscription.test".into(),
        source: "/pasar/relay".into(),
        subject: None,
        key: None,
        time: now,
        accepted_at: now,
        flow: shared.cause().flow,
        causation: None,
        traceparent: None,
        actor: Actor::Service(Service::Relay).to_string().into(),
        origin: None,
        content_type: None,
        data: Bytes::from(serde_json::json!(text).to_string()),
        extensions: None,
    }
}

fn load_all(shared: &Arc<Shared>, watermark: i64) -> Result<(), Fault> {
    let (retrying, replaying) = shared.store.read_now(|tx| {
        let most = usize::MAX;
        Ok((
            retries::subscriptions(tx, most)?,
            replays::subscriptions(tx, most)?,
        ))
    })?;
    let with_work: HashSet<_> = retrying.into_iter().chain(replaying).collect();
    let mut after = SubscriptionId::from_bytes([0; 16]);
    loop {
        let page = shared.store.read_now(|tx| {
            let page = subscriptions::after(tx, None, after, PAGE)?;
            page.into_iter()
                .map(|stored| Ok((progress::find(tx, stored.id)?, stored)))
                .collect::<Result<Vec<_>, Fault>>()
        })?;
        let Some((_, last)) = page.last() else {
            return Ok(());
        };
        after = last.id;
        for (place, stored) in page {
            let mine = place.filter(|place| place.share == shared.share);
            let Some(place) = mine.filter(|_| stored.state == SubscriptionState::Active) else {
                continue;
            };
            let id = stored.id;
            let Some(spec) = open(shared, &stored) else {
                // It keeps its place until it can be read.
                let lease = shared.lease.clone();
                drop(
                    shared
                        .store
                        .write(lane(id), Class::Internal, shared.cause(), move |ctx| {
                            ctx.holding(&lease)?;
                            progress::detach(ctx, id)
                        }),
                );
                continue;
            };
            let position = place.true_position(watermark);
            let desk = Arc::new(Desk::new(id, spec, position, place.attached));
            shared.board.add(Arc::clone(&desk));
            if with_work.contains(&id) {
                changed(shared, id);
            } else if !place.attached {
                employ(shared, desk);
            }
        }
    }
}

fn open(shared: &Base, stored: &Stored) -> Option<crate::subscription::Spec> {
    stored
        .open(&shared.vault)
        .inspect_err(|fault| {
            tracing::error!(subscription = %stored.id, fault = %Chain(fault),
                "a subscription cannot be read; it delivers nothing, and its messages wait");
        })
        .ok()
}

fn changed(shared: &Arc<Shared>, id: SubscriptionId) {
    // One with a courier is loaded when that has ended.
    let waits = shared.board.retire(id).is_some_and(|desk| desk.end());
    if !waits {
        let loading = Arc::clone(shared);
        shared
            .tasks
            .spawn("load subscription", async move { load(&loading, id).await });
    }
}

/// Begins with a subscription as its row stands now.
async fn load(shared: &Arc<Shared>, id: SubscriptionId) {
    let _one = shared.loading.lock().await;
    // Somebody may have loaded it since; what was read then may be old.
    let old = shared.board.retire(id);
    if old.as_ref().is_some_and(|desk| desk.end()) {
        return;
    }
    if !give_place(shared, id).await {
        return;
    }
    if let Some(old) = old {
        shared.board.remove(&old);
    }
    let read = shared
        .store
        .read_now(|tx| Ok((subscriptions::find(tx, id)?, progress::find(tx, id)?)));
    match read {
        Ok((Some(stored), Some(place))) if stored.state == SubscriptionState::Active => {
            if let Some(spec) = open(shared, &stored) {
                let desk = Arc::new(Desk::new(id, spec, place.position, false));
                shared.board.add(Arc::clone(&desk));
                employ(shared, desk);
            }
        }
        Ok(_) | Err(Fault::Closed) => {}
        Err(fault) => {
            tracing::error!(subscription = %id, fault = %Chain(&fault), "a subscription cannot be loaded");
        }
    }
}

/// Makes durable that the watermark no longer speaks for it; until then it holds the watermark. False if the
/// store is closed, or another instance delivers.
async fn give_place(shared: &Shared, id: SubscriptionId) -> bool {
    loop {
        let lease = shared.lease.clone();
        let answer = shared
            .store
            .write(lane(id), Class::Internal, shared.cause(), move |ctx| {
                ctx.holding(&lease)?;
                settle(ctx, id)
            });
        match answer.await {
            Ok(()) => return true,
            Err(Fault::Closed | Fault::LeaseLost(_)) => return false,
            Err(fault) => {
                tracing::error!(subscription = %id, fault = %Chain(&fault), "a subscription cannot be loaded");
                tokio::time::sleep(AFTER_FAULT).await;
            }
        }
    }
}

/// Gives it a place of its own, and lets go what was held for an order that is not kept any more.
fn settle(ctx: &Context<'_>, id: SubscriptionId) -> Result<(), Fault> {
    progress::detach(ctx, id)?;
    let stored = subscriptions::find(ctx, id)?;
    if stored.is_some_and(|stored| stored.input.ordering != Ordering::Key) {
        retries::release_all(ctx, id, ctx.now())?;
    }
    Ok(())
}

fn employ(shared: &Arc<Shared>, desk: Arc<Desk>) {
    if shared.board.employ(&desk) {
        spawn_courier(shared, desk);
    }
}

pub(crate) fn spawn_courier(shared: &Arc<Shared>, desk: Arc<Desk>) {
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.spawn("courier", async move {
        let courier = Courier::new(Arc::clone(&shared), Arc::clone(&desk));
        match Box::pin(courier.run()).await {
            Gone::Ended => {
                shared.board.remove(&desk);
                load(&shared, desk.id).await;
            }
            Gone::Idle | Gone::Drained => {}
        }
    });
}

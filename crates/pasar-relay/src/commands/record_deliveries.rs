//! What became of deliveries: recorded before anything counts as done.

use std::{sync::Arc, time::Duration};

use pasar_contracts::{
    api::relay::{DisableReason, Ordering, SubscriptionState},
    event::Service,
    events::relay::MessageDeadLettered,
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{id::SubscriptionId, time::Timestamp};

use super::{change, disable_subscription::disable_subscription};
use crate::{
    message::Message,
    tables::{
        attempts::{self, Tried},
        dead_letters::{self, Dead},
        progress,
        retries::{self, Retry},
        subscriptions,
    },
};

/// All that one subscription's courier finished meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct RecordDeliveries {
    pub(crate) id: SubscriptionId,
    pub(crate) ordering: Ordering,
    /// Everything up to here is resolved once this is recorded.
    pub(crate) position: i64,
    /// It shall share the watermark from now on; false gives it a place of its own.
    pub(crate) attach: bool,
    pub(crate) items: Vec<Item>,
    /// Failing for so long without one success disables it.
    pub(crate) disable_after: Duration,
}

/// One message, tried or not.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) message: Arc<Message>,
    /// It stands in `retry`.
    pub(crate) from_retry: bool,
    pub(crate) tried: Option<Tried>,
    /// When it first failed, or now.
    pub(crate) since: Timestamp,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Delivered,
    Retry {
        due: Timestamp,
    },
    /// It was tried for as long as the policy says, or will never be taken.
    Dead,
    /// The destination is gone: this message is tried again if somebody resumes the subscription.
    Gone,
    /// It waits behind another of its key.
    Held,
    /// It is still in flight and keeps the position back: it moves to `retry`, so that a restart repeats it alone.
    Aside,
}

/// What stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Whether the subscription still delivers. Nothing was recorded if it was deleted.
    pub(crate) active: bool,
    pub(crate) attached: bool,
    /// What was added to `retry`, taken away or let go.
    pub(crate) rows: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Only where ordered by key.
    pub(crate) key: Option<Box<str>>,
    pub(crate) rows: i64,
    /// When it is due, if it is not held.
    pub(crate) due: Option<Timestamp>,
}

pub(crate) fn record_deliveries(
    ctx: &mut Context<'_>,
    command: &RecordDeliveries,
) -> Result<Recorded, Fault> {
    let id = command.id;
    let (Some(state), Some(mut place)) = (subscriptions::state(ctx, id)?, progress::find(ctx, id)?)
    else {
        return Ok(Recorded::default());
    };
    let mut rows = Vec::new();
    let flow = ctx.cause().flow;
    for item in &command.items {
        record(ctx, command, item, &mut rows)?;
    }
    ctx.join_flow(flow);
    let active = state == SubscriptionState::Active;
    let watermark = progress::watermark(ctx)?;
    place.position = place.true_position(watermark).max(command.position);
    // One that is attached says that it is done up to the watermark, so it joins only once it is.
    place.attached = command.attach && active && (place.attached || place.position >= watermark);
    place.failing_since = failing_since(place.failing_since, &command.items, ctx.now());
    progress::update(ctx, id, &place)?;
    let mut recorded = Recorded {
        active,
        attached: place.attached,
        rows,
    };
    if let Some(reason) = reason_to_disable(command, place.failing_since, ctx.now()) {
        disable_subscription(ctx, id, reason)?;
        recorded.active = false;
        recorded.attached = false;
    }
    Ok(recorded)
}

fn record(
    ctx: &mut Context<'_>,
    command: &RecordDeliveries,
    item: &Item,
    rows: &mut Vec<Change>,
) -> Result<(), Fault> {
    let id = command.id;
    if let Some(tried) = &item.tried {
        attempts::insert(ctx, id, tried)?;
    }
    let key = item
        .message
        .key
        .as_deref()
        .filter(|_| command.ordering == Ordering::Key);
    match item.verdict {
        Verdict::Delivered => done(ctx, id, item, key, rows),
        Verdict::Dead => {
            bury(ctx, id, item)?;
            done(ctx, id, item, key, rows)
        }
        Verdict::Retry { due } => wait(ctx, id, item, key, Some(due), rows),
        Verdict::Gone | Verdict::Aside => {
            let now = ctx.now();
            wait(ctx, id, item, key, Some(now), rows)
        }
        Verdict::Held => wait(ctx, id, item, key, None, rows),
    }
}

/// It is resolved for good: whoever waited behind it goes on.
fn done(
    ctx: &Context<'_>,
    id: SubscriptionId,
    item: &Item,
    key: Option<&str>,
    rows: &mut Vec<Change>,
) -> Result<(), Fault> {
    if !item.from_retry {
        return Ok(());
    }
    let mut change = Change {
        key: key.map(Into::into),
        rows: -i64::from(retries::delete(ctx, id, item.message.position)?),
        due: None,
    };
    if let Some(key) = key
        && retries::release(ctx, id, key, ctx.now())?
    {
        change.due = Some(ctx.now());
    }
    rows.push(change);
    Ok(())
}

/// It waits in `retry`, until `due` or until the one of its key before it is done.
fn wait(
    ctx: &Context<'_>,
    id: SubscriptionId,
    item: &Item,
    key: Option<&str>,
    due: Option<Timestamp>,
    rows: &mut Vec<Change>,
) -> Result<(), Fault> {
    let position = item.message.position;
    // The one that it was to wait for may be done by now.
    let held = match (due, key) {
        (None, Some(key)) => retries::key_waits(ctx, id, key, position)?,
        _ => false,
    };
    let due = due.unwrap_or(ctx.now());
    let tried = item.tried.as_ref();
    let retry = Retry {
        position,
        key: key.map(Into::into),
        attempts: tried.map_or(0, |tried| tried.attempt),
        due,
        held,
        since: item.since,
        last_error: tried.and_then(|tried| tried.detail.clone()),
    };
    retries::put(ctx, id, &retry)?;
    rows.push(Change {
        key: retry.key,
        rows: i64::from(!item.from_retry),
        due: (!held).then_some(due),
    });
    Ok(())
}

fn bury(ctx: &mut Context<'_>, id: SubscriptionId, item: &Item) -> Result<(), Fault> {
    let message = &item.message;
    let tried = item.tried.as_ref();
    let attempts = tried.map_or(0, |tried| tried.attempt);
    let detail = tried.and_then(|tried| tried.detail.clone());
    let dead = Dead {
        subscription: id,
        position: message.position,
        attempts,
        last_error: detail.unwrap_or_else(|| "no answer".to_owned()),
        since: ctx.now(),
    };
    dead_letters::put(ctx, &dead)?;
    // Telling of what the relay told would never end.
    if *message.topic == *Service::Relay.as_str() {
        return Ok(());
    }
    ctx.join_flow(message.flow);
    let event = MessageDeadLettered {
        subscription_id: id,
        topic: message.topic.to_string(),
        message_id: message.id.to_string(),
        position: message.position,
        attempts,
    };
    change::tell(ctx, id, &event)
}

/// One success ends it. A message that would never be taken says nothing about the destination.
fn failing_since(before: Option<Timestamp>, items: &[Item], now: Timestamp) -> Option<Timestamp> {
    let any = |wanted: fn(&Verdict) -> bool| items.iter().any(|item| wanted(&item.verdict));
    if any(|verdict| *verdict == Verdict::Delivered) {
        None
    } else if any(|verdict| matches!(verdict, Verdict::Retry { .. } | Verdict::Gone)) {
        before.or(Some(now))
    } else {
        before
    }
}

fn reason_to_disable(
    command: &RecordDeliveries,
    failing_since: Option<Timestamp>,
    now: Timestamp,
) -> Option<DisableReason> {
    if command
        .items
        .iter()
        .any(|item| item.verdict == Verdict::Gone)
    {
        return Some(DisableReason::Gone);
    }
    failing_since
        .is_some_and(|since| now.since(since) >= command.disable_after)
        .then_some(DisableReason::Failing)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        tables::messages,
        testing::{Bench, input},
    };

    /// A subscription ordered by key and three messages of one key.
    fn bench() -> (Bench, SubscriptionId) {
        let bench = Bench::new();
        let mut input = input(json!({"kind": "probe", "to": "a"}));
        input.ordering = Ordering::Key;
        bench.create(input);
        for _ in 0..3 {
            bench.publish("client", "k");
        }
        let id = bench.only().id;
        (bench, id)
    }

    fn item(bench: &Bench, position: i64, from_retry: bool, verdict: Verdict) -> Item {
        let message = bench
            .store
            .read_now(|tx| messages::at(tx, position))
            .unwrap()
            .unwrap();
        Item {
            message,
            from_retry,
            tried: (verdict != Verdict::Held).then(|| Tried {
                position,
                attempt: 1,
                at: bench.now(),
                took_us: 1_000,
                delivered: verdict == Verdict::Delivered,
                status: None,
                detail: Some("said no".to_owned()),
                next_at: None,
            }),
            since: bench.now(),
            verdict,
        }
    }

    fn run(
        bench: &Bench,
        id: SubscriptionId,
        position: i64,
        attach: bool,
        items: Vec<Item>,
    ) -> Recorded {
        let command = RecordDeliveries {
            id,
            ordering: Ordering::Key,
            position,
            attach,
            items,
            disable_after: Duration::from_secs(3_600),
        };
        bench.given(move |ctx| record_deliveries(ctx, &command))
    }

    fn waiting(bench: &Bench, id: SubscriptionId) -> Vec<(i64, bool)> {
        let all = bench.store.read_now(|tx| {
            tx.query_all(
                "SELECT position, held FROM retry WHERE subscription = ?1 ORDER BY position",
                &[&id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        });
        all.unwrap()
    }

    #[test]
    fn one_that_waits_behind_its_key_is_let_go_when_the_one_before_is_done() {
        let (bench, id) = bench();
        let due = bench.now() + Duration::from_secs(5);
        run(
            &bench,
            id,
            1,
            false,
            vec![item(&bench, 1, false, Verdict::Retry { due })],
        );
        let held = vec![
            item(&bench, 2, false, Verdict::Held),
            item(&bench, 3, false, Verdict::Held),
        ];
        run(&bench, id, 3, false, held);
        assert_eq!(waiting(&bench, id), [(1, false), (2, true), (3, true)]);
        let recorded = run(
            &bench,
            id,
            3,
            false,
            vec![item(&bench, 1, true, Verdict::Delivered)],
        );
        assert_eq!(waiting(&bench, id), [(2, false), (3, true)]);
        assert_eq!(recorded.rows[0].due, Some(bench.now()));
        run(
            &bench,
            id,
            3,
            false,
            vec![item(&bench, 2, true, Verdict::Dead)],
        );
        assert_eq!(waiting(&bench, id), [(3, false)]);
    }

    #[test]
    fn one_that_finds_nobody_to_wait_behind_is_due_at_once() {
        let (bench, id) = bench();
        run(
            &bench,
            id,
            2,
            false,
            vec![item(&bench, 2, false, Verdict::Held)],
        );
        assert_eq!(waiting(&bench, id), [(2, false)]);
    }

    #[test]
    fn it_attaches_only_once_it_is_done_up_to_the_watermark() {
        let (bench, id) = bench();
        bench.given(|ctx| progress::raise_watermark(ctx, 3));
        assert!(!run(&bench, id, 2, true, Vec::new()).attached);
        assert!(run(&bench, id, 3, true, Vec::new()).attached);
        bench.given(|ctx| progress::raise_watermark(ctx, 9));
        assert!(!run(&bench, id, 3, false, Vec::new()).attached);
        assert_eq!(bench.progress(id).position, 9);
    }

    #[test]
    fn one_that_fails_for_too_long_is_disabled_and_a_success_in_between_counts() {
        let (bench, id) = bench();
        let due = bench.now();
        let fail = |bench: &Bench| {
            run(
                bench,
                id,
                1,
                false,
                vec![item(bench, 1, true, Verdict::Retry { due })],
            )
        };
        assert!(fail(&bench).active);
        bench.advance(Duration::from_secs(3_000));
        run(
            &bench,
            id,
            2,
            false,
            vec![item(&bench, 2, false, Verdict::Delivered)],
        );
        bench.advance(Duration::from_secs(3_000));
        assert!(fail(&bench).active);
        bench.advance(Duration::from_secs(3_599));
        assert!(fail(&bench).active);
        bench.advance(Duration::from_secs(1));
        assert!(!fail(&bench).active);
        assert_eq!(bench.only().disabled_because, Some(DisableReason::Failing));
    }

    #[test]
    fn a_dead_letter_is_told_unless_it_is_the_relays_own_message() {
        let (bench, id) = bench();
        let mut own = item(&bench, 2, false, Verdict::Dead);
        let mut message = (*own.message).clone();
        message.topic = "relay".into();
        own.message = Arc::new(message);
        run(
            &bench,
            id,
            2,
            false,
            vec![item(&bench, 1, false, Verdict::Dead), own],
        );
        let told = bench.events_of::<MessageDeadLettered>();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].position, told[0].attempts), (1, 1));
        let dead = bench
            .store
            .read_now(|tx| dead_letters::count(tx, id))
            .unwrap();
        assert_eq!(dead, 2);
    }

    #[test]
    fn nothing_is_recorded_for_one_that_was_deleted() {
        let (bench, _) = bench();
        let gone = SubscriptionId::from_bytes([7; 16]);
        let checked = bench.check({
            let command = RecordDeliveries {
                id: gone,
                ordering: Ordering::Key,
                position: 1,
                attach: true,
                items: vec![item(&bench, 1, false, Verdict::Delivered)],
                disable_after: Duration::from_secs(1),
            };
            move |ctx| record_deliveries(ctx, &command)
        });
        assert_eq!(checked.outcome.unwrap(), Recorded::default());
        assert!(checked.changes.is_empty());
    }
}

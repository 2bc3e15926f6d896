//! What it costs the relay to copy services' events into its log: CPU and time per event, durable.
//!
//! `cargo bench -p pasar-relay --bench following`. Prints a line per size of a stretch; fails nothing.

use std::{fs, sync::Arc, time::Instant};

use pasar_contracts::event::Service;
use pasar_feed::follower::Reactions;
use pasar_relay::{MIGRATIONS, reactions::Copying};
use pasar_store::{
    clock::{Clock as _, SystemClock},
    context::Context,
    fault::Fault,
    feed::FeedEvent,
    follower::{Batch, React},
    ids::{Ids as _, SystemIds},
    store::{Executor, Store, StoreOptions},
};
use pasar_types::id::{EpochId, EventId, FlowId, OrderId};

const EVENTS: i64 = 100_000;
const EVENTS_OF_AN_ORDER: i64 = 10;
/// What an order's event holds, about.
const DATA: &str = r#"{"order_id":"ord_01h455vb4pex5vsknk084sn02q","location_id":"loc_01h455vb4pex5vsknk084sn02q","number":117,"customer_id":"usr_01h455vb4pex5vsknk084sn02q"}"#;

struct Reacting(Copying);

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

#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
fn main() {
    println!(
        "{EVENTS} events\n{:>8} {:>16} {:>14} {:>16}",
        "stretch", "CPU us/event", "us/event", "CPU us/order"
    );
    for stretch in [1, 10, 64, 256] {
        let (cpu_us, us) = measure(stretch);
        println!(
            "{stretch:>8} {cpu_us:>16.2} {us:>14.2} {:>16.1}",
            cpu_us * EVENTS_OF_AN_ORDER as f64
        );
    }
}

/// Microseconds an event: of this thread's CPU, and by the clock.
fn measure(stretch: i64) -> (f64, f64) {
    let folder = tempfile::tempdir().expect("a folder for the database");
    let ids = Arc::new(SystemIds::default());
    let options = StoreOptions::file(
        Service::Relay,
        folder.path().join("relay.db"),
        MIGRATIONS,
        Arc::new(SystemClock),
        Arc::clone(&ids) as _,
    );
    let store = Store::open(StoreOptions {
        executor: Executor::Inline,
        ..options
    })
    .expect("a new database opens");
    let epoch = EpochId::from_uuid(ids.uuid_v7(SystemClock.now()));
    let starting = store.begin_following(Service::Orders, epoch, None);
    store.run_group(1);
    starting.wait().expect("a position is kept");
    let reacting: Arc<dyn React> = Arc::new(Reacting(copying(epoch)));
    let events = events(&ids);
    let (cpu, begun) = (cpu_ns(), Instant::now());
    for from in (0..EVENTS).step_by(usize::try_from(stretch).expect("a small number")) {
        let upto = (from + stretch).min(EVENTS);
        let batch = Batch {
            publisher: Service::Orders,
            epoch,
            lane: 0,
            from,
            upto,
            events: events[index(from)..index(upto)].to_vec(),
        };
        let taken = store.react(batch, Arc::clone(&reacting));
        store.run_group(1);
        taken.wait().expect("events are taken");
    }
    let us = begun.elapsed().as_secs_f64() * 1e6 / EVENTS as f64;
    ((cpu_ns() - cpu) / 1e3 / EVENTS as f64, us)
}

fn events(ids: &SystemIds) -> Vec<Arc<FeedEvent>> {
    let now = SystemClock.now();
    let mut flow = FlowId::from_uuid(ids.uuid_v7(now));
    let mut key = String::new();
    (1..=EVENTS)
        .map(|sequence| {
            let keyversion = (sequence - 1) % EVENTS_OF_AN_ORDER + 1;
            if keyversion == 1 {
                flow = FlowId::from_uuid(ids.uuid_v7(now));
                key = OrderId::from_uuid(ids.uuid_v7(now)).to_string();
            }
            let id = EventId::from_uuid(ids.uuid_v7(now));
            Arc::new(FeedEvent {
                sequence,
                id,
                event_type: "order.stock_reserved.v1".to_owned(),
                key: key.clone(),
                keyversion,
                time: now,
                flow,
                causation: Some(id.to_string()),
                traceparent: None,
                actor: "user:usr_01h455vb4pex5vsknk084sn02q".to_owned(),
                data: DATA.to_owned(),
                private: None,
            })
        })
        .collect()
}

fn index(place: i64) -> usize {
    usize::try_from(place).expect("places are not negative")
}

/// What this thread has used of the CPU so far.
fn cpu_ns() -> f64 {
    fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or_default()
}

fn copying(epoch: EpochId) -> Copying {
    let copying = Copying::new(Service::Orders);
    Reactions::begins(&copying, epoch);
    copying
}

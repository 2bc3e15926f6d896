//! Commands per second by group size: three inserts a command and one event, durable.
//!
//! `cargo bench -p pasar-store --bench groups`. Prints a line per size; fails nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pasar_contracts::event::{Event, Service};
use pasar_store::{
    cause::{Actor, Cause},
    clock::SystemClock,
    ids::SystemIds,
    lane::{Class, LaneKey},
    store::{Executor, Migration, Store, StoreOptions},
};
use pasar_types::id::{FlowId, Order};
use serde::{Deserialize, Serialize};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_bench",
    sql: "CREATE TABLE a (id BLOB PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
          CREATE TABLE b (id BLOB PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;",
}];
const RUN: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct Written {
    data: String,
}

impl Event for Written {
    const TYPE: &'static str = "bench.written.v1";
    const PUBLISHER: Service = Service::Orders;
}

#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
fn main() {
    println!("{:>10} {:>14} {:>12}", "group", "commands/s", "commits/s");
    for group in [1_usize, 8, 32, 128, 256] {
        let commands = measure(group);
        let per_second = f64::from(u32::try_from(commands).unwrap_or(u32::MAX)) / RUN.as_secs_f64();
        println!(
            "{group:>10} {per_second:>14.0} {:>12.0}",
            per_second / group as f64
        );
    }
}

fn measure(group: usize) -> usize {
    let folder = tempfile::tempdir().expect("a folder for the database");
    let options = StoreOptions::file(
        Service::Orders,
        folder.path().join("bench.db"),
        MIGRATIONS,
        Arc::new(SystemClock),
        Arc::new(SystemIds::default()),
    );
    let store = Store::open(StoreOptions {
        executor: Executor::Inline,
        ..options
    })
    .expect("a new database opens");
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < RUN {
        let answers: Vec<_> = (0..group).map(|_| submit(&store)).collect();
        done += store.run_group(group);
        for answer in answers {
            answer.wait().expect("nothing refuses these rows");
        }
    }
    done
}

fn submit(store: &Store) -> pasar_store::lane::Answer<()> {
    let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
    store.write(LaneKey::ZERO, Class::Internal, cause, |context| {
        let id = context.new_id::<Order>();
        let data = "x".repeat(200);
        context.execute("INSERT INTO a (id, data) VALUES (?1, ?2)", &[&id, &data])?;
        context.execute("INSERT INTO b (id, data) VALUES (?1, ?2)", &[&id, &data])?;
        context.emit(&id.to_string(), 1, &Written { data })
    })
}

//! `pasar bench store`: what the store alone can do, by the number of commands that share a commit.
//!
//! A command here writes two rows and one event, about as much as a step of an order does.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use comfy_table::{Table, presets};
use pasar_contracts::event::{Event, Service};
use pasar_store::{
    cause::{Actor, Cause},
    clock::SystemClock,
    context::Context,
    fault::Fault,
    ids::SystemIds,
    lane::{Class, LaneKey},
    store::{Executor, Migration, Store, StoreOptions},
};
use pasar_types::id::{FlowId, Order};
use serde::{Deserialize, Serialize};

use crate::progress;

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_bench",
    sql: "CREATE TABLE bench_step (id BLOB PRIMARY KEY, amount BIGINT NOT NULL, note TEXT NOT NULL);
          CREATE TABLE bench_entry (id BLOB PRIMARY KEY, amount BIGINT NOT NULL, note TEXT NOT NULL);",
}];

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Commands that share one commit, each measured in turn
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 32, 128, 256])]
    groups: Vec<usize>,
    /// Seconds for each
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figure {
    group: usize,
    commands: u64,
    commands_per_s: f64,
    commits_per_s: f64,
}

#[derive(Serialize, Deserialize)]
struct StepTaken {
    amount: i64,
    note: String,
}

impl Event for StepTaken {
    const TYPE: &'static str = "bench.step_taken.v1";
    const PUBLISHER: Service = Service::Orders;
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.groups.iter().all(|group| (1..=256).contains(group)),
        "a group holds 1 to 256 commands; give --groups 1,8,32"
    );
    let mut figures = Vec::new();
    for group in &args.groups {
        let busy = progress::spinner(format!("groups of {group}"));
        figures.push(measure(*group, Duration::from_secs(args.seconds))?);
        busy.finish_and_clear();
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header(["commands a commit", "commands/s", "commits/s"]);
    for figure in &figures {
        table.add_row([
            figure.group.to_string(),
            format!("{:.0}", figure.commands_per_s),
            format!("{:.0}", figure.commits_per_s),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn measure(group: usize, span: Duration) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir().context("cannot make a folder for the measurement")?;
    let store = Store::open(StoreOptions {
        executor: Executor::Inline,
        ..StoreOptions::file(
            Service::Orders,
            folder.path().join("bench.db"),
            MIGRATIONS,
            std::sync::Arc::new(SystemClock),
            std::sync::Arc::new(SystemIds::default()),
        )
    })?;
    let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
    let start = Instant::now();
    let mut commands = 0;
    let mut commits = 0;
    while start.elapsed() < span {
        let answers: Vec<_> = (0..group)
            .map(|_| store.write(LaneKey::ZERO, Class::Internal, cause.clone(), take_step))
            .collect();
        store.run_group(group);
        for answer in answers {
            answer.wait()?;
            commands += 1;
        }
        commits += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        reason = "commands are counted in millions at most"
    )]
    let per_second = |count: u64| count as f64 / seconds;
    Ok(Figure {
        group,
        commands,
        commands_per_s: per_second(commands),
        commits_per_s: per_second(commits),
    })
}

fn take_step(ctx: &mut Context<'_>) -> Result<(), Fault> {
    let id = ctx.new_id::<Order>();
    let note = "two rows and an event";
    ctx.execute(
        "INSERT INTO bench_step (id, amount, note) VALUES (?1, ?2, ?3)",
        &[&id, &1_i64, &note],
    )?;
    ctx.execute(
        "INSERT INTO bench_entry (id, amount, note) VALUES (?1, ?2, ?3)",
        &[&id, &-1_i64, &note],
    )?;
    let event = StepTaken {
        amount: 1,
        note: note.to_owned(),
    };
    ctx.emit(&id.to_string(), 1, &event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_counts_every_command_of_every_group() {
        let figure = measure(4, Duration::from_millis(30)).unwrap();
        assert!(
            figure.commands >= 4 && figure.commands.is_multiple_of(4),
            "{figure:?}"
        );
        assert!(figure.commits_per_s > 0.0);
    }
}

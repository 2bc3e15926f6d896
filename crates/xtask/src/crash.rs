//! The long form of the crash test: the suite's own tests, with more cycles.

use anyhow::ensure;
use clap::{Args, ValueEnum};

use crate::{tally, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// What is killed: the shop while orders are placed, or the relay while messages are delivered
    #[arg(value_enum, default_value_t = Killed::Orders)]
    what: Killed,
    /// How often the system is killed and started again
    #[arg(long, default_value_t = 200)]
    cycles: u32,
    /// What the relay that is killed delivers to
    #[arg(long, value_enum, default_value_t = Destination::Rest)]
    destination: Destination,
    /// How often the power is cut under it besides: only what was synced is left
    #[arg(long, default_value_t = 20)]
    power_cuts: u32,
    /// The seed of the random kills, to run the same plan again
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Killed {
    Orders,
    Relay,
}

/// A kind of destination, as the tests of the whole program call it.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Destination {
    All,
    Rest,
    RedisChannel,
    RedisStream,
    NatsCore,
    NatsJetstream,
    RabbitmqQueue,
    KafkaTopic,
    MqttTopic,
}

const KINDS: [(Destination, &str); 8] = [
    (Destination::Rest, "rest"),
    (Destination::RedisChannel, "redis_channel"),
    (Destination::RedisStream, "redis_stream"),
    (Destination::NatsCore, "nats_core"),
    (Destination::NatsJetstream, "nats_jetstream"),
    (Destination::RabbitmqQueue, "rabbitmq_queue"),
    (Destination::KafkaTopic, "kafka_topic"),
    (Destination::MqttTopic, "mqtt_topic"),
];

impl Destination {
    /// The modules of its tests.
    pub(crate) fn kinds(self) -> Vec<&'static str> {
        let wanted = |(kind, _): &&(Self, &str)| self == Self::All || *kind == self;
        KINDS.iter().filter(wanted).map(|(_, name)| *name).collect()
    }
}

/// The tests, by the names that cargo knows them by.
fn tests(options: &Options) -> Vec<String> {
    let of_kind = |kind| match kind {
        "rest" => "relay_crash::messages_survive_kill_9".to_owned(),
        kind => format!("relay_crash_brokers::{kind}::what_was_in_flight_comes_again_under_its_id"),
    };
    match options.what {
        Killed::Orders => [
            "crash::orders_survive_kill_9",
            "crash::orders_survive_power_cuts",
        ]
        .map(str::to_owned)
        .into(),
        Killed::Relay => options
            .destination
            .kinds()
            .into_iter()
            .map(of_kind)
            .collect(),
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let tests = tests(options);
    let mut command = workspace.long_test(&tests);
    command
        .env("PASAR_CRASH_CYCLES", options.cycles.to_string())
        .env("PASAR_POWER_CUTS", options.power_cuts.to_string());
    if let Some(seed) = options.seed {
        command.env("PASAR_CRASH_SEED", seed.to_string());
    }
    let needs_servers = tests
        .iter()
        .any(|test| test.starts_with("relay_crash_brokers"));
    let proof = if needs_servers {
        tally::run_with_servers(workspace, &mut command, &[])?
    } else {
        tally::run_proved(&mut command)?
    };
    if needs_servers {
        print!(
            "\n| destination | kills | messages posted | arrived | again, under the same id | in flight at most |\n\
             |---|---|---|---|---|---|\n"
        );
    }
    proof.print();
    ensure!(proof.tally.failed == 0, "the crash test failed");
    proof.ensure_ran(tests.len())
}

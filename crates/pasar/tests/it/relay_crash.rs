//! Kills the relay under load, again and again, and starts it again: every message that was acknowledged
//! arrives at every subscription and at every reader, in order where order was asked for.
//!
//! The receiver is in this process, which is not killed, so what arrived is counted there and not in the
//! relay's books. The suite runs a short form, `cargo xtask crash relay --cycles 200` the long one.

mod audit;
mod reader;
mod receiver;
mod senders;

use std::{
    env, io,
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitStatus},
    time::Duration,
};

use pasar_store::crash::CrashPoint;
use pasar_testkit::process::Process;
use serde_json::json;
use tokio::time::Instant;

use self::{reader::Reader, receiver::Receiver, senders::Senders};
use crate::{
    api::Api,
    crash::plan::{End, Plan},
    system::{Folder, ready_at},
};

const SHORT_CYCLES: usize = 12;
/// Messages that are acknowledged before a kill counts.
const LEAST_ACKNOWLEDGED: usize = 40;
/// A planned crash that is not met within this time becomes a kill.
const LONGEST_CYCLE: Duration = Duration::from_secs(10);
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
/// Deliveries in flight at once, of each subscription that may have several.
const WINDOW: u16 = 8;
/// Where the relay is at its worst. No service's events are followed here, and no timer is due: the crash
/// test of orders meets those.
const POINTS: [CrashPoint; 6] = [
    CrashPoint::CommandRun,
    CrashPoint::FeedAppended,
    CrashPoint::Committed,
    CrashPoint::Answered,
    CrashPoint::EffectStarted,
    CrashPoint::ProviderAnswered,
];

struct Lab {
    folder: Folder,
    plan: Plan,
    receiver: Receiver,
    senders: Senders,
    reader: Reader,
    kills: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_survive_kill_9() {
    let cycles = number("PASAR_CRASH_CYCLES").unwrap_or(SHORT_CYCLES);
    let seed = number("PASAR_CRASH_SEED").unwrap_or(1) as u64;
    let mut lab = Lab::new(seed).await;
    lab.subscribe().await;
    let mut done = 0;
    let mut tries = 0;
    while done < cycles || !lab.plan.is_complete(cycles) {
        tries += 1;
        assert!(
            tries < 3 * cycles + 20,
            "most kills came too early or too late"
        );
        if let Some(acknowledged) = lab.cycle().await {
            done += 1;
            println!("kill {done} of {cycles}: {acknowledged} messages acknowledged");
        }
    }
    lab.finish().await;
    audit::check(&lab, cycles);
}

fn number(variable: &str) -> Option<usize> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

impl Lab {
    async fn new(seed: u64) -> Self {
        Self {
            folder: Folder::new(""),
            plan: Plan::of(&POINTS, seed),
            receiver: Receiver::start().await,
            senders: Senders::default(),
            reader: Reader::start(),
            kills: 0,
        }
    }

    fn start(&self, crash_point: Option<String>) -> io::Result<(Process, String)> {
        let mut command: Command = self.folder.command();
        if let Some(point) = crash_point {
            command.env("PASAR_CRASH_POINT", point);
        }
        let mut process = Process::start(&mut command)?;
        let url = ready_at(&mut process)?;
        Ok((process, url))
    }

    /// One subscription of each ordering, and the reader from the first message on.
    async fn subscribe(&mut self) {
        let (mut process, url) = self.start(None).unwrap_or_else(|error| {
            self.folder.print_log();
            panic!("{error}")
        });
        let admin = Api::new(&url, Some(self.folder.key("ADMIN")));
        for (ordering, window) in [("none", WINDOW), ("key", WINDOW), ("strict", 1)] {
            let subscription = json!({
                "name": ordering,
                "topics": ["client"],
                "ordering": ordering,
                "concurrency": window,
                "start": "earliest",
                "destination": { "kind": "rest", "url": self.receiver.url(ordering) },
                "retry": { "first_s": 1, "most_s": 1 },
            });
            admin
                .post("/v1/subscriptions", &subscription)
                .await
                .expect(201);
        }
        process.kill().unwrap();
    }

    /// One start, load, and kill. `None` if the kill came before enough messages were acknowledged; the plan
    /// learns from it.
    async fn cycle(&mut self) -> Option<usize> {
        let end = self.plan.next();
        // A crash point may be met while the system starts: what was waiting is delivered at once.
        let Ok((mut process, url)) = self.start(end.variable()) else {
            self.kills += 1;
            self.plan.came_too_early(&end);
            return None;
        };
        self.reader.reach(&url);
        let sending = self.senders.start(&Api::new(&url, None));
        let status = self.wait_for_end(&mut process, &end).await;
        let acknowledged = sending.stop(&mut self.senders).await;
        self.kills += 1;
        let met = status.signal() == Some(SIGABRT);
        assert!(
            met || status.signal() == Some(SIGKILL),
            "it ended by itself: {status}"
        );
        match (&end, met) {
            (End::Point { .. }, false) => self.plan.came_too_late(&end),
            _ if acknowledged < LEAST_ACKNOWLEDGED => {
                self.plan.came_too_early(&end);
                return None;
            }
            _ => {}
        }
        self.plan.count(&end, met);
        if matches!(end, End::AnyTime { .. }) {
            audit::check_databases(self, false);
        }
        (acknowledged >= LEAST_ACKNOWLEDGED).then_some(acknowledged)
    }

    async fn wait_for_end(&self, process: &mut Process, end: &End) -> ExitStatus {
        let begun = Instant::now();
        let patience = match end {
            End::AnyTime { after } => *after,
            End::Point { .. } => LONGEST_CYCLE,
        };
        loop {
            if let Some(status) = process.ended().unwrap() {
                return status;
            }
            let enough = self.senders.acknowledged_now() >= LEAST_ACKNOWLEDGED;
            if begun.elapsed() >= patience && (enough || begun.elapsed() >= 2 * LONGEST_CYCLE) {
                return process.kill().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts the relay a last time, lets the senders repeat what they had no answer to, and waits until
    /// everything has arrived everywhere.
    async fn finish(&mut self) {
        let (mut process, url) = self.start(None).unwrap_or_else(|error| {
            self.folder.print_log();
            panic!("{error}")
        });
        self.reader.reach(&url);
        self.senders.repeat_unanswered(&Api::new(&url, None)).await;
        audit::wait_until_arrived(self).await;
        // Before it ends: its followers must reach the heads by themselves.
        audit::check_databases(self, true);
        let told = Command::new("kill")
            .arg(process.id().to_string())
            .status()
            .unwrap();
        assert!(told.success() && process.wait().unwrap().success());
        audit::check_databases(self, false);
    }
}

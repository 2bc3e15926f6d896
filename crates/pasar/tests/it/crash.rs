//! Kills the system under load, again and again, and starts it again: nothing that was acknowledged may
//! be lost, nothing may happen twice, and everything must settle.
//!
//! The provider is a process of its own that is not killed, so what was charged is counted in its books
//! and not in ours. The suite runs a short form, `cargo xtask crash --cycles 200` the long one. The same again
//! with a disk that keeps only what was synced: what a power cut leaves.

pub(crate) mod audit;
mod disk;
mod load;
pub(crate) mod plan;

use std::{
    env, io,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use pasar_testkit::process::Process;
use tempfile::TempDir;
use tokio::time::Instant;

use self::{
    disk::Disk,
    load::Load,
    plan::{End, Plan},
};
use crate::{
    api::Api,
    system::{Folder, program, ready_at},
};

/// Each point once, and some kills at random.
const SHORT_CYCLES: usize = 12;
const SHORT_POWER_CUTS: usize = 4;
/// Orders that are acknowledged before a kill counts.
const LEAST_ACKNOWLEDGED: usize = 20;
/// A planned crash that is not met within this time becomes a kill.
const LONGEST_CYCLE: Duration = Duration::from_secs(10);
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
/// 24 bytes in base64; it protects nothing but this test's own provider.
pub(crate) const SECRET: &str = "whsec_Y3Jhc2gtdGVzdC1wcm92aWRlci1zZWNyZXQ=";

/// The system, the provider beside it, and what the clients know.
struct Lab {
    folder: Folder,
    provider: Provider,
    plan: Plan,
    load: Load,
    /// Each kill is a power cut.
    disk: Option<Disk>,
}

/// `pasar sandbox` with books of its own.
pub(crate) struct Provider {
    /// Held for as long as the test runs.
    _process: Process,
    data: TempDir,
    pub(crate) url: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_survive_kill_9() {
    let cycles = number("PASAR_CRASH_CYCLES").unwrap_or(SHORT_CYCLES);
    survive(Lab::new(Plan::new(seed()), None), cycles).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_survive_power_cuts() {
    let cuts = number("PASAR_POWER_CUTS").unwrap_or(SHORT_POWER_CUTS);
    survive(Lab::new(Plan::at_random(seed()), Some(Disk::new())), cuts).await;
}

async fn survive(mut lab: Lab, cycles: usize) {
    lab.prepare().await;
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
            println!("kill {done} of {cycles}: {acknowledged} orders acknowledged");
        }
    }
    let settled = lab.settle().await;
    audit::check(&lab, &settled, cycles);
}

fn seed() -> u64 {
    number("PASAR_CRASH_SEED").unwrap_or(1) as u64
}

pub(crate) fn number(variable: &str) -> Option<usize> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

impl Lab {
    fn new(plan: Plan, disk: Option<Disk>) -> Self {
        let provider = Provider::start();
        let config = format!(
            "[payments.http.bank]\nurl = \"{}\"\nsecrets = [\"{SECRET}\"]\ntimeout_ms = 2000\n\
             [payments.retry]\nfirst_ms = 100\nmost_ms = 1000\n\
             [orders]\npay_by_s = 1\nboot_gate_s = 5\n",
            provider.url
        );
        Self {
            folder: Folder::new(&config),
            provider,
            plan,
            load: Load::default(),
            disk,
        }
    }

    fn start(&self, crash_point: Option<String>) -> io::Result<(Process, String)> {
        let mut command: Command = self.folder.command();
        if let Some(point) = crash_point {
            command.env("PASAR_CRASH_POINT", point);
        }
        if let Some(disk) = &self.disk {
            disk.put_under(&mut command);
        }
        let mut process = Process::start(&mut command)?;
        let url = ready_at(&mut process)?;
        Ok((process, url))
    }

    async fn prepare(&mut self) {
        let (mut process, url) = self.start(None).unwrap();
        let staff = Api::new(&url, Some(self.folder.key("STAFF")));
        for product in load::PRODUCTS {
            staff.product(product, 900_000).await;
        }
        process.kill().unwrap();
        self.cut_power();
    }

    fn cut_power(&self) {
        if let Some(disk) = &self.disk {
            let lost = disk.cut(&self.folder.data());
            println!("{lost} bytes were written and not synced");
        }
    }

    /// One start, load, and kill. `None` if the kill came before enough orders were acknowledged; the
    /// plan learns from it.
    async fn cycle(&mut self) -> Option<usize> {
        let end = self.plan.next();
        // A crash point may be met while the system starts.
        let Ok((mut process, url)) = self.start(end.variable()) else {
            self.plan.came_too_early(&end);
            return None;
        };
        let staff = Api::new(&url, Some(self.folder.key("KIOSK")));
        let clients = self.load.start(&staff);
        let status = self.wait_for_end(&mut process, &end).await;
        let acknowledged = clients.stop(&mut self.load).await;
        let met = status.signal() == Some(SIGABRT);
        self.cut_power();
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
            audit::check_killed(self);
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
            let enough = self.load.acknowledged_now() >= LEAST_ACKNOWLEDGED;
            if begun.elapsed() >= patience && (enough || begun.elapsed() >= 2 * LONGEST_CYCLE) {
                return process.kill().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts the system a last time, lets the clients repeat what they had no answer to, and waits until
    /// all is settled.
    async fn settle(&mut self) -> audit::Settled {
        let (mut process, url) = self.start(None).unwrap_or_else(|error| {
            self.folder.print_log();
            panic!("{error}")
        });
        let kiosk = Api::new(&url, Some(self.folder.key("KIOSK")));
        self.load.repeat_unanswered(&kiosk).await;
        let staff = Api::new(&url, Some(self.folder.key("STAFF")));
        let settled = audit::wait_until_settled(&staff, &self.load).await;
        // Before it ends: its followers must reach the heads by themselves.
        audit::check_running(self);
        let told = Command::new("kill")
            .arg(process.id().to_string())
            .status()
            .unwrap();
        assert!(told.success() && process.wait().unwrap().success());
        settled
    }
}

impl Provider {
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = program();
        command
            .args([
                "sandbox",
                "--bind",
                "127.0.0.1:0",
                "--secret",
                SECRET,
                "--data",
            ])
            .arg(data.path());
        let mut process = Process::start(&mut command).unwrap();
        let url = process
            .wait_for_line("the payments sandbox is ready at ")
            .unwrap();
        Self {
            _process: process,
            data,
            url,
        }
    }

    /// What it knows of each charge.
    pub(crate) fn books(&self) -> PathBuf {
        self.data.path().join("sandbox.db")
    }
}

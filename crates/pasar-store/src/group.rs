//! Runs what a lane took as one transaction: the commands, the feed last, one commit. A fault takes back
//! its own command alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use metrics::{Counter, Histogram};
use pasar_contracts::event::Service;
use pasar_types::time::Timestamp;

use crate::{
    checkpoint::Checkpointer,
    clock::Clock,
    context::{Context, Pending},
    crash::{self, CrashPoint},
    engine::{self, Connection, Tail, TailFault},
    fault::Fault,
    ids::Ids,
    lane::Job,
    published::Published,
    sweep,
    tx::Tx,
};

/// One lane's writer: its connection and what it tells after a commit.
pub(crate) struct Writer {
    connection: Connection,
    checkpointer: Checkpointer,
    service: Service,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    published: Arc<Published>,
    /// Other processes may have to hear of what it commits.
    shared: bool,
    lane: u32,
    meters: Meters,
    swept_at: Timestamp,
    /// Whether the last group met no database.
    is_cut_off: bool,
}

/// What all writers of a store have.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) service: Service,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) published: Arc<Published>,
    /// Other processes may have to hear of what they commit.
    pub(crate) shared: bool,
}

struct Meters {
    groups: Counter,
    commands: Counter,
    faults: Counter,
    events: Counter,
    group_size: Histogram,
    /// From its begin to its answers: with the wait for the lane, and for rows that others hold.
    group_seconds: Histogram,
}

/// How the commands of a group are kept apart.
#[derive(Clone, Copy)]
enum Run {
    /// Not at all: the first fault ends the pass.
    Bare,
    /// `conflicted` has met a conflict before.
    InSavepoints { conflicted: Option<usize> },
}

enum Pass {
    Committed(Vec<Result<(), Fault>>),
    /// A command faulted, the one at this place if that is known, and everything was taken back.
    Faulted(Option<usize>, Fault),
    /// Nobody can find out whether it was committed.
    Unknown,
}

/// How often a command that met a conflict is run again.
const RERUNS: u32 = 3;
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        checkpointer: Checkpointer,
        lane: u32,
        surroundings: &Surroundings,
    ) -> Self {
        let Surroundings {
            service,
            clock,
            ids,
            published,
            shared,
        } = surroundings.clone();
        let swept_at = clock.now();
        Self {
            connection,
            checkpointer,
            service,
            clock,
            ids,
            published,
            shared,
            lane,
            meters: Meters::new(service),
            swept_at,
            is_cut_off: false,
        }
    }

    /// Runs a group to its end; every job has its answer afterwards.
    pub(crate) fn run(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        self.is_cut_off = false;
        let begun = self.clock.monotonic();
        let mut result = self.commit(&mut jobs);
        if result.as_ref().is_err_and(engine::is_lost) {
            // Nothing of it stands, and mostly the database is back at once.
            result = self.commit(&mut jobs);
        }
        match result {
            Ok(results) => answer(jobs, results),
            Err(fault @ Fault::Unavailable(_)) => self.cut_off(jobs, &fault),
            Err(fault) if jobs.len() == 1 && !engine::is_contention(&fault) => {
                answer(jobs, vec![Err(fault)]);
            }
            // The engine ended the transaction under one of them: each gets a transaction of its own.
            Err(fault) => {
                tracing::warn!(service = %self.service, error = %fault, "group failed, retrying one by one");
                self.run_one_by_one(jobs);
            }
        }
        let took = self.clock.monotonic().saturating_sub(begun);
        self.meters.group_seconds.record(took.as_secs_f64());
        crash::at(CrashPoint::Answered);
        self.checkpointer.step(self.service, &self.connection);
        self.sweep();
    }

    /// Whether the last group met no database: the next one will hardly fare better at once.
    pub(crate) const fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// Leaves a file that is whole without the log beside it, as far as nobody else is at it.
    pub(crate) fn end(self) {
        // Its thread may be at the log.
        drop(self.checkpointer);
        if let Err(fault) = self.connection.empty_log() {
            tracing::warn!(service = %self.service, error = %fault, "the log stays beside the database");
        }
    }

    fn cut_off(&mut self, jobs: Vec<Box<dyn Job>>, fault: &Fault) {
        self.is_cut_off = true;
        tracing::warn!(
            service = %self.service, lane = self.lane, error = %fault, commands = jobs.len(),
            "a group met no database"
        );
        let results = jobs.iter().map(|_| Err(fault.clone())).collect();
        answer(jobs, results);
    }

    fn run_one_by_one(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let mut alone = vec![job];
            let mut result = self.commit(&mut alone);
            for _ in 0..RERUNS {
                if !result.as_ref().is_err_and(engine::is_contention) {
                    break;
                }
                result = self.commit(&mut alone);
            }
            match result {
                Ok(results) => answer(alone, results),
                Err(fault @ Fault::Unavailable(_)) => {
                    alone.extend(jobs);
                    return self.cut_off(alone, &fault);
                }
                Err(fault) => answer(alone, vec![Err(fault)]),
            }
        }
    }

    /// A result per job, durable; or the fault that ended the whole transaction.
    ///
    /// A savepoint costs a copy of every page that its command changes, and faults are rare: so all
    /// commands run without one first, and after a fault once more, each in its own.
    fn commit(&self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Result<(), Fault>>, Fault> {
        let (at, fault) = match self.pass(jobs, Run::Bare)? {
            Pass::Committed(results) => return Ok(results),
            Pass::Unknown => return Ok(unknown(jobs)),
            Pass::Faulted(at, fault) => (at, fault),
        };
        if matches!(fault, Fault::Unavailable(_)) || engine::is_contention(&fault) {
            return Err(fault);
        }
        let conflict = matches!(fault, Fault::Conflict(_));
        // One that did not hear of its own fault is run again: it may know what to do about it.
        if jobs.len() == 1 && !conflict && at.is_some() {
            return Ok(vec![Err(fault)]);
        }
        let conflicted = match at {
            None if jobs.len() == 1 => Some(0),
            at => at,
        };
        let conflicted = conflicted.filter(|_| conflict);
        match self.pass(jobs, Run::InSavepoints { conflicted })? {
            Pass::Committed(results) => Ok(results),
            Pass::Unknown => Ok(unknown(jobs)),
            Pass::Faulted(_, fault) => Err(fault),
        }
    }

    fn pass(&self, jobs: &mut [Box<dyn Job>], run: Run) -> Result<Pass, Fault> {
        let now = self.clock.now();
        self.connection.begin_write(self.lane)?;
        let mut pending = Pending {
            shared: self.shared,
            ..Pending::default()
        };
        let mut results = Vec::with_capacity(jobs.len());
        for (at, job) in jobs.iter_mut().enumerate() {
            let job = job.as_mut();
            let result = match run {
                Run::Bare => {
                    if let Err(fault) = self.run_bare(job, now, &mut pending) {
                        self.abandon();
                        return Ok(Pass::Faulted(Some(at), fault));
                    }
                    Ok(())
                }
                Run::InSavepoints { conflicted } => {
                    let runs = u32::from(conflicted == Some(at));
                    self.run_in_savepoint(job, now, &mut pending, runs)?
                }
            };
            crash::at(CrashPoint::CommandRun);
            results.push(result);
        }
        // What was deferred is of commands that have an answer already: none of them goes out if it fails.
        if let Err(fault) = self.connection.check() {
            self.abandon();
            return Ok(Pass::Faulted(None, fault));
        }
        self.finish(pending, results)
    }

    fn finish(&self, mut pending: Pending, results: Vec<Result<(), Fault>>) -> Result<Pass, Fault> {
        let has_news = self.shared && pending.has_news();
        let mut tail = Tail {
            events: &mut pending.events,
            effects: &pending.effects,
            has_news,
        };
        let told = match self.connection.finish(&mut tail) {
            Ok(told) => told,
            Err(TailFault::RolledBack(fault)) => return Err(fault),
            Err(TailFault::Unknown) => return Ok(Pass::Unknown),
            Err(TailFault::Fatal(fault)) => end_process(self.service, &fault),
        };
        crash::at(CrashPoint::Committed);
        self.meters.count(&results, pending.events.len());
        self.published.publish(told, pending);
        Ok(Pass::Committed(results))
    }

    fn run_bare(
        &self,
        job: &mut dyn Job,
        now: Timestamp,
        pending: &mut Pending,
    ) -> Result<(), Fault> {
        let tx = Tx::new(&self.connection, self.service);
        let mut context = Context::new(tx, now, &*self.ids, job.cause().clone(), pending);
        catch_unwind(AssertUnwindSafe(|| job.run(&mut context)))
            .unwrap_or_else(|panic| Err(Fault::Bug(panic_message(&*panic))))?;
        // Whoever goes on after a statement failed would have it rolled back in silence.
        self.connection.look()
    }

    /// The outer error means that the transaction is gone, and with it the group. `runs` is how often
    /// the command has met a conflict already.
    fn run_in_savepoint(
        &self,
        job: &mut dyn Job,
        now: Timestamp,
        pending: &mut Pending,
        mut runs: u32,
    ) -> Result<Result<(), Fault>, Fault> {
        loop {
            runs += 1;
            let mark = pending.mark();
            self.connection
                .savepoint()
                .inspect_err(|_| self.abandon())?;
            let ran = self.run_bare(job, now, pending);
            let Err(fault) = ran.and_then(|()| self.connection.check()) else {
                self.connection.release().inspect_err(|_| self.abandon())?;
                return Ok(Ok(()));
            };
            if !self.connection.in_transaction() {
                return Err(fault);
            }
            self.connection
                .rollback_to_savepoint()
                .inspect_err(|_| self.abandon())?;
            pending.take_back(mark);
            if engine::is_contention(&fault) {
                // The others of the group hold what it waits for, or wait for what it holds.
                self.abandon();
                return Err(fault);
            }
            if !matches!(fault, Fault::Conflict(_)) || runs > RERUNS {
                return Ok(Err(fault));
            }
        }
    }

    fn abandon(&self) {
        if self.connection.in_transaction()
            && let Err(fault) = self.connection.rollback()
        {
            end_process(self.service, &fault);
        }
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        if self.lane != 0 || self.is_cut_off || now.since(self.swept_at) < SWEEP_EVERY {
            return;
        }
        let tx = Tx::new(&self.connection, self.service);
        let swept = self.connection.begin_write(self.lane).and_then(|()| {
            let more = sweep::step(&tx, now).inspect_err(|_| self.abandon())?;
            self.connection.commit()?;
            Ok(more)
        });
        match swept {
            Ok(true) => {}
            Ok(false) => self.swept_at = now,
            Err(fault) => {
                self.abandon();
                self.swept_at = now;
                tracing::warn!(service = %self.service, error = %fault, "sweep failed");
            }
        }
    }
}

fn unknown(jobs: &[Box<dyn Job>]) -> Vec<Result<(), Fault>> {
    jobs.iter().map(|_| Err(Fault::Unknown)).collect()
}

fn answer(jobs: Vec<Box<dyn Job>>, results: Vec<Result<(), Fault>>) {
    for (job, result) in jobs.into_iter().zip(results) {
        job.answer(result);
    }
}

/// After a failed commit or sync nobody knows what the disk holds; the next start reads it.
fn end_process(service: Service, fault: &Fault) -> ! {
    tracing::error!(%service, error = ?fault, "commit failed, the process ends");
    std::process::abort();
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a command panicked".to_owned())
}

impl Meters {
    fn new(service: Service) -> Self {
        let service = service.as_str();
        Self {
            groups: metrics::counter!("pasar_store_groups_total", "service" => service),
            commands: metrics::counter!("pasar_store_commands_total", "service" => service),
            faults: metrics::counter!("pasar_store_faults_total", "service" => service),
            events: metrics::counter!("pasar_store_events_total", "service" => service),
            group_size: metrics::histogram!("pasar_store_group_size", "service" => service),
            group_seconds: metrics::histogram!("pasar_store_group_seconds", "service" => service),
        }
    }

    fn count(&self, results: &[Result<(), Fault>], events: usize) {
        self.groups.increment(1);
        self.commands.increment(results.len() as u64);
        self.faults
            .increment(results.iter().filter(|result| result.is_err()).count() as u64);
        self.events.increment(events as u64);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a group has at most some hundred commands"
        )]
        self.group_size.record(results.len() as f64);
    }
}

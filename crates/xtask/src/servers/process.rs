//! Starting programs that go on when this one ends, and ending exactly those again.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::ErrorKind,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

/// What to start.
pub(crate) struct Program {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<&'static str, String>,
}

/// How long a server may take to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// One process a line: its id, and when it started by the system's count, as ids are used again.
const STARTED: &str = "started.txt";

/// Starts a server's programs in its folder; what they print goes to `log.txt` there.
pub(crate) fn start(folder: &Path, programs: &[Program]) -> anyhow::Result<()> {
    let log = File::create(folder.join("log.txt"))?;
    let mut started = String::new();
    for program in programs {
        let child = Command::new(&program.program)
            .args(&program.args)
            .envs(&program.env)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            // An interrupt at the keyboard is for the command that the servers were started for.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.program.display()))?;
        let pid = child.id();
        let since = running_since(pid).context("a child that was not waited for has an entry")?;
        started.push_str(&format!("{pid} {since}\n"));
        fs::write(folder.join(STARTED), &started)?;
    }
    Ok(())
}

/// Whether all that was started there runs.
pub(crate) fn runs(folder: &Path) -> anyhow::Result<bool> {
    let started = started(folder)?;
    Ok(!started.is_empty() && started.iter().all(Started::runs))
}

/// The ids of what runs there.
pub(crate) fn ids(folder: &Path) -> anyhow::Result<Vec<u32>> {
    let started = started(folder)?;
    let running = started.iter().filter(|process| process.runs());
    Ok(running.map(|process| process.pid).collect())
}

/// Ends what was started in these folders, all at once: first by asking.
pub(crate) fn stop(folders: &[PathBuf]) -> anyhow::Result<()> {
    let mut ending = Vec::new();
    for folder in folders {
        let mut started = started(folder)?;
        // The server is the last of its programs, and may need the others until it has ended.
        let server = started.pop();
        ending.push((folder, server, started));
    }
    for (folder, server, _) in &ending {
        let other = fs::read_to_string(folder.join("stop-signal")).ok();
        signal(other.as_deref().unwrap_or("-TERM"), server.as_slice());
    }
    for (folder, server, others) in ending {
        wait_for_end(server.as_slice())
            .with_context(|| format!("cannot stop what runs in {}", folder.display()))?;
        signal("-TERM", &others);
        wait_for_end(&others)?;
        match fs::remove_file(folder.join(STARTED)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Ends what was started there at once, with all that it started itself. Nothing in it has the time to write
/// anything more.
pub(super) fn kill(folder: &Path) -> anyhow::Result<()> {
    let started = started(folder)?;
    ensure!(
        started.iter().any(Started::runs),
        "nothing runs in {}",
        folder.display()
    );
    let all = with_children(started)?;
    signal("-KILL", &all);
    wait_for_end(&all)?;
    fs::remove_file(folder.join(STARTED))?;
    Ok(())
}

/// Of each, the processes that it started.
fn with_children(mut started: Vec<Started>) -> anyhow::Result<Vec<Started>> {
    let parents: Vec<u32> = started.iter().map(|process| process.pid).collect();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some((parent, since)) = stat(pid)
            && parents.contains(&parent)
        {
            started.push(Started { pid, since });
        }
    }
    Ok(started)
}

struct Started {
    pid: u32,
    since: u64,
}

impl Started {
    fn runs(&self) -> bool {
        running_since(self.pid) == Some(self.since)
    }
}

fn started(folder: &Path) -> anyhow::Result<Vec<Started>> {
    let text = match fs::read_to_string(folder.join(STARTED)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    text.lines()
        .map(|line| {
            let (pid, since) = line.split_once(' ').context("a process without a time")?;
            Ok(Started {
                pid: pid.parse()?,
                since: since.parse()?,
            })
        })
        .collect()
}

fn signal(signal: &str, to: &[Started]) {
    for process in to.iter().filter(|process| process.runs()) {
        // It may end before the signal arrives; whether it has ended is looked at afterwards.
        let _ = Command::new("kill")
            .args([signal, &process.pid.to_string()])
            .stderr(Stdio::null())
            .status();
    }
}

fn wait_for_end(processes: &[Started]) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut killed = false;
    while processes.iter().any(Started::runs) {
        if began.elapsed() > STOP_LIMIT && !killed {
            signal("-KILL", processes);
            killed = true;
        }
        ensure!(began.elapsed() < 2 * STOP_LIMIT, "it does not end");
        look_again_soon();
    }
    Ok(())
}

/// Nothing tells when another process has come so far.
#[expect(clippy::disallowed_methods, reason = "what is waited for tells nobody")]
pub(crate) fn look_again_soon() {
    thread::sleep(Duration::from_millis(20));
}

/// When a process started, in ticks since the machine did; `None` if it ended.
fn running_since(pid: u32) -> Option<u64> {
    stat(pid).map(|(_, since)| since)
}

/// Its parent, and when it started.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; what follows is the state, the parent, and 18 fields on the time.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    (state != "Z").then_some(())?;
    let parent = fields.next()?.parse().ok()?;
    let since = fields.nth(17)?.parse().ok()?;
    Some((parent, since))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, args: &[&str]) -> Program {
        Program {
            program: name.into(),
            args: args.iter().map(ToString::to_string).collect(),
            env: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_started_runs_until_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!runs(folder.path()).unwrap());
        start(folder.path(), &[program("sleep", &["60"])]).unwrap();
        assert!(runs(folder.path()).unwrap());
        stop(&[folder.path().to_owned()]).unwrap();
        assert!(!runs(folder.path()).unwrap());
    }

    #[test]
    fn what_was_started_can_be_killed_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(kill(folder.path()).is_err());
        start(folder.path(), &[program("sleep", &["60"])]).unwrap();
        kill(folder.path()).unwrap();
        assert!(!runs(folder.path()).unwrap());
    }

    #[test]
    fn a_process_that_only_has_the_same_id_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let since = running_since(other.id()).unwrap();
        fs::write(
            folder.path().join(STARTED),
            format!("{} {}\n", other.id(), since - 1),
        )
        .unwrap();
        assert!(!runs(folder.path()).unwrap());
        stop(&[folder.path().to_owned()]).unwrap();
        assert_eq!(running_since(other.id()), Some(since));
        other.kill().unwrap();
        other.wait().unwrap();
    }
}

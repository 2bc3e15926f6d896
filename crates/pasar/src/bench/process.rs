//! What a process used, as Linux tells it under `/proc`. Elsewhere there is nothing to tell.

use std::{fs, time::Duration};

/// Clock ticks a second in `/proc/PID/stat`: 100 on every Linux that user space sees (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Processor time of all threads so far, user and system.
pub(super) fn cpu(pid: u32) -> Option<Duration> {
    cpu_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Of a process and those that it started and that run still, such as PostgreSQL's.
pub(super) fn cpu_with_children(pid: u32) -> Option<Duration> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let children = children
        .split_whitespace()
        .filter_map(|child| cpu(child.parse().ok()?));
    Some(cpu(pid)? + children.sum::<Duration>())
}

/// Resident memory now, in KiB.
pub(super) fn resident_kib(pid: u32) -> Option<u64> {
    status(pid, "VmRSS:")
}

/// The most memory that was ever resident, in KiB.
pub(super) fn peak_resident_kib(pid: u32) -> Option<u64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, field: &str) -> Option<u64> {
    field_of(
        &fs::read_to_string(format!("/proc/{pid}/status")).ok()?,
        field,
    )
}

fn field_of(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// proc_pid_stat(5): fields 14 and 15 are utime and stime. The second field is the program's name in
/// parentheses, which may hold anything.
fn cpu_of(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 200";
        assert_eq!(cpu_of(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_of(""), None);
    }

    #[test]
    fn memory_is_read_by_name() {
        let status = "Name:\tpasar\nVmHWM:\t   41000 kB\nVmRSS:\t   40000 kB\n";
        assert_eq!(field_of(status, "VmRSS:"), Some(40_000));
        assert_eq!(field_of(status, "VmSwap:"), None);
    }
}

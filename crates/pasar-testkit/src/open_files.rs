//! Tests of many sockets hold both of their ends, which may be more files than a process begins with.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process, and those that it starts, have so many files open.
///
/// # Panics
/// If the system does not allow as many.
pub fn allow(files: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|now| now >= files) {
        return;
    }
    let wanted = Rlimit {
        current: Some(files),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, wanted)
        .unwrap_or_else(|error| panic!("{files} open files are needed (ulimit -Hn): {error}"));
}

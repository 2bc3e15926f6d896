//! Installs what servers need: Debian's packages, without the services that those would start.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, ensure};

use crate::workspace;

/// Debian asks this before it starts or stops a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// What lies in the path under the same names would become another user first.
const FIRST_FOLDER: &str = "/usr/lib/rabbitmq/bin";
/// Where servers lie that are not in everybody's path.
const MORE_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Finds a program by its name.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from(FIRST_FOLDER))
        .chain(env::split_paths(&path))
        .chain(MORE_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Installs the packages of the programs that are not there.
pub(super) fn programs(needs: &[(&str, &str)]) -> anyhow::Result<()> {
    for (program, package) in needs {
        if find(program).is_some() {
            continue;
        }
        package_of(package).with_context(|| format!("{program} is missing (Debian: {package})"))?;
        ensure!(
            find(program).is_some(),
            "the package {package} brought no {program}"
        );
    }
    Ok(())
}

fn package_of(package: &str) -> anyhow::Result<()> {
    static UPDATED: OnceLock<bool> = OnceLock::new();
    find("apt-get").context("there is no apt-get here to install it with")?;
    println!("installing {package}");
    let updated = *UPDATED.get_or_init(|| workspace::run(&mut apt(&["-qq", "update"])).is_ok());
    ensure!(updated, "apt-get cannot update its lists");
    let _quiet = NoServices::declare()?;
    workspace::run(&mut apt(&[
        "-qq",
        "install",
        "--yes",
        "--no-install-recommends",
        package,
    ]))
}

fn apt(args: &[&str]) -> Command {
    let is_root = fs::metadata("/proc/self").is_ok_and(|entry| {
        use std::os::unix::fs::MetadataExt as _;
        entry.uid() == 0
    });
    let mut command = if is_root {
        Command::new("apt-get")
    } else {
        let mut command = Command::new("sudo");
        command.args(["--non-interactive", "apt-get"]);
        command
    };
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// While it lives, packages start no services, whose default ports may be somebody's own.
struct NoServices {
    is_ours: bool,
}

impl NoServices {
    fn declare() -> anyhow::Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { is_ours: false });
        }
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(POLICY);
        match file {
            Ok(mut file) => file.write_all(b"#!/bin/sh\nexit 101\n")?,
            // Not root: the service may start; it is nobody's test server all the same.
            Err(_) => return Ok(Self { is_ours: false }),
        }
        Ok(Self { is_ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}

//! PostgreSQL, in a data folder of its own, under a user of its own where this runs as root: it refuses root.

use std::{
    collections::BTreeMap,
    fs, io,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use super::{
    Kind, nothing_else,
    place::{Place, USER},
    process::Program,
};
use crate::workspace;

pub(super) const KIND: Kind = Kind {
    name: "postgres",
    needs: &[("pg_ctlcluster", "postgresql"), ("setpriv", "util-linux")],
    fetch: nothing_else,
    port: 16,
    tls_port: 16,
    prepare,
    answers,
};

/// A database for tests, which make schemas in it.
pub(super) fn url(place: &Place) -> String {
    format!(
        "postgres://{USER}:{}@127.0.0.1:{}/postgres",
        place.password,
        place.port(KIND.port)
    )
}

/// Who owns the data where root may not.
const SYSTEM_USER: &str = "postgres";

fn prepare(place: &Place) -> anyhow::Result<Vec<Program>> {
    let folder = place.folder(KIND.name);
    let data = folder.join("data");
    fs::create_dir_all(&data)?;
    // Asked to end, it would wait for its clients; interrupted, it ends them.
    place.write(KIND.name, "stop-signal", "-INT")?;
    let owner = owner(&folder)?;
    if let Some((uid, gid)) = owner {
        chown(&data, Some(uid), Some(gid))?;
    }
    if !data.join("PG_VERSION").is_file() {
        initialise(place, &data, owner.is_some())?;
    }
    for (from, name) in [
        (place.certificate(), "server.pem"),
        (place.key(), "server-key.pem"),
    ] {
        let file = data.join(name);
        fs::copy(from, &file)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        if let Some((uid, gid)) = owner {
            chown(&file, Some(uid), Some(gid))?;
        }
    }
    fs::write(data.join("postgresql.auto.conf"), config(place))?;
    // Nothing runs here. One that was killed left this behind, and refuses to start for as long as its process has
    // an entry, if only because nobody asked how it ended.
    match fs::remove_file(data.join("postmaster.pid")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut args = as_owner(owner.is_some(), &programs()?.join("postgres"));
    args.extend(["-D".to_owned(), data.display().to_string()]);
    let program = args.remove(0);
    Ok(vec![Program {
        program: program.into(),
        args,
        env: BTreeMap::new(),
    }])
}

/// It syncs, as what it acknowledged must last; the rest fits tests of many services on a small machine.
fn config(place: &Place) -> String {
    format!(
        "listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server-key.pem'
max_connections = 400
shared_buffers = '128MB'
max_wal_size = '512MB'
fsync = on
synchronous_commit = on
log_min_messages = fatal
log_min_error_statement = panic
",
        port = place.port(KIND.port),
    )
}

/// A cluster whose texts sort by language, so that whoever relies on bytes has to say so.
fn initialise(place: &Place, data: &Path, is_root: bool) -> anyhow::Result<()> {
    let password = place.folder(KIND.name).join("password");
    fs::write(&password, &place.password)?;
    let args = as_owner(is_root, &programs()?.join("initdb"));
    let (program, args) = args.split_first().context("a program")?;
    let result = workspace::run(
        Command::new(program)
            .args(args)
            .arg("-D")
            .arg(data)
            .args([
                "--username",
                USER,
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
            ])
            .args([
                "--locale",
                "C.UTF-8",
                "--locale-provider",
                "icu",
                "--icu-locale",
                "en",
            ])
            .arg("--pwfile")
            .arg(&password)
            .current_dir("/"),
    );
    fs::remove_file(&password)?;
    result
}

/// Where Debian puts the programs of the newest version.
fn programs() -> anyhow::Result<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .context("PostgreSQL's programs are missing (Debian: postgresql)")?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let (_, newest) = versions
        .pop()
        .context("there is no version of PostgreSQL")?;
    Ok(newest)
}

/// User and group of the data, if this runs as root.
fn owner(folder: &Path) -> anyhow::Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let fields = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&SYSTEM_USER))
        .context("there is no user called postgres")?;
    let number = |index: usize| -> anyhow::Result<u32> {
        let field = fields.get(index).context("a short line in /etc/passwd")?;
        Ok(field.parse()?)
    };
    let closed = folder
        .ancestors()
        .find(|above| fs::metadata(above).is_ok_and(|above| above.mode() & 0o001 == 0));
    if let Some(closed) = closed {
        anyhow::bail!(
            "the user postgres cannot enter {}; allow it, or run this as another user than root",
            closed.display()
        );
    }
    Ok(Some((number(2)?, number(3)?)))
}

fn as_owner(is_root: bool, program: &Path) -> Vec<String> {
    let mut command = Vec::new();
    if is_root {
        command.extend([
            "setpriv",
            "--reuid",
            SYSTEM_USER,
            "--regid",
            SYSTEM_USER,
            "--init-groups",
        ]);
    }
    let mut command: Vec<_> = command.into_iter().map(str::to_owned).collect();
    command.push(program.display().to_string());
    command
}

/// A start packet for a user; a request for the password comes back, or an error while it is starting.
fn answers(_: &Place, stream: &mut TcpStream) -> io::Result<bool> {
    let mut packet = vec![0, 3, 0, 0];
    packet.extend_from_slice(b"user\0pasar\0database\0postgres\0\0");
    let length = u32::try_from(packet.len() + 4).unwrap_or_default();
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&packet)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer == [b'R'])
}

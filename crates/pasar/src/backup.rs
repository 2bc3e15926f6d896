//! `pasar backup`: copies all databases of a data folder as they were at one moment, also while they are written.
//!
//! Nothing is ever written over, and what is not whole is not where a backup would be: it is made beside its place
//! and renamed once everything in it was read again.

pub(crate) mod keys;
pub(crate) mod manifest;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use pasar_chassis::keyring;
use pasar_store::{
    backup::{self, Moment, Source, Still},
    clock::{Clock as _, SystemClock},
    crash::{self, CrashPoint},
    follower::Position,
};

use self::manifest::{Copied, CopiedFile, Keys, Manifest};
use crate::{
    cli::Data,
    config::Config,
    databases::{DATABASES, Database},
    durable::{self, Content},
    keyring_text, lock, progress,
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder to make for the backup; it must not be there yet
    to: PathBuf,
    /// Leave out the keyring, which opens what is sealed in the databases; keep it elsewhere
    #[arg(long)]
    without_keys: bool,
    #[command(flatten)]
    data: Data,
    /// Configuration file, as `pasar up` has it
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
}

const PAGE_KIB: u64 = 4;

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(args.config)?;
    ensure!(
        !config.database.databases()?.are_on_server(),
        "the databases are on a server: back them up with its own tools (pg_dump, or a base backup with its log); \
         docs/backup.md has the commands"
    );
    let (data, to) = (args.data.data, args.to);
    lock::refuse_unfinished(&data)?;
    ensure!(
        !data.join(manifest::FILE_NAME).exists(),
        "{} is a backup itself; copy the folder as it is",
        data.display()
    );
    let databases: Vec<Database> = DATABASES
        .into_iter()
        .filter(|database| database.is_in(&data))
        .collect();
    ensure!(
        !databases.is_empty(),
        "there are no databases in {}; name the data folder with --data",
        data.display()
    );
    let partial = place_beside(&to)?;
    let made = make(&data, &databases, &partial, args.without_keys)
        .and_then(|made| put_in_place(&partial, &to).map(|()| made));
    let (moment, has_keys) = made.inspect_err(|_| {
        // It is of this run alone; what cannot be removed is named by the next.
        let _ = fs::remove_dir_all(&partial);
    })?;
    let names: Vec<_> = databases.iter().map(|database| database.name).collect();
    println!(
        "{} of one moment are in {}; writing waited for {:.1} ms",
        names.join(", "),
        to.display(),
        moment.pause_ms
    );
    println!("{}", said_of_keys(has_keys));
    Ok(ExitCode::SUCCESS)
}

/// When the databases were held still, and for how long.
struct Taken {
    at: pasar_types::time::Timestamp,
    pause_ms: f64,
}

/// Fills the folder; answers the moment, and whether the keys are part of it.
fn make(
    data: &Path,
    databases: &[Database],
    partial: &Path,
    without_keys: bool,
) -> anyhow::Result<(Taken, bool)> {
    let (moment, copies) = copy_all(data, databases, partial)?;
    let keys = copy_keys(data, partial, without_keys)?;
    let has_keys = keys.keyring.is_some();
    let copied = examine(databases, &copies, partial)?;
    Manifest::new(moment.at, copied, keys).write(partial)?;
    Ok((moment, has_keys))
}

/// Where a backup is made until it is whole.
fn place_beside(to: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        !to.exists(),
        "{} is there already, and a backup writes over nothing; name another folder",
        to.display()
    );
    let name = to
        .file_name()
        .with_context(|| format!("{} names no folder", to.display()))?;
    let mut unfinished = name.to_owned();
    unfinished.push(".unfinished");
    let partial = to.with_file_name(unfinished);
    ensure!(
        !partial.exists(),
        "{} is left of a backup that did not finish; remove it, then try again",
        partial.display()
    );
    lock::create_private(&partial).with_context(|| {
        format!(
            "cannot make {}; name a folder where this user may write",
            partial.display()
        )
    })?;
    Ok(partial)
}

fn copy_all(
    data: &Path,
    databases: &[Database],
    partial: &Path,
) -> anyhow::Result<(Taken, Vec<Position>)> {
    let paths: Vec<PathBuf> = databases
        .iter()
        .map(|database| data.join(database.file()))
        .collect();
    let named: Vec<Source<'_>> = databases
        .iter()
        .zip(&paths)
        .map(|(database, file)| Source {
            service: database.service,
            file,
            migrations: database.migrations,
        })
        .collect();
    let clock = SystemClock;
    let Moment { stills, pause } = backup::hold_still(&named, &clock)?;
    let taken = Taken {
        at: clock.now(),
        pause_ms: pause.as_secs_f64() * 1e3,
    };
    let mut stand = Vec::new();
    for (database, still) in databases.iter().zip(stills) {
        stand.push(still.stands());
        copy(*database, still, partial)?;
        crash::at(CrashPoint::BackupCopied);
    }
    Ok((taken, stand))
}

fn copy(database: Database, still: Still, partial: &Path) -> anyhow::Result<()> {
    let to = partial.join(database.file());
    durable::create(&to).with_context(|| format!("cannot write {}", to.display()))?;
    let shown = progress::spinner(format!("copying {}", database.name));
    still.copy_to(&to, |left| {
        let left = left * PAGE_KIB / 1024;
        shown.set_message(format!("copying {}: {left} MiB left", database.name));
    })?;
    shown.finish_and_clear();
    Ok(())
}

/// Reads every copy again: whether the database is sound, and stands where it stood.
fn examine(
    databases: &[Database],
    stand: &[Position],
    partial: &Path,
) -> anyhow::Result<Vec<Copied>> {
    let mut copied = Vec::new();
    for (database, stood) in databases.iter().zip(stand) {
        let shown = progress::spinner(format!("checking {}", database.name));
        let path = partial.join(database.file());
        let stands = backup::examine(database.service, &path)?;
        ensure!(
            stands == *stood,
            "the copy of {} stands elsewhere than the database; report this as a bug",
            database.name
        );
        let content = Content::of(&path)?;
        shown.finish_and_clear();
        copied.push(Copied {
            name: database.name.to_owned(),
            epoch: stands.epoch,
            head: stands.sequence,
            file: CopiedFile::new(database.file(), content),
        });
    }
    Ok(copied)
}

fn copy_keys(data: &Path, partial: &Path, without: bool) -> anyhow::Result<Keys> {
    let Some(at_hand) = keys::at_hand(data)? else {
        return Ok(Keys::default());
    };
    let from = data.join(keyring::FILE_NAME);
    let is_file = keyring_text::given()?.is_none();
    let keyring = match is_file && !without {
        true => {
            let content = durable::copy(&from, &partial.join(keyring::FILE_NAME))
                .with_context(|| format!("cannot copy {}", from.display()))?;
            Some(CopiedFile::new(keyring::FILE_NAME.to_owned(), content))
        }
        false => None,
    };
    Ok(Keys {
        marks: keys::marks(&at_hand),
        keyring,
    })
}

fn put_in_place(partial: &Path, to: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot rename {} to {}", partial.display(), to.display());
    durable::sync_folder(partial).with_context(failed)?;
    fs::rename(partial, to).with_context(failed)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    durable::sync_folder(parent.unwrap_or(Path::new("."))).with_context(failed)
}

const fn said_of_keys(has_keys: bool) -> &'static str {
    if has_keys {
        "The keyring is among them: whoever has this folder can open what is sealed in the databases. Keep it as you \
         keep the keys, or back up with --without-keys."
    } else {
        "The keyring is not among them: keep it elsewhere, as nothing else opens what is sealed in the databases."
    }
}

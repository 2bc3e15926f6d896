//! `pasar restore`: puts databases of a backup where they belong, each in an epoch of its own, so that whoever has
//! followed further than they go now notices.

mod followers;
mod install;
mod mark;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use pasar_contracts::event::Service;
use pasar_store::lineage::Lineage;

use self::install::Installation;
use crate::{
    backup::{
        keys,
        manifest::{Copied, CopiedFile, Manifest},
    },
    cli::Data,
    config::Config,
    databases::Database,
    lock::{self, DataLock},
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder that `pasar backup` made
    #[arg(required_unless_present = "mark", conflicts_with = "mark")]
    from: Option<PathBuf>,
    /// The database of this service alone; may be given several times [default: all that there are]
    #[arg(long, value_name = "NAME")]
    only: Vec<Service>,
    /// Move databases that are there already into a folder beside them, instead of refusing
    #[arg(long, conflicts_with = "mark")]
    replace: bool,
    /// Restore although the keys that opened what is sealed in the databases are not there
    #[arg(long, conflicts_with = "mark")]
    without_keys: bool,
    /// Restore nothing: begin a new epoch in databases that something else has restored
    #[arg(long)]
    mark: bool,
    #[command(flatten)]
    data: Data,
    /// Configuration file, as `pasar up` has it
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
}

/// A database that was put back, and its feed's new epoch.
struct Restored {
    database: Database,
    lineage: Lineage,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(args.config)?;
    let databases = config.database.databases()?;
    let (data, only) = (args.data.data, args.only);
    ensure!(
        !only.contains(&Service::Gateway),
        "the gateway has no database; name services that have one"
    );
    let restored = match args.from {
        None => mark::run(&databases, &data, &only)?,
        Some(_) if databases.are_on_server() => bail!(
            "the databases are on a server: restore them with its own tools, then run `pasar restore --mark`; \
             docs/backup.md has the commands"
        ),
        Some(from) => restore(&from, &data, &only, args.replace, args.without_keys)?,
    };
    followers::tell(&databases, &data, &restored);
    Ok(ExitCode::SUCCESS)
}

fn restore(
    from: &Path,
    data: &Path,
    only: &[Service],
    replace: bool,
    without_keys: bool,
) -> anyhow::Result<Vec<Restored>> {
    let manifest = Manifest::read(from)?;
    let chosen = choose(&manifest, from, only)?;
    for (_, copied) in &chosen {
        copied.file.verify(from)?;
    }
    let keyring = keyring_to_install(&manifest, from, data, without_keys)?;
    let names = chosen.iter().map(|(database, _)| database.name);
    let _locks: Vec<DataLock> = names
        .clone()
        .map(|name| DataLock::take_for_restore(data, name))
        .collect::<anyhow::Result<_>>()?;
    let unfinished: BTreeSet<String> = lock::unfinished(data)?;
    let left_out: Vec<_> = unfinished
        .iter()
        .filter(|name| !names.clone().any(|chosen| chosen == **name))
        .collect();
    ensure!(
        left_out.is_empty(),
        "an earlier restore into {} did not finish; restore {left_out:?} too",
        data.display()
    );
    if !replace && unfinished.is_empty() {
        refuse_what_is_there(data, &chosen)?;
    }
    let installation = Installation::new(data);
    let restored = installation.stage(from, &chosen)?;
    let keyring = keyring.map(|keyring| (from, keyring));
    let aside = installation.finish(&restored, keyring)?;
    let names: Vec<_> = names.collect();
    println!(
        "{} as of {} are in {}",
        names.join(", "),
        manifest.made_at,
        data.display()
    );
    if let Some(aside) = aside {
        println!(
            "what was there is in {}; remove it once nothing of it is needed",
            aside.display()
        );
    }
    Ok(restored)
}

/// What of the backup is meant.
fn choose<'m>(
    manifest: &'m Manifest,
    from: &Path,
    only: &[Service],
) -> anyhow::Result<Vec<(Database, &'m Copied)>> {
    let all = manifest.databases.iter().map(|copied| {
        let database = Database::named(&copied.name).context("the manifest was read")?;
        Ok::<_, anyhow::Error>((database, copied))
    });
    let mut chosen: Vec<_> = all.collect::<Result<_, _>>()?;
    for service in only {
        ensure!(
            chosen
                .iter()
                .any(|(database, _)| database.name == service.as_str()),
            "{} has no database of {service}",
            from.display()
        );
    }
    // The sandbox plays a provider: it is not put back with one service.
    chosen.retain(|(database, _)| {
        only.is_empty() || (only.contains(&database.service) && !database.is_sandbox())
    });
    ensure!(!chosen.is_empty(), "{} holds no database", from.display());
    Ok(chosen)
}

/// The backup's keyring, if there is none yet. Otherwise what is there must open what is sealed.
fn keyring_to_install<'m>(
    manifest: &'m Manifest,
    from: &Path,
    data: &Path,
    without_keys: bool,
) -> anyhow::Result<Option<&'m CopiedFile>> {
    let needed = &manifest.keys.marks;
    if let Some(at_hand) = keys::at_hand(data)? {
        let marks = keys::marks(&at_hand);
        ensure!(
            without_keys || needed.iter().all(|mark| marks.contains(mark)),
            "the keyring at {} (or PASAR_KEYRING) is not the one of the backup, and would not open what is sealed in \
             it; put the right one there, or say --without-keys",
            data.display()
        );
        return Ok(None);
    }
    if without_keys {
        return Ok(None);
    }
    match &manifest.keys.keyring {
        Some(keyring) => {
            keyring.verify(from)?;
            Ok(Some(keyring))
        }
        None if needed.is_empty() => Ok(None),
        None => bail!(
            "the backup was made without keys, and there are none here; put keyring.json into {} (mode 0600) or set \
             PASAR_KEYRING, or say --without-keys",
            data.display()
        ),
    }
}

fn refuse_what_is_there(data: &Path, chosen: &[(Database, &Copied)]) -> anyhow::Result<()> {
    let there = chosen
        .iter()
        .flat_map(|(database, _)| install::files_of(data, *database))
        .find(|path| path.exists());
    match there {
        None => Ok(()),
        Some(path) => bail!(
            "{} is there already; name an empty folder with --data, or say --replace, which moves it aside",
            path.display()
        ),
    }
}

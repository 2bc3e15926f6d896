//! Steps of a schema, each run once and in order, the store's own before the service's.

use pasar_types::time::Timestamp;

use crate::{engine::Connection, fault::Fault};

/// One step. Its name is recorded; its text never changes after a release.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub name: &'static str,
    pub sql: &'static str,
}

/// What became of a database that was brought to the newest schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// How many steps it took.
    pub steps: usize,
    /// It had none before.
    pub is_new: bool,
}

const OWN: &[Migration] = &[
    Migration {
        name: "store/0001_store",
        sql: include_str!("../migrations/0001_store.sql"),
    },
    Migration {
        name: "store/0002_instances",
        sql: include_str!("../migrations/0002_instances.sql"),
    },
    Migration {
        name: "store/0003_forks",
        sql: include_str!("../migrations/0003_forks.sql"),
    },
    Migration {
        name: "store/0004_trimmed",
        sql: include_str!("../migrations/0004_trimmed.sql"),
    },
    Migration {
        name: "store/0005_members",
        sql: include_str!("../migrations/0005_members.sql"),
    },
];

/// Brings a database to the newest schema, one instance at a time. Refuses one that a newer version has migrated.
pub(crate) fn run(
    connection: &Connection,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<Migrated, Fault> {
    connection.begin_alone()?;
    match run_missing(connection, migrations, now) {
        Ok(migrated) => connection.commit().map(|()| migrated),
        Err(fault) => {
            connection.rollback()?;
            Err(fault)
        }
    }
}

/// Fails unless a database has exactly the steps of this version.
pub(crate) fn verify(connection: &Connection, migrations: &[Migration]) -> Result<(), Fault> {
    let applied = applied(connection)?;
    refuse_unknown(&applied, migrations)?;
    match steps(migrations).find(|step| !applied.iter().any(|name| name == step.name)) {
        Some(missing) => Err(Fault::Corrupt(format!(
            "the database lacks step {}; run `pasar migrate`, or start this version once, which adds it",
            missing.name
        ))),
        None => Ok(()),
    }
}

fn run_missing(
    connection: &Connection,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<Migrated, Fault> {
    connection.ensure_schema()?;
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration (
             name TEXT PRIMARY KEY, position BIGINT NOT NULL, applied_at BIGINT NOT NULL)",
        &[],
    )?;
    let applied = applied(connection)?;
    refuse_unknown(&applied, migrations)?;
    let mut steps_taken = 0;
    for (position, step) in steps(migrations).enumerate() {
        if applied.iter().any(|name| name == step.name) {
            continue;
        }
        tracing::debug!(step = step.name, "migrating");
        connection.run_migration(step.sql)?;
        connection.execute(
            "INSERT INTO migration (name, position, applied_at) VALUES (?1, ?2, ?3)",
            &[
                &step.name,
                &i64::try_from(position).unwrap_or(i64::MAX),
                &now,
            ],
        )?;
        steps_taken += 1;
    }
    Ok(Migrated {
        steps: steps_taken,
        is_new: applied.is_empty(),
    })
}

fn steps(migrations: &[Migration]) -> impl Iterator<Item = &Migration> {
    OWN.iter().chain(migrations)
}

fn applied(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut applied = Vec::new();
    connection.query("SELECT name FROM migration ORDER BY position", &[], |row| {
        if let crate::value::ValueRef::Text(name) = row.value(0)? {
            applied.push(name.to_owned());
        }
        Ok(true)
    })?;
    Ok(applied)
}

/// Fails if a database has steps, and none of these.
pub(crate) fn refuse_another(
    connection: &Connection,
    migrations: &[Migration],
) -> Result<(), Fault> {
    let applied = applied(connection)?;
    match another(&applied, migrations) {
        Some(step) => Err(is_another(step)),
        None => Ok(()),
    }
}

fn refuse_unknown(applied: &[String], migrations: &[Migration]) -> Result<(), Fault> {
    if let Some(step) = another(applied, migrations) {
        return Err(is_another(step));
    }
    match applied
        .iter()
        .find(|name| !steps(migrations).any(|step| step.name == **name))
    {
        Some(unknown) => Err(Fault::Corrupt(format!(
            "the database has step {unknown}, which this version does not know; use the newer version"
        ))),
        None => Ok(()),
    }
}

/// A step of what the database is, where it is something else: whatever the version, the first step stays.
fn another<'a>(applied: &'a [String], migrations: &[Migration]) -> Option<&'a str> {
    let first = migrations.first()?;
    let is_of_store = |name: &str| name.starts_with("store/");
    let mut others = applied.iter().filter(|name| !is_of_store(name));
    match applied.iter().any(|name| name == first.name) {
        true => None,
        false => others.next().map(String::as_str),
    }
}

/// Steps are called `0001_users`, or `sandbox/0001_books`.
fn is_another(step: &str) -> Fault {
    let owner = match step.split_once('/') {
        Some((owner, _)) => owner,
        None => step.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '_'),
    };
    Fault::Corrupt(format!(
        "this is the database of {owner}, as it has step {step}; put the right one in its place"
    ))
}

//! Steps of a schema, each run once and in order, the store's own before the service's.

use pasar_types::time::Timestamp;

use crate::{engine::Connection, fault::Fault};

/// One step. Its name is recorded; its text never changes after a release.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub name: &'static str,
    pub sql: &'static str,
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
/// Answers how many steps it took.
pub(crate) fn run(
    connection: &Connection,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<usize, Fault> {
    connection.begin_alone()?;
    match run_missing(connection, migrations, now) {
        Ok(taken) => connection.commit().map(|()| taken),
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
) -> Result<usize, Fault> {
    connection.ensure_schema()?;
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration (
             name TEXT PRIMARY KEY, position BIGINT NOT NULL, applied_at BIGINT NOT NULL)",
        &[],
    )?;
    let applied = applied(connection)?;
    refuse_unknown(&applied, migrations)?;
    let mut taken = 0;
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
        taken += 1;
    }
    Ok(taken)
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

fn refuse_unknown(applied: &[String], migrations: &[Migration]) -> Result<(), Fault> {
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

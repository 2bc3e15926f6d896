//! Of backups, and of what is restored from them.

use super::Bug;

pub(super) const BUGS: [Bug; 2] = [
    Bug {
        name: "backup-of-many-moments",
        what: "the databases of a backup are read one after the other, while they are written",
        file: "crates/pasar-store/src/backup.rs",
        changes: &[
            (
                "        let stills: Result<Vec<_>, _> = readers\n",
                "        release(&writers)?;\n        let stills: Result<Vec<_>, _> = readers\n",
            ),
            (
                ".map(|(service, reader)| Still::open(service, reader))",
                ".map(|(service, reader)| {\n                    wait(REST);\n                    Still::open(service, reader)\n                })",
            ),
            (
                "        release(&writers)?;\n        return Ok(Moment {",
                "        return Ok(Moment {",
            ),
        ],
        package: "pasar",
        on_postgres: false,
        caught_by: "backup::backups_of_a_system_under_load",
    },
    Bug {
        name: "restore-in-the-same-epoch",
        what: "a database that was put back looks to its followers as if it had gone on",
        file: "crates/pasar-store/src/lineage.rs",
        changes: &[(
            "SET parent = epoch, forked_at = ?1, epoch = ?2",
            "SET parent = epoch, forked_at = ?1, epoch = CASE WHEN ?2 = ?2 THEN epoch END",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "backup::followers::",
    },
];

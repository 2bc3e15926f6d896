//! Steps of a schema after the first only add: instances of the version before go on beside those of the new one,
//! on the same database.

use std::collections::BTreeSet;

const FIRST: &str = "0001_";

/// What is wrong with a step, if it is one.
pub(crate) fn complaints(name: &str, text: &str) -> Vec<String> {
    let is_step = name.contains("/migrations/") && name.ends_with(".sql");
    let file = name.rsplit('/').next().unwrap_or_default();
    if !is_step || file.starts_with(FIRST) {
        return Vec::new();
    }
    let mut made = BTreeSet::new();
    let statements = statements(text);
    let refused = statements
        .iter()
        .filter(|statement| !adds(statement, &mut made));
    refused
        .map(|statement| {
            format!("{name}: an instance of the version before may not bear this: {statement}")
        })
        .collect()
}

/// Whether somebody who does not know of it goes on as before. `made` are the tables of this step.
fn adds<'s>(statement: &'s str, made: &mut BTreeSet<&'s str>) -> bool {
    let words: Vec<&str> = statement.split_whitespace().collect();
    match words.as_slice() {
        ["CREATE", "TABLE", table, ..] => {
            made.insert(table);
            true
        }
        ["CREATE", "INDEX", ..] => true,
        ["CREATE", "UNIQUE", "INDEX", _, "ON", table, ..] => {
            made.contains(table.split('(').next().unwrap_or_default())
        }
        ["INSERT", "INTO", table, ..] => made.contains(table),
        ["ALTER", "TABLE", _, "ADD", "COLUMN", ..] => {
            !statement.contains("NOT NULL") || statement.contains(" DEFAULT ")
        }
        _ => false,
    }
}

fn statements(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let code: Vec<&str> = lines.collect();
    let code = code.join("\n");
    let statements = code.split(';').map(|statement| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        words.join(" ")
    });
    statements
        .filter(|statement| !statement.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &str = "crates/pasar-x/migrations/0002_more.sql";

    #[test]
    fn what_adds_is_fine() {
        for step in [
            "-- Why.\nALTER TABLE a ADD COLUMN b BIGINT NOT NULL DEFAULT 0;",
            "ALTER TABLE a ADD COLUMN b TEXT;",
            "CREATE TABLE c (d TEXT); CREATE UNIQUE INDEX e ON c (d);\nINSERT INTO c VALUES ('x');",
            "CREATE INDEX f ON a (b);",
        ] {
            assert_eq!(complaints(STEP, step), Vec::<String>::new(), "{step}");
        }
    }

    #[test]
    fn what_takes_or_demands_is_refused() {
        for step in [
            "DROP TABLE a;",
            "ALTER TABLE a DROP COLUMN b;",
            "ALTER TABLE a RENAME COLUMN b TO c;",
            "ALTER TABLE a ADD COLUMN b BIGINT NOT NULL;",
            "CREATE UNIQUE INDEX b ON a (c);",
            "UPDATE a SET b = 1;",
            "INSERT INTO a VALUES (1);",
        ] {
            assert_eq!(complaints(STEP, step).len(), 1, "{step}");
        }
    }

    #[test]
    fn the_first_step_has_nobody_before_it() {
        let first = STEP.replace("0002_more", "0001_first");
        assert!(complaints(&first, "DROP TABLE a;").is_empty());
    }
}

//! All rows of a service's tables as text, and what changed between two looks.

use std::fmt::Write;

use pasar_store::{
    fault::Fault,
    store::Store,
    tx::Tx,
    value::{FromValue, ValueRef},
};

use crate::fresh::is_on_server;

/// The rows of all tables that are not the store's own; timers and effects included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<String>);

/// What the store keeps for itself. Events are shown beside the rows.
const BOOKKEEPING: [&str; 10] = [
    "feed",
    "feed_head",
    "follower_position",
    "idempotency",
    "lease",
    "lease_beat",
    "member",
    "migration",
    "parked",
    "store_meta",
];

impl Rows {
    /// # Panics
    /// If the tables cannot be read.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        store
            .read_now(|tx| {
                let mut rows = Vec::new();
                for table in tables(tx)? {
                    rows.extend(table_rows(tx, &table)?);
                }
                Ok(Self(rows))
            })
            .expect("the tables can be read")
    }

    /// One line a row.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// What is gone (`- ..`) and what is new (`+ ..`). A changed row is both.
    #[must_use]
    pub fn changes_to(&self, after: &Self) -> Vec<String> {
        let mut gone: Vec<_> = self.0.clone();
        let mut new = Vec::new();
        for row in &after.0 {
            match gone.iter().position(|before| before == row) {
                Some(same) => {
                    gone.swap_remove(same);
                }
                None => new.push(format!("+ {row}")),
            }
        }
        gone.sort();
        let gone = gone.into_iter().map(|row| format!("- {row}"));
        gone.chain(new).collect()
    }
}

fn tables(tx: &Tx<'_>) -> Result<Vec<String>, Fault> {
    let sql = if is_on_server() {
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
         WHERE table_schema = current_schema() ORDER BY CAST(table_name AS TEXT) COLLATE \"C\""
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    };
    let mut tables = tx.query_all(sql, &[], |row| row.get::<String>(0))?;
    tables.retain(|table| !BOOKKEEPING.contains(&table.as_str()));
    Ok(tables)
}

fn table_rows(tx: &Tx<'_>, table: &str) -> Result<Vec<String>, Fault> {
    let sql = if is_on_server() {
        "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = ?1 ORDER BY ordinal_position"
    } else {
        "SELECT name FROM pragma_table_info(?1) ORDER BY cid"
    };
    let columns = tx.query_all(sql, &[&table], |row| row.get::<String>(0))?;
    // Statements are static so that they are prepared once; a test may leak a few.
    let sql = format!("SELECT * FROM \"{table}\"{}", order(tx, table)?).leak();
    tx.query_all(sql, &[], |row| {
        let mut line = table.to_owned();
        for (index, column) in columns.iter().enumerate() {
            let Cell(value) = row.get(index)?;
            if let Some(value) = value {
                // Writing into a string cannot fail.
                let _ = write!(line, " {column}={value}");
            }
        }
        Ok(line)
    })
}

/// By primary key, as SQLite gives them by itself.
fn order(tx: &Tx<'_>, table: &str) -> Result<String, Fault> {
    if !is_on_server() {
        return Ok(String::new());
    }
    let columns = tx.query_all(
        "SELECT CAST(a.attname AS TEXT)
         FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
         WHERE i.indrelid = CAST(quote_ident(?1) AS regclass) AND i.indisprimary
         ORDER BY array_position(CAST(i.indkey AS int2[]), a.attnum)",
        &[&table],
        |row| row.get::<String>(0),
    )?;
    Ok(format!(" ORDER BY {}", columns.join(", ")))
}

/// Any value; `None` for NULL, which a row does not show.
struct Cell(Option<String>);

impl FromValue for Cell {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        Ok(Self(match value {
            ValueRef::Null => None,
            ValueRef::Int(number) => Some(number.to_string()),
            ValueRef::Text(text) => Some(format!("{text:?}")),
            ValueRef::Blob(bytes) => Some(bytes.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })),
        }))
    }
}

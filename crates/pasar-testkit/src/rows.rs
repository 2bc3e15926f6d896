//! All rows of a service's tables as text, and what changed between two looks.

use std::fmt::Write;

use pasar_store::{
    fault::Fault,
    store::Store,
    tx::Tx,
    value::{FromValue, ValueRef},
};

/// The rows of all tables that are not the store's own; timers and effects included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<String>);

/// What the store keeps for itself. Events are shown beside the rows.
const BOOKKEEPING: [&str; 9] = [
    "feed",
    "feed_head",
    "follower_position",
    "idempotency",
    "lease",
    "lease_beat",
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
    let mut tables = tx.query_all(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        &[],
        |row| row.get::<String>(0),
    )?;
    tables.retain(|table| !BOOKKEEPING.contains(&table.as_str()));
    Ok(tables)
}

fn table_rows(tx: &Tx<'_>, table: &str) -> Result<Vec<String>, Fault> {
    let columns = tx.query_all(
        "SELECT name FROM pragma_table_info(?1) ORDER BY cid",
        &[&table],
        |row| row.get::<String>(0),
    )?;
    // Statements are static so that they are prepared once; a test may leak a few.
    let sql = format!("SELECT * FROM \"{table}\"").leak();
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

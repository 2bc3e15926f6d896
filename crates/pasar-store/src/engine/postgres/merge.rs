//! A statement for one row as a statement for many: its arguments become lists, which the server joins to the table.
//! Only plain shapes are taken, those in which the rows cannot see each other.

use std::{borrow::Cow, fmt::Write as _};

use super::script;

/// What of a statement decides whether its rows may wait for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) table: &'static str,
    pub(super) inserts: bool,
}

/// What a row of arguments is called in the statement for many.
const ROW: &str = "each";

/// `= ?1`
const FIRST_NAMES_A_ROW: [&str; 3] = ["=", "?", "1"];
/// Words with which a statement does more than to write the row of its arguments.
const NOT_PLAIN: [&str; 5] = ["SELECT", "RETURNING", "UPDATE", "WITH", "DEFAULT"];

impl Shape {
    /// `None` for what is only run row by row.
    pub(super) fn of(sql: &'static str) -> Option<Self> {
        let words = script::words(sql);
        let (table, inserts, rest) = match words.as_slice() {
            ["INSERT", "INTO", table, rest @ ..] => (table, true, rest),
            ["UPDATE", table, "SET", rest @ ..] | ["DELETE", "FROM", table, rest @ ..] => {
                (table, false, rest)
            }
            _ => return None,
        };
        let is_plain = rest.iter().all(|word| !NOT_PLAIN.contains(word));
        let is_split = if inserts {
            let (_, values) = split(rest, "VALUES")?;
            // What follows the values cannot name them.
            let after = values.iter().rposition(|word| *word == "CONFLICT");
            after.is_none_or(|after| !values[after..].contains(&"?"))
        } else {
            // Rows are told apart by the first argument.
            let (_, condition) = split(rest, "WHERE")?;
            condition.windows(3).any(|words| words == FIRST_NAMES_A_ROW)
        };
        (is_plain && is_split).then_some(Self { table, inserts })
    }
}

/// Whether a text names a table.
pub(super) fn mentions(sql: &str, table: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    sql.match_indices(table).any(|(at, _)| {
        let (before, after) = (&sql.as_bytes()[..at], &sql.as_bytes()[at + table.len()..]);
        !is_part(before.last()) && !is_part(after.first())
    })
}

/// The statement that takes a list for each of so many arguments.
pub(super) fn for_many(sql: &'static str, arguments: usize) -> Option<String> {
    let words = script::words(sql);
    let lists = lists(arguments);
    let mut text = String::with_capacity(sql.len() + lists.len() + 64);
    match words.as_slice() {
        ["INSERT", ..] => {
            let (into, values) = split(&words, "VALUES")?;
            let (values, after) = match values.iter().position(|word| *word == "ON") {
                Some(at) => values.split_at(at),
                None => (values, &[][..]),
            };
            write_words(&mut text, into);
            text.push_str("SELECT given.* FROM ");
            text.push_str(&lists);
            text.push_str(" CROSS JOIN LATERAL (VALUES ");
            write_words(&mut text, values);
            text.push_str(") AS given ");
            write_words(&mut text, after);
        }
        ["UPDATE", ..] => {
            let (set, condition) = split(&words, "WHERE")?;
            write_words(&mut text, set);
            let _ = write!(text, "FROM {lists} WHERE ");
            write_words(&mut text, condition);
        }
        ["DELETE", ..] => {
            let (from, condition) = split(&words, "WHERE")?;
            write_words(&mut text, from);
            let _ = write!(text, "USING {lists} WHERE ");
            write_words(&mut text, condition);
        }
        _ => return None,
    }
    Some(text)
}

/// The query for all keys of a list, which is its first argument.
pub(super) fn among(sql: &'static str) -> Option<String> {
    let (before, after) = sql.split_once("= ?1")?;
    let is_another = after.starts_with(|next: char| next.is_ascii_digit());
    let text = format!("{before}= ANY (?1){after}");
    let numbered = script::numbered(&text).map(Cow::into_owned);
    numbered.filter(|_| !is_another)
}

/// `unnest($1, $2) AS each (p1, p2)`
fn lists(arguments: usize) -> String {
    let named = |prefix: &str| {
        let names: Vec<_> = (1..=arguments).map(|n| format!("{prefix}{n}")).collect();
        names.join(", ")
    };
    format!("unnest({}) AS {ROW} ({})", named("$"), named("p"))
}

fn split<'w>(
    words: &'w [&'static str],
    at: &str,
) -> Option<(&'w [&'static str], &'w [&'static str])> {
    let place = words.iter().position(|word| *word == at)?;
    Some((&words[..place], &words[place + 1..]))
}

fn write_words(text: &mut String, words: &[&str]) {
    for word in words {
        match *word {
            "?" => {
                text.push_str(ROW);
                text.push_str(".p");
            }
            word => {
                text.push_str(word);
                text.push(' ');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_for_one_row_becomes_one_for_many() {
        let insert = "INSERT INTO a (x, y, z) VALUES (?1, 0, -?2)
             ON CONFLICT (x) DO NOTHING";
        let update = "UPDATE a SET y = y + ?3, z = 'WHERE ?1' WHERE x = ?1 AND y >= ?2";
        let delete = "DELETE FROM a WHERE x = ?1";
        let of = |sql, arguments| for_many(sql, arguments).unwrap();
        assert_eq!(
            of(insert, 2),
            "INSERT INTO a ( x , y , z ) SELECT given.* FROM unnest($1, $2) AS each (p1, p2) \
             CROSS JOIN LATERAL (VALUES ( each.p1 , 0 , - each.p2 ) ) AS given \
             ON CONFLICT ( x ) DO NOTHING "
        );
        assert_eq!(
            of(update, 3),
            "UPDATE a SET y = y + each.p3 , z = 'WHERE ?1' FROM unnest($1, $2, $3) \
             AS each (p1, p2, p3) WHERE x = each.p1 AND y >= each.p2 "
        );
        assert_eq!(
            of(delete, 1),
            "DELETE FROM a USING unnest($1) AS each (p1) WHERE x = each.p1 "
        );
    }

    #[test]
    fn rows_that_could_see_each_other_are_not_merged() {
        for sql in [
            "UPDATE a SET x = x + ?1",
            "UPDATE a SET x = ?1 WHERE y = ?2",
            "DELETE FROM a WHERE x < ?1",
            "UPDATE a SET x = ?1 WHERE y = (SELECT MAX(y) FROM a)",
            "INSERT INTO a (x) VALUES (?1) RETURNING y",
            "INSERT INTO a (x) SELECT ?1",
            "INSERT INTO a (x) VALUES (?1) ON CONFLICT (x) DO UPDATE SET y = y + 1",
            "INSERT INTO a (x) VALUES (?1) ON CONFLICT (x) WHERE y > ?2 DO NOTHING",
            "SELECT x FROM a WHERE y = ?1",
        ] {
            assert_eq!(Shape::of(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_table_is_named_by_a_whole_word() {
        assert!(mentions("SELECT 1 FROM feed WHERE x = 1", "feed"));
        assert!(mentions("DELETE FROM a.feed", "feed"));
        assert!(!mentions("UPDATE feed_head SET head = 1", "feed"));
        assert!(!mentions("SELECT 1 FROM the_feed", "feed"));
    }

    #[test]
    fn a_query_for_one_key_becomes_one_for_many() {
        assert_eq!(
            among("SELECT a FROM b WHERE c = ?1 AND d > ?2").unwrap(),
            "SELECT a FROM b WHERE c = ANY ($1) AND d > $2"
        );
        assert_eq!(among("SELECT a FROM b WHERE c = ?10"), None);
        assert_eq!(among("SELECT a FROM b"), None);
    }
}

//! Reads a till's file: rows of `date,time,ticket,item` become tickets with lines and quantities.
//!
//! Reads all or nothing: a file with a bad row gives only the bad rows, each with its line number.

use std::{collections::BTreeMap, fmt};

use jiff::civil::{Date, DateTime, Time};
use pasar_contracts::api::orders::OrderLineInput;
use pasar_types::{quantity::Quantity, sku::Sku};
use sha2::{Digest as _, Sha256};

use crate::csv_lines::Lines;

/// Bytes of the file's hash that go into each idempotency key: 64 bits tell files apart.
const HASH_BYTES: usize = 8;

/// What a file holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Till {
    /// The start of the file's SHA-256, in hexadecimal.
    pub(super) file_hash: String,
    pub(super) rows: usize,
    pub(super) tickets: Vec<Ticket>,
    pub(super) skipped: Vec<Skipped>,
    /// Every item that is ordered, by the SKU that its name makes.
    pub(super) items: BTreeMap<Sku, String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ticket {
    pub(super) name: String,
    pub(super) at: DateTime,
    pub(super) lines: Vec<OrderLineInput>,
}

/// A ticket of which nothing is left to order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) name: String,
    /// The items it holds, which all were to be left out.
    pub(super) holds: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    line: u64,
    reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}

/// Where the four values stand in a row.
struct Columns {
    date: usize,
    time: usize,
    ticket: usize,
    item: usize,
}

/// A ticket while its rows come in.
struct Open {
    ticket: Ticket,
    left_out: Vec<String>,
}

pub(super) fn parse(bytes: &[u8], skip: &[String]) -> Result<Till, Vec<BadRow>> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text);
    let mut lines = Lines::new(text);
    let mut columns = Columns {
        date: 0,
        time: 1,
        ticket: 2,
        item: 3,
    };
    let mut open: Vec<Open> = Vec::new();
    // A till may start its numbers anew each day.
    let mut known: BTreeMap<(Date, String), usize> = BTreeMap::new();
    let mut till = Till::default();
    let mut bad = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                bad.push(unreadable(&error, &mut lines));
                continue;
            }
        };
        if index == 0
            && let Some(named) = header(&record)
        {
            columns = named;
            continue;
        }
        let line = lines.of(record.position());
        till.rows += 1;
        match row(&record, &columns) {
            Ok((at, name, item)) => {
                let place = *known.entry((at.date(), name.clone())).or_insert_with(|| {
                    let ticket = Ticket {
                        name,
                        at,
                        lines: Vec::new(),
                    };
                    open.push(Open {
                        ticket,
                        left_out: Vec::new(),
                    });
                    open.len() - 1
                });
                if let Err(reason) = open[place].add(item, skip, &mut till.items) {
                    bad.push(BadRow { line, reason });
                }
            }
            Err(reason) => bad.push(BadRow { line, reason }),
        }
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    for Open { ticket, left_out } in open {
        if ticket.lines.is_empty() {
            till.skipped.push(Skipped {
                name: ticket.name,
                holds: left_out,
            });
        } else {
            till.tickets.push(ticket);
        }
    }
    till.file_hash = Sha256::digest(bytes)[..HASH_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(till)
}

impl Ticket {
    /// The same for the same ticket of the same file, whoever sends it. Characters that a header does not
    /// carry are written as their code.
    pub(super) fn idempotency_key(&self, file_hash: &str) -> String {
        let mut key = format!("replay-{file_hash}-{}-", self.at.date());
        for byte in self.name.bytes() {
            if byte.is_ascii_graphic() && !matches!(byte, b'%' | b'"') {
                key.push(char::from(byte));
            } else {
                key.push_str(&format!("%{byte:02x}"));
            }
        }
        key
    }
}

impl Open {
    fn add(
        &mut self,
        item: &str,
        skip: &[String],
        items: &mut BTreeMap<Sku, String>,
    ) -> Result<(), String> {
        if skip.iter().any(|name| name.trim() == item) {
            if !self.left_out.iter().any(|known| known == item) {
                self.left_out.push(item.to_owned());
            }
            return Ok(());
        }
        let sku = Sku::slug(item).ok_or_else(|| {
            format!("no SKU can be made of the item {item:?}; leave it out with --skip")
        })?;
        items.entry(sku.clone()).or_insert_with(|| item.to_owned());
        let lines = &mut self.ticket.lines;
        let known = lines.iter_mut().find(|line| line.sku == sku);
        let count = known.as_ref().map_or(0, |line| line.quantity.get()) + 1;
        let quantity = Quantity::new(count).map_err(|error| error.to_string())?;
        match known {
            Some(line) => line.quantity = quantity,
            None => lines.push(OrderLineInput { sku, quantity }),
        }
        Ok(())
    }
}

/// The columns by name, if the first row holds names instead of a date.
fn header(record: &csv::StringRecord) -> Option<Columns> {
    let find = |names: &[&str]| {
        record
            .iter()
            .position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
    };
    Some(Columns {
        date: find(&["date"])?,
        time: find(&["time"])?,
        ticket: find(&["ticket", "transaction", "transactionno"])?,
        item: find(&["item", "items"])?,
    })
}

fn row<'r>(
    record: &'r csv::StringRecord,
    columns: &Columns,
) -> Result<(DateTime, String, &'r str), String> {
    let cell = |index: usize, what: &str| match record.get(index) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(format!("no {what}; expected date,time,ticket,item")),
    };
    let date = cell(columns.date, "date")?;
    let time = cell(columns.time, "time")?;
    let ticket = cell(columns.ticket, "ticket")?;
    let item = cell(columns.item, "item")?;
    let date = Date::strptime("%Y-%m-%d", date)
        .map_err(|_| format!("expected a date like 2016-10-30, got {date:?}"))?;
    let time = Time::strptime("%H:%M:%S", time)
        .or_else(|_| Time::strptime("%H:%M", time))
        .map_err(|_| format!("expected a time like 09:58:11, got {time:?}"))?;
    if ticket.len() > 100 {
        return Err("expected a ticket of at most 100 characters".to_owned());
    }
    Ok((date.to_datetime(time), ticket.to_owned(), item))
}

fn unreadable(error: &csv::Error, lines: &mut Lines<'_>) -> BadRow {
    let line = lines.of(error.position());
    let reason = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8; save the file as UTF-8".to_owned(),
        _ => error.to_string(),
    };
    BadRow { line, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip() -> Vec<String> {
        vec!["NONE".to_owned(), "Adjustment".to_owned()]
    }

    fn lines(ticket: &Ticket) -> Vec<(&str, i64)> {
        ticket
            .lines
            .iter()
            .map(|line| (line.sku.as_str(), line.quantity.get()))
            .collect()
    }

    #[test]
    fn rows_of_a_ticket_become_lines_and_repeats_become_quantities() {
        let file = b"2016-10-30,10:05:34,2,Scandinavian\r\n2016-10-30,10:05:34,2,Scandinavian\r\n\
            2016-10-30,10:07:57,3,Hot chocolate\r\n2016-10-30,10:05:34,2,Jam \r\n2016-10-30,10:07:57,3,NONE";
        let till = parse(file, &skip()).unwrap();
        assert_eq!(till.rows, 5);
        assert_eq!(till.tickets.len(), 2);
        assert_eq!(lines(&till.tickets[0]), [("scandinavian", 2), ("jam", 1)]);
        assert_eq!(lines(&till.tickets[1]), [("hot-chocolate", 1)]);
        assert_eq!(till.tickets[1].at.to_string(), "2016-10-30T10:07:57");
        assert_eq!(
            till.items.values().collect::<Vec<_>>(),
            ["Hot chocolate", "Jam", "Scandinavian"]
        );
        assert!(till.skipped.is_empty());
    }

    #[test]
    fn a_ticket_of_skipped_items_alone_is_skipped_and_says_what_it_holds() {
        let file = b"2016-10-30,10:05:34,2,NONE\n2016-10-30,10:05:34,2,Adjustment\n2016-10-30,10:05:34,2,NONE\n";
        let till = parse(file, &skip()).unwrap();
        assert!(till.tickets.is_empty());
        assert_eq!(
            till.skipped,
            [Skipped {
                name: "2".to_owned(),
                holds: vec!["NONE".to_owned(), "Adjustment".to_owned()]
            }]
        );
    }

    #[test]
    fn a_header_is_recognised_and_names_the_columns_in_any_order() {
        let file = b"Item,Transaction,Time,Date\nTea,7,09:00,2016-10-31\n";
        let till = parse(file, &[]).unwrap();
        assert_eq!(lines(&till.tickets[0]), [("tea", 1)]);
        assert_eq!(till.tickets[0].name, "7");
    }

    #[test]
    fn every_bad_row_is_named_with_its_line_and_nothing_else_comes_back() {
        let file = b"2016-10-30,10:05:34,2,Tea\n30.10.2016,10:05,3,Tea\n2016-10-30,10:05,4\n\n2016-10-30,10:05,5,''\n";
        let bad: Vec<String> = parse(file, &[])
            .unwrap_err()
            .iter()
            .map(BadRow::to_string)
            .collect();
        assert_eq!(
            bad,
            [
                "2: expected a date like 2016-10-30, got \"30.10.2016\"",
                "3: no item; expected date,time,ticket,item",
                "5: no SKU can be made of the item \"''\"; leave it out with --skip",
            ]
        );
    }

    #[test]
    fn text_that_is_not_utf8_is_a_bad_row() {
        let bad = parse(b"2016-10-30,10:05:34,2,Caf\xe9\n", &[]).unwrap_err();
        assert_eq!(bad[0].to_string(), "1: not UTF-8; save the file as UTF-8");
    }

    #[test]
    fn a_ticket_number_of_another_day_is_another_ticket() {
        let till = parse(
            b"2016-10-30,10:00:00,1,Tea\n2016-10-31,10:00:00,1,Tea\n",
            &[],
        )
        .unwrap();
        let keys: Vec<String> = till
            .tickets
            .iter()
            .map(|t| t.idempotency_key("ab"))
            .collect();
        assert_eq!(keys, ["replay-ab-2016-10-30-1", "replay-ab-2016-10-31-1"]);
    }

    #[test]
    fn a_key_holds_visible_ascii_only() {
        let at = Date::constant(2016, 10, 30).at(0, 0, 0, 0);
        let ticket = Ticket {
            name: "a b\"é".to_owned(),
            at,
            lines: Vec::new(),
        };
        assert_eq!(
            ticket.idempotency_key("ab"),
            "replay-ab-2016-10-30-a%20b%22%c3%a9"
        );
    }
}

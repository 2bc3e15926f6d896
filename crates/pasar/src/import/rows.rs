//! Reads a CSV file of products; gives all of them, or every bad row with its line.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use pasar_contracts::api::inventory::{ImportRow, MAX_IMPORT_ROWS};
use pasar_types::{
    money::{Currency, Money, TaxRate},
    quantity::Quantity,
    sku::Sku,
};
use sha2::{Digest as _, Sha256};

use crate::csv_lines::Lines;

const COLUMNS: &str = "sku, name, price, currency, tax_rate, category, track_stock, stock, or name_ and a language (name_id)";

#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) file_hash: String,
    pub(crate) products: Vec<Product>,
}

#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) line: u64,
    /// The row as the server takes it.
    pub(crate) row: ImportRow,
    /// None if nothing came in.
    pub(crate) stock: Option<Quantity>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    line: u64,
    reason: String,
}

/// Where each value stands, by the header.
#[derive(Default)]
struct Columns {
    by_name: HashMap<String, usize>,
    /// Language tag and column.
    names: Vec<(String, usize)>,
}

impl BadRow {
    pub(crate) fn new(line: u64, reason: String) -> Self {
        Self { line, reason }
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}

/// Rows there are at most, for a progress bar.
pub(crate) fn count(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count().saturating_sub(1)
}

/// `currency` is that of rows that name none; `step` is called once a row.
pub(crate) fn parse(
    bytes: &[u8],
    currency: Currency,
    stock: bool,
    step: impl Fn(),
) -> Result<Sheet, Vec<BadRow>> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text);
    let mut position = Lines::new(text);
    let header = reader
        .headers()
        .map_err(|error| vec![unreadable(&error, 1)])?;
    let columns = Columns::read(header, stock).map_err(|reason| vec![BadRow::new(1, reason)])?;
    let mut products: Vec<Product> = Vec::new();
    let mut lines: HashMap<Sku, u64> = HashMap::new();
    let mut bad = Vec::new();
    for record in reader.records() {
        step();
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                bad.push(unreadable(&error, position.of(error.position())));
                continue;
            }
        };
        let line = position.of(record.position());
        match columns.product(&record, line, currency) {
            Ok(product) => match lines.insert(product.row.sku.clone(), line) {
                Some(first) => bad.push(BadRow::new(
                    line,
                    format!("the SKU {} is in line {first} already", product.row.sku),
                )),
                None => products.push(product),
            },
            Err(reason) => bad.push(BadRow::new(line, reason)),
        }
    }
    if bad.is_empty() && products.is_empty() {
        bad.push(BadRow::new(2, "no product".to_owned()));
    }
    if products.len() > MAX_IMPORT_ROWS {
        bad.push(BadRow::new(
            1,
            format!(
                "{} products; one import takes {MAX_IMPORT_ROWS}, split the file",
                products.len()
            ),
        ));
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    let file_hash = Sha256::digest(bytes)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Sheet {
        file_hash,
        products,
    })
}

impl Columns {
    fn read(header: &csv::StringRecord, stock: bool) -> Result<Self, String> {
        let mut columns = Self::default();
        for (index, name) in header.iter().enumerate() {
            let name = name.to_ascii_lowercase();
            match name.as_str() {
                "sku" | "name" | "price" | "currency" | "tax_rate" | "category" | "track_stock" => {
                }
                "stock" if stock => {}
                "stock" => return Err("the column stock is received only with --stock".to_owned()),
                other => match other.strip_prefix("name_") {
                    Some(language) if !language.is_empty() => {
                        columns.names.push((language.replace('_', "-"), index));
                        continue;
                    }
                    _ => return Err(format!("unknown column {other:?}; expected {COLUMNS}")),
                },
            }
            if columns.by_name.insert(name.clone(), index).is_some() {
                return Err(format!("the column {name} is there twice"));
            }
        }
        for needed in ["sku", "name", "price"] {
            if !columns.by_name.contains_key(needed) {
                return Err(format!(
                    "no column {needed}; the first line names the columns: {COLUMNS}"
                ));
            }
        }
        Ok(columns)
    }

    fn product(
        &self,
        record: &csv::StringRecord,
        line: u64,
        currency: Currency,
    ) -> Result<Product, String> {
        let width = self.by_name.len() + self.names.len();
        if record.len() > width {
            return Err(format!(
                "{} values for {width} columns; quote a value that holds a comma",
                record.len()
            ));
        }
        let sku: Sku = self.needed(record, "sku")?.parse().map_err(in_words)?;
        let currency = self
            .given(record, "currency")
            .map_or(Ok(currency), str::parse)
            .map_err(in_words)?;
        let price = Money::from_major(self.needed(record, "price")?, currency).map_err(in_words)?;
        let row = ImportRow {
            sku,
            name: self.needed(record, "name")?.to_owned(),
            names: self.names_of(record),
            price,
            tax_rate: self
                .given(record, "tax_rate")
                .map_or(Ok(TaxRate::default()), tax_rate)?,
            category: self.given(record, "category").map(str::to_owned),
            track_stock: self
                .given(record, "track_stock")
                .map_or(Ok(true), yes_or_no)?,
            withdrawn: false,
        };
        let stock = self.given(record, "stock").map_or(Ok(None), intake)?;
        if stock.is_some() && !row.track_stock {
            return Err("stock of a product that nobody counts (track_stock is false)".to_owned());
        }
        Ok(Product { line, row, stock })
    }

    fn given<'r>(&self, record: &'r csv::StringRecord, name: &str) -> Option<&'r str> {
        record
            .get(*self.by_name.get(name)?)
            .filter(|text| !text.is_empty())
    }

    fn needed<'r>(&self, record: &'r csv::StringRecord, name: &str) -> Result<&'r str, String> {
        self.given(record, name).ok_or_else(|| format!("no {name}"))
    }

    fn names_of(&self, record: &csv::StringRecord) -> BTreeMap<String, String> {
        let filled = self.names.iter().filter_map(|(language, index)| {
            let name = record.get(*index).filter(|text| !text.is_empty())?;
            Some((language.clone(), name.to_owned()))
        });
        filled.collect()
    }
}

/// Basis points (`1100`), or percent with its sign (`11%`, `7.5%`).
fn tax_rate(text: &str) -> Result<TaxRate, String> {
    let wrong =
        || format!("expected a tax rate in basis points (1100) or percent (11%), got {text:?}");
    let basis_points = match text.strip_suffix('%') {
        // Percent has two decimals, as cents have.
        Some(percent) => {
            Money::from_major(percent.trim(), Currency::IDR)
                .map_err(|_| wrong())?
                .amount_minor
        }
        None => text.parse().map_err(|_| wrong())?,
    };
    TaxRate::from_basis_points(basis_points).map_err(in_words)
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!(
            "expected true or false for track_stock, got {text:?}"
        )),
    }
}

/// How many came in; nothing for 0.
fn intake(text: &str) -> Result<Option<Quantity>, String> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(count) => Quantity::new(count).map(Some).map_err(in_words),
        Err(_) => Err(format!("expected a whole number for stock, got {text:?}")),
    }
}

fn in_words(error: impl fmt::Display) -> String {
    error.to_string()
}

fn unreadable(error: &csv::Error, line: u64) -> BadRow {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => {
            BadRow::new(line, "not UTF-8; save the file as UTF-8".to_owned())
        }
        _ => BadRow::new(line, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(file: &str) -> Result<Vec<Value>, Vec<String>> {
        let read = parse(file.as_bytes(), Currency::IDR, true, || {});
        read.map(|sheet| {
            sheet
                .products
                .into_iter()
                .map(|product| serde_json::to_value(product.row).unwrap())
                .collect()
        })
        .map_err(|bad| bad.iter().map(BadRow::to_string).collect())
    }

    #[test]
    fn a_row_becomes_a_product_with_its_price_in_minor_units() {
        let products = check(
            "sku,name,name_id,price,currency,tax_rate,category,track_stock,stock\r\n\
             latte,Latte,Kopi susu,28000,IDR,11%,coffee,yes,40\r\n\
             tea,\"Tea, hot\",,2.50,EUR,700,,false,\r\n",
        );
        assert_eq!(
            products.unwrap(),
            [
                json!({"sku": "latte", "name": "Latte", "names": {"id": "Kopi susu"},
                    "price": {"amount_minor": 2_800_000, "currency": "IDR"}, "tax_rate": 1100,
                    "category": "coffee", "track_stock": true, "withdrawn": false}),
                json!({"sku": "tea", "name": "Tea, hot", "price": {"amount_minor": 250, "currency": "EUR"},
                    "tax_rate": 700, "names": {}, "track_stock": false, "withdrawn": false}),
            ]
        );
    }

    #[test]
    fn every_bad_row_is_named_with_its_line() {
        let bad = check(
            "sku,name,price,tax_rate,track_stock,stock\n\
             ok,Fine,1000,,,\n\
             no good,Name,1000,,,\n\
             a,,1000,,,\n\
             b,B,cheap,,,\n\
             ok,Again,1000,,,\n\
             c,C,1000,200%,,\n\
             d,D,1000,,maybe,\n\
             e,E,1000,,no,5\n\
             f,F,1,000,,,,\n",
        );
        let bad = bad.unwrap_err();
        assert_eq!(bad.len(), 8, "{bad:#?}");
        for (bad, start) in bad.iter().zip([
            "3: expected a SKU",
            "4: no name",
            "5: expected a decimal amount",
            "6: the SKU ok is in line 2 already",
            "7: expected a tax rate of 0 to 10000",
            "8: expected true or false",
            "9: stock of a product that nobody counts",
            "10: 8 values for 6 columns",
        ]) {
            assert!(bad.starts_with(start), "{bad}");
        }
    }

    #[test]
    fn a_header_that_is_not_understood_stops_the_import() {
        let first = |file: &str| check(file).unwrap_err()[0].clone();
        assert!(first("sku,name\na,A\n").starts_with("1: no column price"));
        assert!(
            first("sku,name,price,colour\na,A,1,red\n").starts_with("1: unknown column \"colour\"")
        );
        assert!(first("sku,name,price,sku\n").starts_with("1: the column sku is there twice"));
        assert_eq!(first("sku,name,price\n"), "2: no product");
    }

    #[test]
    fn stock_is_taken_only_when_it_was_asked_for() {
        let bad = parse(
            b"sku,name,price,stock\na,A,1,5\n",
            Currency::IDR,
            false,
            || {},
        )
        .unwrap_err();
        assert_eq!(
            bad[0].to_string(),
            "1: the column stock is received only with --stock"
        );
    }
}

//! Reads the rows of an import one by one, so that every wrong row is named and not just the first.

use std::collections::HashMap;

use pasar_chassis::{
    extract::{Objects, reworded},
    problem::{FieldError, Problem},
};
use pasar_contracts::{
    api::inventory::{ImportRow, MAX_IMPORT_ROWS},
    problem::ProblemType,
};
use pasar_types::sku::Sku;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{field, product::ProductDetails};

/// The body of an import with its rows unread.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawImport {
    products: Vec<Value>,
}

/// One value of a row that is not acceptable.
#[derive(Debug, PartialEq, Serialize)]
struct RowError {
    field: String,
    /// The row's number, from 1 on.
    row: usize,
    detail: String,
}

/// `/v1/products/imports` is this call's own address, so no product can be read there.
const TAKEN_SKU: &str = "imports";
/// Errors that one answer names at most.
const MOST_NAMED: usize = 200;

/// All rows, checked, or what is wrong with them.
pub(super) fn checked(raw: RawImport) -> Result<Vec<(Sku, ProductDetails)>, Problem> {
    let count = raw.products.len();
    if !(1..=MAX_IMPORT_ROWS).contains(&count) {
        let expected = format!("expected 1 to {MAX_IMPORT_ROWS} rows, got {count}");
        return Err(Problem::invalid_field("products", expected));
    }
    let mut products = Vec::with_capacity(count);
    let mut rows_of: HashMap<Sku, usize> = HashMap::with_capacity(count);
    let mut errors = Vec::new();
    for (row, value) in (1..).zip(raw.products) {
        match checked_row(value) {
            Ok((sku, _)) if rows_of.contains_key(&sku) => {
                let detail = format!("the SKU {sku} is in row {} already", rows_of[&sku]);
                let error = FieldError {
                    field: "sku".to_owned(),
                    detail,
                };
                errors.push(at_row(row, error));
            }
            Ok((sku, details)) => {
                rows_of.insert(sku.clone(), row);
                products.push((sku, details));
            }
            Err(wrong) => errors.extend(wrong.into_iter().map(|error| at_row(row, error))),
        }
    }
    if errors.is_empty() {
        return Ok(products);
    }
    Err(refusal(errors))
}

fn checked_row(value: Value) -> Result<(Sku, ProductDetails), Vec<FieldError>> {
    let row: ImportRow = serde_path_to_error::deserialize(Objects(value)).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { path };
        let detail = reworded(&error.into_inner().to_string()).into_owned();
        vec![FieldError { field, detail }]
    })?;
    let (sku, input) = row.into_parts();
    if sku.as_str() == TAKEN_SKU {
        return Err(vec![field::wrong(
            "sku",
            "expected another SKU: this is the address of imports",
        )]);
    }
    ProductDetails::new(&input).map(|details| (sku, details))
}

fn at_row(row: usize, error: FieldError) -> RowError {
    let dot = if error.field.is_empty() { "" } else { "." };
    RowError {
        field: format!("products[{}]{dot}{}", row - 1, error.field),
        row,
        detail: error.detail,
    }
}

fn refusal(mut errors: Vec<RowError>) -> Problem {
    let mut rows: Vec<usize> = errors.iter().map(|error| error.row).collect();
    rows.dedup();
    let count = rows.len();
    errors.truncate(MOST_NAMED);
    let what = if count == 1 {
        "1 row is".to_owned()
    } else {
        format!("{count} rows are")
    };
    Problem::new(ProblemType::ValidationFailed)
        .detail(format!("{what} not acceptable, nothing was imported"))
        .with("errors", errors)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(sku: &str) -> Value {
        json!({ "sku": sku, "name": "Tea", "price": { "amount_minor": 100, "currency": "IDR" } })
    }

    fn errors(products: Vec<Value>) -> Vec<(u64, String)> {
        let problem = checked(RawImport { products }).unwrap_err().to_json();
        let errors = problem["errors"].as_array().unwrap().iter();
        errors
            .map(|error| {
                let row = error["row"].as_u64().unwrap_or(0);
                (row, error["field"].as_str().unwrap().to_owned())
            })
            .collect()
    }

    #[test]
    fn good_rows_pass_in_their_order() {
        let products = checked(RawImport {
            products: vec![row("b"), row("a")],
        })
        .unwrap();
        let skus: Vec<_> = products.iter().map(|(sku, _)| sku.as_str()).collect();
        assert_eq!(skus, ["b", "a"]);
    }

    #[test]
    fn every_wrong_row_is_named_with_its_number_and_field() {
        let mut free = row("free");
        free["price"]["amount_minor"] = json!(-1);
        let mut float = row("float");
        float["price"]["amount_minor"] = json!(1.5);
        let mut unknown = row("unknown");
        unknown["stock"] = json!(5);
        let found = errors(vec![
            row("ok"),
            free,
            float,
            unknown,
            json!(7),
            row("ok"),
            row("a b"),
            row("imports"),
        ]);
        let expected = [
            (2, "products[1].price.amount_minor"),
            (3, "products[2].price.amount_minor"),
            (4, "products[3].stock"),
            (5, "products[4]"),
            (6, "products[5].sku"),
            (7, "products[6].sku"),
            (8, "products[7].sku"),
        ];
        assert_eq!(found, expected.map(|(row, field)| (row, field.to_owned())));
    }

    #[test]
    fn an_import_has_rows_and_not_too_many() {
        assert_eq!(errors(vec![])[0].1, "products");
        assert_eq!(errors(vec![row("a"); MAX_IMPORT_ROWS + 1])[0].1, "products");
    }
}

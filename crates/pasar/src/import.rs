//! `pasar import`: products from a CSV file, all of them or none.
//!
//! The file is checked as a whole before anything is sent, and the server takes it as one command.
//! Stock is no part of that command: with `--stock` it is received afterwards, once a file and row.

pub(crate) mod rows;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use pasar_contracts::api::{
    inventory::{ImportRow, Imported, IntakeInput},
    users::Role,
};
use pasar_types::quantity::Quantity;
use serde_json::{Value, json};

use self::rows::{BadRow, Product, Sheet};
use crate::{
    client::{Call, CallError, Client, Problem, Target, Waits},
    locations, progress,
};

/// Lines of bad rows that are shown.
const SHOWN_ERRORS: usize = 50;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Columns: sku, name, price (major units); optional: currency, tax_rate (basis points, or 11%), category,
    /// track_stock, stock, and name_id, name_en, .. for names by language
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    /// Receive what the column `stock` says as an intake for each product, once per file
    #[arg(long)]
    stock: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let bytes =
        fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let client = args.target.client(&[Role::Staff, Role::Admin])?;
    client.greet().await?;
    let currency = locations::currency(&client).await?;
    let reading = progress::bar(rows::count(&bytes), "reading");
    let sheet = match rows::parse(&bytes, currency, args.stock, || reading.inc(1)) {
        Ok(sheet) => sheet,
        Err(bad) => {
            reading.finish_and_clear();
            return Err(refuse(&args, &bad));
        }
    };
    reading.finish_and_clear();
    let Imported {
        created,
        changed,
        unchanged,
    } = send(&args, &client, &sheet).await?;
    println!(
        "imported {}: {created} products created, {changed} changed, {unchanged} as they were",
        args.file.display()
    );
    if args.stock {
        let received = receive_stock(&client, &sheet).await?;
        println!("received stock of {received} products");
    }
    Ok(ExitCode::SUCCESS)
}

/// One command for the whole sheet.
async fn send(args: &Args, client: &Client, sheet: &Sheet) -> anyhow::Result<Imported> {
    let products: Vec<&ImportRow> = sheet.products.iter().map(|product| &product.row).collect();
    let sending = progress::spinner(format!("importing {} products", products.len()));
    let call = Call::post(
        "/v1/products/imports",
        format!("import-{}", sheet.file_hash),
        &json!({ "products": products }),
    );
    let outcome = client.call::<Imported>(&call, &mut Waits::default()).await;
    sending.finish_and_clear();
    match outcome {
        Ok(imported) => Ok(imported),
        Err(CallError::Refused(problem)) if !problem.errors.is_empty() => {
            Err(refuse(args, &by_line(&problem, &sheet.products)))
        }
        Err(error) => Err(anyhow::Error::from(error).context("nothing was imported")),
    }
}

async fn receive_stock(client: &Client, sheet: &Sheet) -> anyhow::Result<usize> {
    let with_stock: Vec<(&Product, Quantity)> = sheet
        .products
        .iter()
        .filter_map(|product| Some((product, product.stock?)))
        .collect();
    let bar = progress::bar(with_stock.len(), "stock");
    let mut waits = Waits::default();
    for (product, stock) in &with_stock {
        let call = Call::post(
            format!("/v1/stock/{}/intakes", product.row.sku),
            format!("import-{}-{}", sheet.file_hash, product.line),
            &IntakeInput {
                quantity: *stock,
                location: None,
                note: None,
            },
        );
        client
            .call::<Value>(&call, &mut waits)
            .await
            .map_err(anyhow::Error::from)
            .with_context(|| {
                format!("the products are imported, but the stock from line {} on was not received; run it again", product.line)
            })?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(with_stock.len())
}

/// The server names rows by their place in the request (`products[12].price`); a person wants the line.
fn by_line(problem: &Problem, products: &[Product]) -> Vec<BadRow> {
    let bad = problem.errors.iter().map(|error| {
        let row = error
            .field
            .strip_prefix("products[")
            .and_then(|rest| rest.split_once(']'))
            .and_then(|(index, field)| Some((products.get(index.parse::<usize>().ok()?)?, field)));
        let (line, field) = match row {
            Some((product, field)) => (product.line, field.trim_start_matches('.')),
            None => (1, error.field.as_str()),
        };
        BadRow::new(line, format!("{field}: {}", error.detail))
    });
    bad.collect()
}

fn refuse(args: &Args, bad: &[BadRow]) -> anyhow::Error {
    for row in bad.iter().take(SHOWN_ERRORS) {
        eprintln!("{}:{row}", args.file.display());
    }
    if bad.len() > SHOWN_ERRORS {
        eprintln!(".. and {} more", bad.len() - SHOWN_ERRORS);
    }
    anyhow!(
        "nothing was imported: {} of {} cannot be taken; mend the file and run it again",
        match bad.len() {
            1 => "a row".to_owned(),
            more => format!("{more} rows"),
        },
        args.file.display()
    )
}

#[cfg(test)]
mod tests {
    use pasar_types::money::Currency;

    use super::*;

    #[test]
    fn what_the_server_refuses_is_named_by_its_line() {
        let file = b"sku,name,price\n\na,A,1\nb,B,2\n";
        let sheet = rows::parse(file, Currency::IDR, false, || {}).unwrap();
        let problem: Problem = serde_json::from_value(json!({
            "type": "/problems/validation-failed",
            "title": "A value is not acceptable",
            "errors": [
                {"field": "products[1].price.amount_minor", "detail": "expected 0 or more"},
                {"field": "products", "detail": "expected fewer"},
            ],
        }))
        .unwrap();
        let bad: Vec<String> = by_line(&problem, &sheet.products)
            .iter()
            .map(BadRow::to_string)
            .collect();
        assert_eq!(
            bad,
            [
                "4: price.amount_minor: expected 0 or more",
                "1: products: expected fewer"
            ]
        );
    }
}

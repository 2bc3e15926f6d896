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

/// The server names rows by their place in the request; the person wants the line of the file.
fn by_line(problem: &Problem, products: &[Product]) -> Vec<BadRow> {
    let bad = problem.errors.iter().map(|error| {
        let mut parts = error.pointer.trim_start_matches('/').splitn(3, '/');
        let row = parts.nth(1).and_then(|index| index.parse::<usize>().ok());
        let line = row
            .and_then(|row| products.get(row))
            .map_or(0, |product| product.line);
        let field = parts.next().unwrap_or_default().replace('/', ".");
        BadRow::new(line, format!("{field} {}", error.detail).trim().to_owned())
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
        "{} is not right in {}; nothing was imported, mend the file and run it again",
        if bad.len() == 1 {
            "1 row".to_owned()
        } else {
            format!("{} rows", bad.len())
        },
        args.file.display()
    )
}

//! `pasar replay`: turns a till's CSV into orders through the public API.
//!
//! Placing is idempotent by file and ticket, so a replay that was cut off is simply run again.

mod catalogue;
mod pace;
mod place;
mod summary;
mod tickets;

use std::{fs, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, stream};
use indicatif::ProgressBar;
use pasar_contracts::api::users::Role;
use tokio::{signal, time::Instant};

use self::{pace::Pace, place::Placer, summary::Summary, tickets::Till};
use crate::{client::Target, progress};

/// Lines of bad rows that are shown; a wrong file has thousands.
const SHOWN_ERRORS: usize = 20;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The till's file: date,time,ticket,item on each line, with or without a header
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    /// Orders a second [default: as fast as they settle]
    #[arg(long, conflicts_with = "speed", value_parser = positive)]
    rate: Option<f64>,
    /// Keep the file's own rhythm, so many times faster (60: an hour in a minute)
    #[arg(long, value_parser = positive)]
    speed: Option<f64>,
    /// Orders under way at the same time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// Create the items that do not exist yet as products that nobody counts (takes a staff key)
    #[arg(long, requires = "price")]
    create_items: bool,
    /// Price of each created item, in major units of the location's currency
    #[arg(long)]
    price: Option<String>,
    /// Items to leave out
    #[arg(long, value_delimiter = ',', value_name = "ITEM,..")]
    skip: Vec<String>,
    /// Payment method of the orders
    #[arg(long, default_value = "sandbox")]
    method: String,
    /// Payment token of the orders; none for cash
    #[arg(long, default_value_if("method", "sandbox", "tok_ok"))]
    token: Option<String>,
    /// How long an order may take to settle before it counts as unsettled, in seconds
    #[arg(long, default_value_t = 120)]
    patience: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let till = read(&args)?;
    let client = args.target.client(&[Role::Staff, Role::Kiosk])?;
    client.greet().await?;
    println!(
        "{}: {} rows, {} tickets to order, {} skipped; placing at {}",
        args.file.display(),
        till.rows,
        till.tickets.len(),
        till.skipped.len(),
        client.base()
    );
    if let (true, Some(price)) = (args.create_items, &args.price) {
        let created = catalogue::create_missing(&client, &till.items, price).await?;
        println!("created {created} of {} products", till.items.len());
    }
    let mut summary = Summary::new(&till);
    place_all(&args, till, client, &mut summary).await;
    println!("{}", summary.table().trim_fmt());
    Ok(summary.exit_code())
}

fn read(args: &Args) -> anyhow::Result<Till> {
    let bytes =
        fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    match tickets::parse(&bytes, &args.skip) {
        Ok(till) => Ok(till),
        Err(bad) => {
            for row in bad.iter().take(SHOWN_ERRORS) {
                eprintln!("{}:{row}", args.file.display());
            }
            if bad.len() > SHOWN_ERRORS {
                eprintln!(".. and {} more", bad.len() - SHOWN_ERRORS);
            }
            bail!(
                "{} rows cannot be read, nothing was ordered; mend them, or leave items out with --skip",
                bad.len()
            )
        }
    }
}

/// Places every ticket, until Ctrl-C; what was placed by then is in the summary.
async fn place_all(args: &Args, till: Till, client: crate::client::Client, summary: &mut Summary) {
    let pace = Pace::new(args.rate, args.speed, &till.tickets);
    let placer = Arc::new(Placer {
        client,
        file_hash: till.file_hash,
        method: args.method.clone(),
        token: args.token.clone(),
        patience: Duration::from_secs(args.patience),
    });
    let bar = progress::bar(till.tickets.len(), "orders");
    let start = Instant::now();
    let mut placed = stream::iter(till.tickets.into_iter().enumerate())
        .map(|(index, ticket)| {
            let placer = Arc::clone(&placer);
            let due = pace.due(index, &ticket);
            async move {
                if let Some(due) = due {
                    tokio::time::sleep_until(start + due).await;
                }
                placer.place(&ticket).await
            }
        })
        .buffer_unordered(args.concurrency.into());
    let interrupted = signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            biased;
            _ = &mut interrupted => {
                summary.interrupt();
                break;
            }
            next = placed.next() => match next {
                Some(done) => {
                    show(&bar, &done);
                    summary.add(done);
                }
                None => break,
            },
        }
    }
    summary.finish(start.elapsed());
    bar.finish_and_clear();
}

fn show(bar: &ProgressBar, done: &place::Placed) {
    bar.inc(1);
    if let place::Fate::Failed(reason) | place::Fate::Refused(_, reason) = &done.fate {
        bar.println(format!("ticket {}: {reason}", done.ticket));
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number above 0".to_owned()),
    }
}

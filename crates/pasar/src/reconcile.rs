//! `pasar reconcile`: puts a follower back to where a restored feed forked from what it has followed, or lets one that
//! was away for longer than its publisher keeps its feed begin anew.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use pasar_chassis::host::Host;
use pasar_contracts::event::Service;
use pasar_feed::follow::Follow as _;
use pasar_store::{
    fault::Fault, feed::trimmed, follower::Position, inspect::Inspector, lineage::Lineage,
    store::Store,
};

use crate::{alone, cli::Data, config::Config, up};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The service that has followed too far, or was away for too long; it must not run
    follower: Service,
    /// The service whose feed was restored or trimmed
    publisher: Service,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    data: Data,
    /// Configuration file, as `pasar up` has it
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        follower,
        publisher,
        ..
    } = args;
    ensure!(
        follower != Service::Gateway && publisher != Service::Gateway,
        "the gateway follows with what it has in memory: start it again instead"
    );
    let config = Config::load(args.config)?;
    let data = args.data.data;
    let databases = alone::databases(&config, &data, follower)?;
    if !up::follows(follower).contains(&publisher) {
        println!("{follower} does not follow {publisher}: there is nothing to reconcile");
        return Ok(ExitCode::SUCCESS);
    }
    let (host, _lock) = alone::take(databases, &data, follower)?;
    let stands = stands(&host, &config, publisher).await?;
    let store = up::open_store(&host, follower)?;
    let done = reconcile(&store, publisher, stands, args.yes).await;
    store.close();
    done
}

/// What the feed is now.
struct Stands {
    lineage: Lineage,
    trimmed: i64,
}

/// From the database if it is within reach, else from the service where it runs.
async fn stands(host: &Host, config: &Config, publisher: Service) -> anyhow::Result<Stands> {
    let place = host.databases.place(&host.data, publisher);
    if place.file().is_none_or(Path::is_file) {
        let inspector = Inspector::open(publisher, place, up::migrations(publisher))?;
        return Ok(inspector.read(|tx| {
            Ok(Stands {
                lineage: Lineage::read(tx)?,
                trimmed: trimmed(tx)?,
            })
        })?);
    }
    let feed = up::http_feed(host, config, publisher)?;
    let asked = async {
        Ok::<_, Fault>(Stands {
            lineage: feed.lineage().await?,
            trimmed: feed.trimmed().await?,
        })
    };
    asked.await.with_context(|| {
        format!("{publisher} must run, or its database must be in the data folder")
    })
}

async fn reconcile(
    store: &Store,
    publisher: Service,
    Stands { lineage, trimmed }: Stands,
    yes: bool,
) -> anyhow::Result<ExitCode> {
    let follower = store.service();
    let followed = store.followed(publisher).await?;
    let Some(furthest) = followed.iter().map(|position| position.sequence).max() else {
        println!(
            "{follower} keeps no place in the feed of {publisher} and begins anew when it starts: there is nothing to \
             reconcile"
        );
        return Ok(ExitCode::SUCCESS);
    };
    let shared = followed
        .iter()
        .map(|position| lineage.shared_with(*position));
    let at = shared.min().unwrap_or(0).min(furthest);
    if at < trimmed {
        return begin_anew(store, publisher, at, trimmed, yes).await;
    }
    if followed
        .iter()
        .all(|position| position.epoch == lineage.epoch)
    {
        println!(
            "{follower} follows the feed of {publisher} as it is: there is nothing to reconcile"
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{follower} has followed {publisher} up to {furthest}; the feed that is there now shares everything up to \
         {at} with it.\nFrom there on {follower} will take what the feed holds now. What it did because of later \
         events stays done; `pasar check` names what does not fit."
    );
    if !yes && !confirmed(follower)? {
        println!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    let to = Position {
        epoch: lineage.epoch,
        sequence: at,
    };
    store.reconcile(publisher, to).await?;
    println!("{follower} follows {publisher} from {at} on when it starts");
    Ok(ExitCode::SUCCESS)
}

/// What it would go on with is not kept any more. What comes again has no effect, so that it may take all of it.
async fn begin_anew(
    store: &Store,
    publisher: Service,
    at: i64,
    trimmed: i64,
    yes: bool,
) -> anyhow::Result<ExitCode> {
    let follower = store.service();
    println!(
        "{follower} has followed {publisher} up to {at}; that feed is kept after {trimmed}.\n{}",
        means(follower, publisher)
    );
    if !yes && !confirmed(follower)? {
        println!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    store.begin_anew(publisher).await?;
    println!("{follower} begins with a snapshot of {publisher} when it starts");
    Ok(ExitCode::SUCCESS)
}

/// What a snapshot puts right for a follower, and what it cannot.
const fn means(follower: Service, publisher: Service) -> &'static str {
    match (follower, publisher) {
        (Service::Relay, _) => {
            "Its snapshot has what is not finished, which is delivered again where the log does not hold it any more. \
             What else happened since was never copied and will not be delivered."
        }
        (Service::Orders, _) => {
            "Its snapshot has the catalogue, and the reservations and payments that are open. An order that waits for \
             what is gone runs into its deadline and is cancelled; its money is given back."
        }
        _ => {
            "Its snapshot has every order that waits for an answer. What is gone is of orders that ended, which they do \
             only once all have answered; only goods that came back with a refund since may be missing: `pasar check`, \
             and count them."
        }
    }
}

fn confirmed(follower: Service) -> anyhow::Result<bool> {
    print!("Type {follower} to go on: ");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim() == follower.as_str())
}

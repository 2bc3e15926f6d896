//! `pasar dead-letters`: what could not be delivered, at the command line.

use std::process::ExitCode;

use pasar_contracts::api::{
    page::Page,
    relay::{DeadLetter, DeadLettersDiscarded, DeadLettersInput, ReplayAccepted},
};
use pasar_types::id::SubscriptionId;

use crate::{
    client::{Call, Target, Waits},
    subscriptions::ROLES,
};

#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List them
    List {
        /// Only of this subscription
        #[arg(long, value_name = "ID")]
        subscription: Option<SubscriptionId>,
        #[command(flatten)]
        target: Target,
    },
    /// Deliver them again
    Replay(Letters),
    /// Give them up
    Discard(Letters),
}

/// Dead letters of one subscription.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Letters {
    /// Their subscription, sub_..
    subscription: SubscriptionId,
    /// Only those at these positions of the log
    #[arg(long, value_name = "POSITION", num_args = 1..)]
    positions: Option<Vec<i64>>,
    #[command(flatten)]
    target: Target,
}

/// Pages that are listed at most.
const MOST_PAGES: usize = 50;

pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List {
            subscription,
            target,
        } => list(&target, subscription).await?,
        Command::Replay(letters) => {
            let call = Call::act_with("/v1/dead-letters/replay", &letters.input());
            let accepted: ReplayAccepted = letters.target.client(&ROLES)?.once(&call).await?;
            println!("{} are delivered again", accepted.scheduled);
        }
        Command::Discard(letters) => {
            let call = Call::act_with("/v1/dead-letters/discard", &letters.input());
            let client = letters.target.client(&ROLES)?;
            let gone: DeadLettersDiscarded = client.call(&call, &mut Waits::default()).await?;
            println!("{} discarded", gone.discarded);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Letters {
    fn input(&self) -> DeadLettersInput {
        DeadLettersInput {
            subscription: self.subscription,
            positions: self.positions.clone(),
        }
    }
}

async fn list(target: &Target, subscription: Option<SubscriptionId>) -> anyhow::Result<()> {
    let client = target.client(&ROLES)?;
    let of = subscription.map(|id| format!("&subscription={id}"));
    let mut path = format!("/v1/dead-letters?limit=200{}", of.unwrap_or_default());
    let first = path.clone();
    let mut any = false;
    for _ in 0..MOST_PAGES {
        let page: Page<DeadLetter> = client
            .call(&Call::get(&path), &mut Waits::default())
            .await?;
        for letter in &page.items {
            any = true;
            println!("{}", line(letter));
        }
        match page.next_cursor {
            Some(next) => path = format!("{first}&cursor={next}"),
            None => break,
        }
    }
    if !any {
        eprintln!("there are none: everything was delivered, or waits to be tried again");
    }
    Ok(())
}

fn line(letter: &DeadLetter) -> String {
    format!(
        "{}  position {}  {} {} {}  after {} attempts since {}: {}",
        letter.subscription_id,
        letter.position,
        letter.topic,
        letter.message_type,
        letter.message_id,
        letter.attempts,
        letter.since,
        letter.last_error.lines().next().unwrap_or_default(),
    )
}

//! `pasar subscriptions`: what is delivered where, at the command line.

use std::{fs, io::Read as _, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use pasar_contracts::api::{
    page::Page,
    relay::{
        Attempt, CreatedSubscription, ReplayAccepted, ReplayInput, Subscription, SubscriptionInput,
        SubscriptionState,
    },
    users::Role,
};
use pasar_types::{id::SubscriptionId, time::Timestamp};
use serde_json::Value;

use crate::client::{Call, Client, Target, Waits};

#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List them
    List(Whole),
    /// Show one, as JSON
    Show(One),
    /// Make one from a JSON file; `-` reads standard input
    Create {
        file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Stop deliveries; what comes meanwhile is kept
    Pause(One),
    /// Let deliveries go on
    Resume(One),
    /// Delete one, with all that waits for it
    Delete(One),
    /// Send a test message and show what became of it
    Test(One),
    /// Deliver again
    Replay(Replay),
    /// Show what was tried, the newest first
    Attempts(One),
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Whole {
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct One {
    /// Its id, sub_..
    id: SubscriptionId,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Replay {
    /// Its id, sub_..
    id: SubscriptionId,
    /// These positions of the log
    #[arg(long, value_name = "POSITION", num_args = 1.., group = "what")]
    positions: Vec<i64>,
    /// What came at this time or later (2026-11-20T09:30:00Z)
    #[arg(long, value_name = "TIME", group = "what")]
    since: Option<Timestamp>,
    /// What comes after this position
    #[arg(long, value_name = "POSITION", group = "what")]
    after: Option<i64>,
    /// With --after: up to this position [default: the newest]
    #[arg(long, value_name = "POSITION", requires = "after")]
    upto: Option<i64>,
    /// All dead letters
    #[arg(long, group = "what")]
    dead_letters: bool,
    #[command(flatten)]
    target: Target,
}

/// Whose keys of the demo may do this.
pub(crate) const ROLES: [Role; 2] = [Role::Integrator, Role::Admin];
/// Pages that are listed at most.
const MOST_PAGES: usize = 50;

pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(Whole { target }) => list(&target.client(&ROLES)?).await,
        Command::Show(one) => show(&one).await,
        Command::Create { file, target } => create(&target.client(&ROLES)?, &file).await,
        Command::Pause(one) => turn(&one, "pause").await,
        Command::Resume(one) => turn(&one, "resume").await,
        Command::Delete(one) => delete(&one).await,
        Command::Test(one) => return test(&one).await,
        Command::Replay(replay) => self::replay(replay).await,
        Command::Attempts(one) => attempts(&one).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

fn path(id: SubscriptionId, rest: &str) -> String {
    format!("/v1/subscriptions/{id}{rest}")
}

async fn list(client: &Client) -> anyhow::Result<()> {
    let mut cursor = String::new();
    let mut any = false;
    for _ in 0..MOST_PAGES {
        let call = Call::get(format!("/v1/subscriptions?limit=200{cursor}"));
        let page: Page<Subscription> = client.call(&call, &mut Waits::default()).await?;
        for subscription in &page.items {
            any = true;
            println!("{}", line(subscription));
        }
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    if !any {
        eprintln!("there are none; `pasar subscriptions create FILE` makes one");
    }
    Ok(())
}

/// One line: who, in what state, what to where, and what waits.
fn line(it: &Subscription) -> String {
    let state = match it.state {
        SubscriptionState::Active if it.failing_since.is_some() => "failing",
        SubscriptionState::Active => "active",
        SubscriptionState::Paused => "paused",
        SubscriptionState::Disabled => "disabled",
    };
    let destination = &it.input.destination;
    let text = |name: &str| destination.get(name).and_then(Value::as_str);
    let place = ["url", "channel", "stream", "subject", "queue", "topic"]
        .iter()
        .find_map(|name| text(name));
    format!(
        "{}  {state:8}  {} to {} {}  {} behind, {} retrying, {} dead  {}",
        it.id,
        it.input.topics.join(","),
        text("kind").unwrap_or("?"),
        place.unwrap_or_default(),
        it.behind,
        it.retrying,
        it.dead_letters,
        it.input.name.as_deref().unwrap_or_default(),
    )
}

async fn show(one: &One) -> anyhow::Result<()> {
    let client = one.target.client(&ROLES)?;
    let call = Call::get(path(one.id, ""));
    let shown: Value = client.call(&call, &mut Waits::default()).await?;
    println!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(())
}

async fn create(client: &Client, file: &PathBuf) -> anyhow::Result<()> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        text
    } else {
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
    };
    let input: SubscriptionInput = serde_json::from_str(&text).with_context(|| {
        r#"this is no subscription; one is like {"topics":["client"],"destination":{"kind":"rest","url":"https://.."}}"#
    })?;
    let call = Call::act_with("/v1/subscriptions", &input);
    let created: CreatedSubscription = client.once(&call).await?;
    println!("{}", created.subscription.id);
    if let Some(secret) = created.secret {
        eprintln!("Deliveries are signed with {secret}");
        eprintln!("It is not shown again.");
    }
    Ok(())
}

async fn turn(one: &One, how: &str) -> anyhow::Result<()> {
    let client = one.target.client(&ROLES)?;
    let call = Call::act(path(one.id, &format!("/{how}")));
    let turned: Subscription = client.call(&call, &mut Waits::default()).await?;
    println!("{}", line(&turned));
    Ok(())
}

async fn delete(one: &One) -> anyhow::Result<()> {
    let client = one.target.client(&ROLES)?;
    let call = Call::delete(path(one.id, ""));
    let _: Value = client.call(&call, &mut Waits::default()).await?;
    println!("deleted {}", one.id);
    Ok(())
}

async fn test(one: &One) -> anyhow::Result<ExitCode> {
    let client = one.target.client(&ROLES)?;
    let attempt: Attempt = client.once(&Call::act(path(one.id, "/test"))).await?;
    println!("{}", attempt_line(&attempt));
    Ok(if attempt.delivered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn replay(args: Replay) -> anyhow::Result<()> {
    let what = match (args.since, args.after) {
        _ if args.dead_letters => ReplayInput::DeadLetters(true),
        (Some(since), _) => ReplayInput::Since(since),
        (None, Some(after)) => ReplayInput::Range {
            after,
            upto: args.upto,
        },
        (None, None) if !args.positions.is_empty() => ReplayInput::Positions(args.positions),
        (None, None) => bail!("say what: --positions, --since, --after or --dead-letters"),
    };
    let client = args.target.client(&ROLES)?;
    let call = Call::act_with(path(args.id, "/replay"), &what);
    let accepted: ReplayAccepted = client.once(&call).await?;
    match accepted.scheduled {
        0 => println!(
            "it is under way; `pasar subscriptions attempts {}` shows it",
            args.id
        ),
        scheduled => println!("{scheduled} are delivered again"),
    }
    Ok(())
}

async fn attempts(one: &One) -> anyhow::Result<()> {
    let client = one.target.client(&ROLES)?;
    let call = Call::get(path(one.id, "/attempts?limit=100"));
    let page: Page<Attempt> = client.call(&call, &mut Waits::default()).await?;
    for attempt in &page.items {
        println!("{}", attempt_line(attempt));
    }
    if page.items.is_empty() {
        eprintln!("nothing was tried yet");
    }
    Ok(())
}

fn attempt_line(attempt: &Attempt) -> String {
    let outcome = if attempt.delivered {
        "delivered"
    } else {
        "failed"
    };
    let status = attempt.status.map(|status| format!(" {status}"));
    let next = attempt.next_at.map(|next| format!("  again at {next}"));
    format!(
        "{}  {}  attempt {}  {outcome}{} in {:.1} ms{}  {}",
        attempt.at,
        attempt.message_id,
        attempt.attempt,
        status.unwrap_or_default(),
        attempt.took_ms,
        next.unwrap_or_default(),
        attempt
            .detail
            .as_deref()
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default(),
    )
}

//! `pasar listen`: what comes on a topic, as it comes; forwarded to an address of this machine if asked to. Or the
//! other end itself: a receiver of webhooks that checks their signatures.

mod events;
mod forward;
mod receive;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use pasar_contracts::api::users::Role;
use reqwest::Method;
use serde_json::Value;

use self::{
    events::{Event, Events},
    forward::Forward,
};
use crate::{
    client::{CallError, Client, Target},
    subscriptions::ROLES,
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// A topic (client), what lies below one (orders.*), or all (*)
    #[arg(required_unless_present = "verify")]
    topic: Option<String>,
    /// Only these types, such as order.ready.v1,payment.*
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    /// From where: now, earliest, or the position of a message
    #[arg(long, value_name = "START", default_value = "now")]
    from: String,
    /// Print messages as JSON, one a line
    #[arg(long)]
    json: bool,
    /// Post each message to this address, as a webhook
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    /// Sign what is forwarded, or check what is received, with this secret (whsec_..)
    #[arg(
        long,
        value_name = "SECRET",
        env = "PASAR_WEBHOOK_SECRET",
        hide_env_values = true
    )]
    secret: Option<String>,
    /// Listen for webhooks on a port of this machine instead, check their signatures and print them
    #[arg(long, conflicts_with_all = ["topic", "forward"], requires = "secret")]
    verify: bool,
    /// With --verify: where; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    #[command(flatten)]
    target: Target,
}

/// Before a stream that broke is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is tried without anything coming.
const MOST_TRIES: u32 = 60;

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let secret = args.secret.as_deref().map(str::parse).transpose().context(
        "--secret is none; it looks like whsec_.., as `pasar subscriptions create` prints it",
    )?;
    if let (true, Some(secret)) = (args.verify, &secret) {
        receive::run(args.bind, secret).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let roles = [&ROLES[..], &[Role::Staff]].concat();
    let client = args.target.client(&roles)?;
    let forward = match &args.forward {
        Some(url) => Some(Forward::new(url, secret)?),
        None if secret.is_some() => bail!("--secret goes with --forward or --verify"),
        None => None,
    };
    let topic = args.topic.as_deref().unwrap_or_default();
    let mut following = Following {
        path: format!("/v1/streams/{topic}?start={}", args.from),
        client: client.for_streams()?,
        last: None,
        json: args.json,
        forward,
    };
    if let Some(types) = &args.types {
        following.path += &format!("&types={types}");
    }
    tokio::select! {
        outcome = following.follow() => outcome?,
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// A stream that is opened again where it was.
struct Following {
    client: Client,
    path: String,
    /// The position of the last message that was printed, and forwarded if asked to.
    last: Option<String>,
    json: bool,
    forward: Option<Forward>,
}

impl Following {
    async fn follow(&mut self) -> anyhow::Result<()> {
        let mut tries = 0;
        loop {
            let before = self.last.clone();
            match self.once().await {
                Ok(()) => {}
                Err(CallError::Refused(problem)) if !problem.is_temporary() => {
                    return Err(CallError::Refused(problem).into());
                }
                // The first time nobody may be there at all; later it is a restart.
                Err(error) if tries == 0 && before.is_none() && self.last.is_none() => {
                    return Err(error.into());
                }
                Err(_) => {}
            }
            tries = if self.last == before { tries + 1 } else { 1 };
            if tries > MOST_TRIES {
                bail!(
                    "{} has not come back; start again with --from POSITION",
                    self.client.base()
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads the stream until it ends.
    async fn once(&mut self) -> Result<(), CallError> {
        let mut request = self.client.request(Method::GET, &self.path);
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        let response = self.client.open(request).await?;
        let mut pieces = response.bytes_stream();
        let mut events = Events::default();
        while let Some(Ok(piece)) = pieces.next().await {
            events.push(&piece);
            while let Some(event) = events.next() {
                self.take(&event).await;
            }
        }
        Ok(())
    }

    async fn take(&mut self, event: &Event) {
        if event.name == "gap" {
            eprintln!(
                "messages are missing here, they are no longer kept: {}",
                event.data
            );
        } else if self.json {
            println!("{}", event.data);
        } else {
            println!("{}", line(&event.data));
        }
        if let Some(forward) = self.forward.as_mut().filter(|_| event.name != "gap") {
            println!("  {}", forward.send(&event.data).await);
        }
        if let Some(id) = &event.id {
            self.last = Some(id.clone());
        }
    }
}

/// A message on one line.
fn line(event: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(event) else {
        return event.to_owned();
    };
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let key = event["partitionkey"]
        .as_str()
        .map(|key| format!(" [{key}]"));
    let data = match (&event["data"], event["data_base64"].as_str()) {
        (Value::String(text), _) => text.clone(),
        (_, Some(base64)) => format!(
            "({} bytes of {})",
            base64.len() / 4 * 3,
            text("datacontenttype")
        ),
        (data, None) => data.to_string(),
    };
    format!(
        "{} {} {} {}{}  {data}",
        text("position"),
        text("time"),
        text("topic"),
        text("type"),
        key.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_on_one_line() {
        let event = r#"{"position":"7","time":"2026-01-01T00:00:00Z","topic":"client","type":"message","data":"halo"}"#;
        assert_eq!(line(event), "7 2026-01-01T00:00:00Z client message  halo");
        let event = r#"{"position":"8","topic":"a","type":"t","partitionkey":"k","data":{"n":1}}"#;
        assert_eq!(line(event), "8  a t [k]  {\"n\":1}");
    }
}

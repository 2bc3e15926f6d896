//! `pasar send`: a message from the command line, or a message a line from standard input.

use std::{
    io::{BufRead as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, stream};
use pasar_contracts::api::{
    relay::{MessageAccepted, MessageInput},
    users::Role,
};
use reqwest::{Body, Method, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::client::{Call, Client, Target};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What is sent, as text; `-` reads lines from standard input: a JSON object is a message, else it is text
    #[arg(value_name = "TEXT")]
    text: String,
    /// Topic [default: client]
    #[arg(long)]
    topic: Option<String>,
    /// Type of the message [default: message]
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<String>,
    /// Messages with the same key can be delivered in order
    #[arg(long = "message-key", value_name = "KEY")]
    message_key: Option<String>,
    /// Your own id for the message: the same again is the same message
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Lines that wait to be sent.
const WAITING: usize = 1_024;
/// When no line came for so long the request ends, and the next line begins another.
const PAUSE: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.target.client(&[Role::Integrator, Role::Admin])?;
    if args.text != "-" {
        return send_one(&client, args).await;
    }
    if args.id.is_some() {
        bail!(
            "--id names one message; lines carry their ids themselves, as in {{\"id\":\"1\",\"text\":\"halo\"}}"
        );
    }
    send_lines(&client.for_streams()?, args).await
}

async fn send_one(client: &Client, args: Args) -> anyhow::Result<ExitCode> {
    let input = MessageInput {
        text: Some(args.text),
        topic: args.topic,
        message_type: args.message_type,
        key: args.message_key,
        data: None,
        id: args.id,
    };
    let call = Call::act_with("/v1/messages", &input);
    let accepted: MessageAccepted = client.once(&call).await.map_err(anyhow::Error::from)?;
    println!("{}", accepted.id);
    Ok(ExitCode::SUCCESS)
}

/// How many lines were answered, and how.
#[derive(Default)]
struct Told {
    sent: u64,
    refused: u64,
}

async fn send_lines(client: &Client, args: Args) -> anyhow::Result<ExitCode> {
    let (lines, mut coming) = mpsc::channel(WAITING);
    // Standard input blocks; its thread ends with the process.
    std::thread::spawn(move || read_lines(&args, &lines));
    let mut told = Told::default();
    while let Some(first) = coming.recv().await {
        let outcome = converse(client, first, &mut coming, &mut told).await;
        outcome.with_context(|| format!("{} lines were sent before", told.sent))?;
    }
    eprintln!("{} sent, {} refused", told.sent, told.refused);
    Ok(if told.refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One request: its body are the lines that come until none does for a while; each is answered.
async fn converse(
    client: &Client,
    first: String,
    coming: &mut mpsc::Receiver<String>,
    told: &mut Told,
) -> anyhow::Result<()> {
    let (body, mut pieces) = mpsc::channel::<String>(WAITING);
    let body_stream = stream::poll_fn(move |cx| {
        pieces
            .poll_recv(cx)
            .map(|piece| piece.map(Ok::<_, std::io::Error>))
    });
    let request = client
        .request(Method::POST, "/v1/messages")
        .header(CONTENT_TYPE, "application/x-ndjson")
        .body(Body::wrap_stream(body_stream));
    let feeding = async {
        let mut next = Some(first);
        while let Some(line) = next {
            if body.send(line).await.is_err() {
                break;
            }
            next = tokio::time::timeout(PAUSE, coming.recv())
                .await
                .ok()
                .flatten();
        }
        drop(body);
    };
    let hearing = async {
        let response = client.open(request).await.map_err(anyhow::Error::from)?;
        let mut answers = response.bytes_stream();
        let mut read = Vec::new();
        while let Some(piece) = answers.next().await {
            read.extend_from_slice(&piece.context(
                "the connection broke; send the lines without an id in the answer again",
            )?);
            while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = read.drain(..=end).collect();
                told.hear(&line)?;
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    tokio::pin!(feeding, hearing);
    let mut fed = false;
    loop {
        tokio::select! {
            () = &mut feeding, if !fed => fed = true,
            heard = &mut hearing => return heard,
        }
    }
}

impl Told {
    fn hear(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let answer: Value = serde_json::from_slice(line).context("an answer cannot be read")?;
        match answer["id"].as_str() {
            Some(id) => {
                self.sent += 1;
                println!("{id}");
            }
            None => {
                self.refused += 1;
                let why = answer["detail"].as_str().or(answer["title"].as_str());
                eprintln!("line {}: {}", answer["line"], why.unwrap_or("refused"));
            }
        }
        std::io::stdout().flush()?;
        Ok(())
    }
}

fn read_lines(args: &Args, lines: &mpsc::Sender<String>) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else {
            eprintln!("pasar: standard input is not UTF-8; send the rest in UTF-8");
            return;
        };
        if line.trim().is_empty() {
            continue;
        }
        if lines.blocking_send(message(args, line) + "\n").is_err() {
            return;
        }
    }
}

/// A line as a message in JSON. What the flags say holds where the line does not say it.
fn message(args: &Args, line: String) -> String {
    let mut message = match serde_json::from_str(&line) {
        Ok(Value::Object(message)) => message,
        Ok(_) | Err(_) => [("text".to_owned(), Value::String(line))]
            .into_iter()
            .collect(),
    };
    let is_event = message.contains_key("specversion");
    for (name, value) in [
        ("topic", &args.topic),
        ("type", &args.message_type),
        (
            if is_event { "partitionkey" } else { "key" },
            &args.message_key,
        ),
    ] {
        if let Some(value) = value {
            message.entry(name).or_insert_with(|| value.clone().into());
        }
    }
    Value::Object(message).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_line_is_a_message_or_text_and_flags_fill_what_it_does_not_say() {
        let args = Args {
            text: "-".to_owned(),
            topic: Some("t".to_owned()),
            message_type: None,
            message_key: Some("k".to_owned()),
            id: None,
            target: Target {
                url: None,
                key: None,
                data: PathBuf::from("nowhere"),
            },
        };
        let check = |line: &str, expected: &str| {
            let message: Value = serde_json::from_str(&message(&args, line.to_owned())).unwrap();
            assert_eq!(message, serde_json::from_str::<Value>(expected).unwrap());
        };
        check("halo", r#"{"text":"halo","topic":"t","key":"k"}"#);
        check("12", r#"{"text":"12","topic":"t","key":"k"}"#);
        check(
            r#"{"data":1,"key":"own"}"#,
            r#"{"data":1,"topic":"t","key":"own"}"#,
        );
        check(
            r#"{"specversion":"1.0"}"#,
            r#"{"specversion":"1.0","topic":"t","partitionkey":"k"}"#,
        );
    }
}

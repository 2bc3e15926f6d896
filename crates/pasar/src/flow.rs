//! `pasar flow ID`: what happened because of one request, as a timeline, and what it still waits for.

use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode};

use anyhow::{Context as _, bail};
use pasar_contracts::api::{
    flows::{
        DeliveryState, Flow, FlowDelivery, FlowMessage, FlowStep, MAX_FLOW_LIMIT, Waiting,
        WaitingDelivery, WaitingFrom,
    },
    users::Role,
};
use pasar_types::time::Timestamp;

use crate::client::{Call, Client, Target, Waits};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// A flow, or anything in it: an order, a payment, a message, a request
    id: String,
    #[command(flatten)]
    target: Target,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// A longer flow is cut: it is one bulk request of very many messages.
const MOST_PAGES: usize = 25;
/// Deeper effects are not moved further to the right.
const DEEPEST: usize = 12;

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.target.client(&[Role::Staff, Role::Admin])?;
    let flow = fetch(&client, &args.id).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&flow)?);
    } else {
        print!("{}", Timeline::new(&flow).text());
    }
    Ok(ExitCode::SUCCESS)
}

/// All pages as one flow, up to the most.
async fn fetch(client: &Client, id: &str) -> anyhow::Result<Flow> {
    let path = path_of(id)?;
    let mut whole: Option<Flow> = None;
    for _ in 0..MOST_PAGES {
        let cursor = whole.as_ref().and_then(|flow| flow.next_cursor.clone());
        let mut path = format!("{path}?limit={MAX_FLOW_LIMIT}");
        if let Some(cursor) = cursor {
            let _ = write!(path, "&cursor={cursor}");
        }
        let page: Flow = client
            .call(&Call::get(path), &mut Waits::default())
            .await
            .map_err(anyhow::Error::from)
            .with_context(|| format!("cannot show the flow of {id}"))?;
        let next = page.next_cursor.clone();
        match &mut whole {
            Some(flow) => {
                flow.steps.extend(page.steps);
                flow.waiting_for.extend(page.waiting_for);
                flow.next_cursor.clone_from(&next);
            }
            None => whole = Some(page),
        }
        if next.is_none() {
            break;
        }
    }
    whole.context("a flow has a first page")
}

/// The id may hold what a path may not.
fn path_of(id: &str) -> anyhow::Result<String> {
    if id.is_empty() || id.chars().all(|each| each == '.') {
        bail!("{id:?} is no id; give that of an order, a message, a request or a flow");
    }
    let mut url = reqwest::Url::parse("http://pasar/v1/flows/").context("a constant parses")?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(id);
    }
    Ok(url.path().to_owned())
}

/// A flow as lines of text.
struct Timeline<'f> {
    flow: &'f Flow,
    begun: Option<Timestamp>,
    /// How far to the right the effects of each message stand.
    depths: BTreeMap<&'f str, usize>,
    text: String,
}

impl<'f> Timeline<'f> {
    fn new(flow: &'f Flow) -> Self {
        let begun = flow.steps.iter().map(at).min();
        Self {
            flow,
            begun,
            depths: BTreeMap::new(),
            text: String::new(),
        }
    }

    fn text(mut self) -> String {
        let flow = self.flow;
        let begun = self.begun.map(|at| at.to_string()).unwrap_or_default();
        let _ = writeln!(self.text, "{} from {begun}", flow.id);
        for step in &flow.steps {
            match step {
                FlowStep::Message(message) => self.message(message),
                FlowStep::Delivery(delivery) => self.delivery(delivery),
            }
        }
        if flow.next_cursor.is_some() {
            let shown = flow.steps.len();
            let _ = writeln!(
                self.text,
                "it is longer: only the first {shown} steps are shown"
            );
        }
        if flow.waiting_for.is_empty() {
            self.text.push_str("waiting for nothing\n");
        } else {
            self.text.push_str("waiting for\n");
        }
        for waiting in &flow.waiting_for {
            let line = waiting_for(waiting);
            let _ = writeln!(self.text, "  {line}");
        }
        self.text
    }

    fn message(&mut self, message: &'f FlowMessage) {
        let cause = message.cause.as_deref();
        let depth = match cause.and_then(|cause| self.depths.get(cause)) {
            Some(depth) => depth + 1,
            None => 0,
        };
        self.depths.insert(&message.id, depth);
        let mut line = format!(
            "{}  {}",
            plain(&message.message_type),
            plain(&message.topic)
        );
        if let Some(key) = &message.key {
            let _ = write!(line, " {}", plain(key));
        }
        // Within the flow the place to the right tells the cause.
        if depth == 0 {
            let _ = write!(line, "  by {}", plain(&message.actor));
            if let Some(cause) = cause {
                let _ = write!(line, ", because of {}", plain(cause));
            }
        }
        let _ = write!(line, "  {}", plain(&message.id));
        self.line(message.at, depth, &line);
    }

    fn delivery(&mut self, delivery: &'f FlowDelivery) {
        let attempt = &delivery.attempt;
        let depth = self
            .depths
            .get(attempt.message_id.as_str())
            .copied()
            .unwrap_or_default()
            + 1;
        let id = attempt.subscription_id.to_string();
        let to = delivery.subscription.as_deref().unwrap_or(&id);
        let kind = delivery.destination.as_deref().unwrap_or("deleted");
        let outcome = if attempt.delivered {
            "delivered"
        } else {
            "failed"
        };
        let mut line = format!(
            "-> {} ({}) attempt {}: {outcome}",
            plain(to),
            plain(kind),
            attempt.attempt
        );
        if let Some(status) = attempt.status {
            let _ = write!(line, ", {status}");
        }
        let _ = write!(line, ", {:.1} ms", attempt.took_ms);
        if !attempt.delivered {
            if let Some(detail) = &attempt.detail {
                let _ = write!(line, ": {}", plain(detail));
            }
            if let Some(next) = attempt.next_at {
                let _ = write!(line, "; again at {next}");
            }
        }
        self.line(attempt.at, depth, &line);
    }

    fn line(&mut self, at: Timestamp, depth: usize, line: &str) {
        let after = self
            .begun
            .map_or(0, |begun| at.as_micros() - begun.as_micros());
        let indent = 2 * depth.min(DEEPEST);
        let _ = writeln!(self.text, "{:>11}  {:indent$}{line}", span(after), "");
    }
}

const fn at(step: &FlowStep) -> Timestamp {
    match step {
        FlowStep::Message(message) => message.at,
        FlowStep::Delivery(delivery) => delivery.attempt.at,
    }
}

fn waiting_for(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Event(event) => {
            let from = match event.from {
                WaitingFrom::Orders => "orders",
                WaitingFrom::Inventory => "inventory",
                WaitingFrom::Payments => "payments",
                WaitingFrom::Staff => "staff",
                WaitingFrom::Customer => "the customer",
            };
            let types = event.one_of.join(" or ");
            format!(
                "{from}: {types} of {}, since {}",
                plain(&event.key),
                event.since
            )
        }
        Waiting::Delivery(delivery) => {
            let id = delivery.subscription_id.to_string();
            let to = plain(delivery.subscription.as_deref().unwrap_or(&id));
            format!("{to}: {} {}", plain(&delivery.message_id), why(delivery))
        }
    }
}

fn why(delivery: &WaitingDelivery) -> String {
    let mut why = match delivery.state {
        DeliveryState::InFlight => "is on its way".to_owned(),
        DeliveryState::Retrying => match delivery.due {
            Some(due) => format!("attempt {} failed, again at {due}", delivery.attempts),
            None => format!("attempt {} failed", delivery.attempts),
        },
        DeliveryState::Held => match delivery.behind {
            Some(behind) => format!("waits behind the message at position {behind}"),
            None => "waits behind another".to_owned(),
        },
        DeliveryState::Paused => "waits until the subscription is resumed".to_owned(),
        DeliveryState::Disabled => {
            "waits until the destination is mended and the subscription resumed".to_owned()
        }
        DeliveryState::DeadLetter => format!(
            "was given up after {} attempts; replay it when the cause is mended",
            delivery.attempts
        ),
    };
    if let Some(error) = &delivery.last_error {
        let _ = write!(why, ": {}", plain(error));
    }
    why
}

/// Microseconds as people read them.
fn span(micros: i64) -> String {
    let (ms, seconds) = (micros / 1_000, micros / 1_000_000);
    if ms == 0 {
        format!("+{micros} us")
    } else if seconds == 0 {
        format!("+{ms}.{} ms", micros % 1_000 / 100)
    } else if seconds < 60 {
        format!("+{seconds}.{:02} s", micros % 1_000_000 / 10_000)
    } else {
        format!("+{} min {} s", seconds / 60, seconds % 60)
    }
}

/// What others wrote must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|each| if each.is_control() { '\u{fffd}' } else { each })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn flow(steps: &Value, waiting_for: &Value) -> Flow {
        serde_json::from_value(json!({
            "id": "flw_01h455vb4pex5vsknk084sn02q", "steps": steps, "waiting_for": waiting_for,
        }))
        .unwrap()
    }

    fn message(id: &str, at: &str, kind: &str, cause: &str) -> Value {
        json!({
            "kind": "message", "position": 1, "at": at, "topic": "orders", "id": id, "type": kind,
            "key": "ord_1", "actor": "user:usr_1", "cause": cause, "data_bytes": 2, "data": {},
        })
    }

    #[test]
    fn a_timeline_is_indented_by_cause_and_timed_from_its_begin() {
        let subscription = "sub_01h455vb4pex5vsknk084sn02q";
        let steps = json!([
            message("evt_1", "2026-11-25T10:00:00Z", "order.placed.v1", "req_1"),
            message("evt_2", "2026-11-25T10:00:00.0034Z", "stock.reserved.v1", "evt_1"),
            {
                "kind": "delivery", "subscription": "kitchen", "destination": "rest",
                "subscription_id": subscription, "position": 2, "message_id": "evt_2", "attempt": 1,
                "at": "2026-11-25T10:00:01.25Z", "took_ms": 12.04, "delivered": false, "status": 503,
                "detail": "no \u{1b}[31mpaper", "next_at": "2026-11-25T10:01:00Z",
            },
        ]);
        let waiting = json!([
            {
                "kind": "event", "key": "ord_1", "from": "payments", "since": "2026-11-25T10:00:00Z",
                "one_of": ["payment.authorized.v1", "payment.declined.v1"],
            },
            {
                "kind": "delivery", "subscription_id": subscription, "subscription": "kitchen",
                "position": 2, "message_id": "evt_2", "state": "retrying", "attempts": 1,
                "due": "2026-11-25T10:01:00Z",
            },
        ]);
        let flow = flow(&steps, &waiting);
        let text = Timeline::new(&flow).text();
        let expected = "\
flw_01h455vb4pex5vsknk084sn02q from 2026-11-25T10:00:00Z
      +0 us  order.placed.v1  orders ord_1  by user:usr_1, because of req_1  evt_1
    +3.4 ms    stock.reserved.v1  orders ord_1  evt_2
    +1.25 s      -> kitchen (rest) attempt 1: failed, 503, 12.0 ms: no \u{fffd}[31mpaper; again at 2026-11-25T10:01:00Z
waiting for
  payments: payment.authorized.v1 or payment.declined.v1 of ord_1, since 2026-11-25T10:00:00Z
  kitchen: evt_2 attempt 1 failed, again at 2026-11-25T10:01:00Z
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_id_that_no_path_may_hold_is_encoded() {
        assert_eq!(path_of("a/b?c d").unwrap(), "/v1/flows/a%2Fb%3Fc%20d");
        assert!(path_of("..").is_err());
        assert!(path_of("").is_err());
    }

    #[test]
    fn spans_are_readable() {
        for (micros, text) in [
            (0, "+0 us"),
            (12_340, "+12.3 ms"),
            (1_250_000, "+1.25 s"),
            (185_000_000, "+3 min 5 s"),
        ] {
            assert_eq!(span(micros), text);
        }
    }
}

//! A body of lines (NDJSON), read as it comes. What waits is committed together, while the next lines are
//! read; each line is answered once its batch is durable.
//!
//! Nothing is read while the client does not take its answers, so that neither side of it grows here. A client
//! must therefore read while it sends.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{future::BoxFuture, stream};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use pasar_chassis::problem::Problem;
use pasar_contracts::problem::ProblemType;
use pasar_store::{fault::Fault, lane::Class};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Api,
    messages::{id_reused, lane_of, line_bytes},
    sender::Sender,
};
use crate::{
    commands::append_messages::{AppendMessages, Appended, Flows, NewMessage, append_messages},
    input::{
        Terms, cloudevent,
        lines::{self, Line, Text},
        media_type, plain,
    },
};

/// Lines that are committed together at most, and the bytes of their data.
const MOST_LINES: usize = 256;
const MOST_BYTES: usize = 1024 * 1024;
/// How long lines wait for a lane that takes no more work, before it is asked again.
const OVERLOAD_PAUSE: Duration = Duration::from_millis(50);
/// How often it is asked; then the lines are refused.
const OVERLOAD_TRIES: u32 = 200;

/// One body on its way into the log.
pub(super) struct Lines {
    api: Arc<Api>,
    sender: Sender,
    topic: Option<String>,
    lines: lines::Lines,
    gathered: Gathered,
    committing: Option<Committing>,
    /// What is said after all lines, if the body did not end well.
    last_words: Option<Problem>,
    draining: Pin<Box<dyn Future<Output = ()> + Send>>,
    body: Option<Body>,
}

/// What was read and is not committed yet.
#[derive(Default)]
struct Gathered {
    /// In the order of lines: what is wrong with one, or that the next of `messages` is its.
    verdicts: Vec<Verdict>,
    messages: Vec<NewMessage>,
    bytes: usize,
}

struct Verdict {
    line: u64,
    problem: Option<Problem>,
}

struct Committing {
    verdicts: Vec<Verdict>,
    outcome: BoxFuture<'static, Result<Vec<Appended>, Fault>>,
}

impl Lines {
    pub(super) fn new(api: Arc<Api>, sender: Sender, topic: Option<String>) -> Self {
        let tasks = api.host.tasks.clone();
        Self {
            lines: lines::Lines::new(line_bytes(api.data_bytes())),
            api,
            sender,
            topic,
            gathered: Gathered::default(),
            committing: None,
            last_words: None,
            draining: Box::pin(async move { tasks.draining().await }),
            body: None,
        }
    }

    /// Waits for the first piece of the body, so that a client that asks before it sends is told to go on.
    pub(super) async fn answer(mut self, body: Body) -> Result<Response, Problem> {
        self.body = Some(body);
        let piece = self.piece().await;
        self.take(piece);
        if let (Some(problem), None) = (&self.last_words, &self.body)
            && self.lines.ended() == 0
        {
            return Err(Problem::new(problem.kind()).detail("the body did not arrive whole"));
        }
        let answers = stream::unfold(self, async |mut lines| {
            let answer = lines.next_answer().await?;
            Some((Ok::<_, std::convert::Infallible>(answer), lines))
        });
        let mut response = (StatusCode::OK, Body::from_stream(answers)).into_response();
        let lines = HeaderValue::from_static(media_type::LINES);
        response.headers_mut().insert(CONTENT_TYPE, lines);
        Ok(response)
    }

    /// The answers to the lines of one batch; `None` once all lines are answered.
    async fn next_answer(&mut self) -> Option<Bytes> {
        loop {
            let wants_more = self.gather() && self.body.is_some();
            if self.committing.is_none() && !self.gathered.verdicts.is_empty() {
                self.commit();
                continue;
            }
            let Some(committing) = &mut self.committing else {
                if wants_more {
                    let piece = self.piece().await;
                    self.take(piece);
                    continue;
                }
                let last_words = self.last_words.take()?;
                let line = self.lines.ended() + 1;
                let mut answer = Vec::new();
                write_problem(&mut answer, &last_words, line);
                return Some(answer.into());
            };
            let outcome = match (&mut self.body, wants_more) {
                (Some(body), true) => tokio::select! {
                    biased;
                    outcome = &mut committing.outcome => outcome,
                    piece = next_piece(body, &mut self.draining) => {
                        self.take(piece);
                        continue;
                    }
                },
                _ => (&mut committing.outcome).await,
            };
            let committed = self.committing.take()?;
            return Some(self.answers(committed.verdicts, outcome));
        }
    }

    async fn piece(&mut self) -> Piece {
        match &mut self.body {
            Some(body) => next_piece(body, &mut self.draining).await,
            None => Piece::End,
        }
    }

    fn take(&mut self, piece: Piece) {
        let line = self.lines.ended() + 1;
        let (kind, detail) = match piece {
            Piece::Bytes(bytes) => return self.lines.push(bytes),
            Piece::End => {
                self.body = None;
                if let Some(line) = self.lines.finish() {
                    self.read(&line);
                }
                return;
            }
            Piece::Broken => (
                ProblemType::InvalidRequest,
                format!(
                    "the body broke off, or nothing came of it for too long; send again from line {line} on"
                ),
            ),
            Piece::Draining => (
                ProblemType::Unavailable,
                format!("the system is going down; send again from line {line} on"),
            ),
        };
        self.body = None;
        self.last_words = Some(Problem::new(kind).detail(detail));
    }

    /// Reads lines until the batch is full or the next line has not come whole; then it is `true`.
    fn gather(&mut self) -> bool {
        while !self.gathered.is_full() {
            match self.lines.next() {
                Some(line) => self.read(&line),
                None => return true,
            }
        }
        false
    }

    fn read(&mut self, line: &Line) {
        let problem = match self.read_message(&line.text) {
            Ok(new) => {
                self.gathered.bytes += new.message.data.len();
                self.gathered.messages.push(new);
                None
            }
            Err(problem) => Some(problem),
        };
        self.gathered.verdicts.push(Verdict {
            line: line.number,
            problem,
        });
    }

    fn read_message(&mut self, text: &Text) -> Result<NewMessage, Problem> {
        let data_bytes = self.api.data_bytes();
        let Text::Whole(text) = text else {
            let most = line_bytes(data_bytes);
            return Err(Problem::new(ProblemType::PayloadTooLarge)
                .detail(format!("a line may have at most {most} bytes"))
                .with("limit_bytes", most));
        };
        let terms = Terms {
            now: self.api.host.clock.now(),
            data_bytes,
            topic: self.topic.as_deref(),
        };
        let text = std::str::from_utf8(text).map_err(|error| {
            Problem::new(ProblemType::InvalidRequest).detail(format!("not UTF-8: {error}"))
        })?;
        let new = if is_event(text) {
            cloudevent::read(text.as_bytes(), terms)?
        } else {
            plain::read(text.as_bytes(), terms)?
        };
        self.sender.check(&new.message.topic)?;
        Ok(new)
    }

    fn commit(&mut self) {
        let Gathered {
            verdicts, messages, ..
        } = std::mem::take(&mut self.gathered);
        let outcome = commit(Arc::clone(&self.api), &self.sender, messages);
        self.committing = Some(Committing {
            verdicts,
            outcome: Box::pin(outcome),
        });
    }

    /// A line for each line of a batch. A fault ends the body: what it stopped would stop the rest, too.
    fn answers(&mut self, verdicts: Vec<Verdict>, outcome: Result<Vec<Appended>, Fault>) -> Bytes {
        let mut answer = Vec::with_capacity(verdicts.len() * 40);
        let (appended, fault) = match outcome {
            Ok(appended) => (appended, None),
            Err(fault) => (Vec::new(), Some(Problem::from(fault))),
        };
        let mut appended = appended.into_iter();
        for Verdict { line, problem } in verdicts {
            match (problem, &fault) {
                (Some(problem), _) => write_problem(&mut answer, &problem, line),
                (None, Some(fault)) => write_problem(&mut answer, fault, line),
                (None, None) => match appended.next() {
                    Some(Appended::New(message) | Appended::Before(message)) => {
                        write_id(&mut answer, &message.id);
                    }
                    Some(Appended::IdReused) => write_problem(&mut answer, &id_reused(None), line),
                    None => {
                        let defect = Problem::defect("a line was committed without an outcome");
                        write_problem(&mut answer, &defect, line);
                    }
                },
            }
        }
        if fault.is_some() {
            self.body = None;
            self.lines = lines::Lines::new(0);
            self.gathered = Gathered::default();
        }
        answer.into()
    }
}

impl Gathered {
    fn is_full(&self) -> bool {
        self.verdicts.len() >= MOST_LINES || self.bytes >= MOST_BYTES
    }
}

/// What came of a body.
enum Piece {
    Bytes(Bytes),
    End,
    Broken,
    Draining,
}

async fn next_piece(
    body: &mut Body,
    draining: &mut Pin<Box<dyn Future<Output = ()> + Send>>,
) -> Piece {
    tokio::select! {
        biased;
        () = draining => Piece::Draining,
        frame = body.frame() => match frame {
            Some(Ok(frame)) => frame.into_data().map_or(Piece::Bytes(Bytes::new()), Piece::Bytes),
            Some(Err(_)) => Piece::Broken,
            None => Piece::End,
        },
    }
}

/// Commits a batch. A lane that takes no new work for the moment is asked again: the client is held back by not
/// being read.
fn commit(
    api: Arc<Api>,
    sender: &Sender,
    messages: Vec<NewMessage>,
) -> impl Future<Output = Result<Vec<Appended>, Fault>> + Send + 'static {
    let (lane, weight, cause) = (lane_of(&messages), messages.len(), sender.cause.clone());
    let command = Arc::new(Mutex::new(AppendMessages {
        messages,
        flows: Flows::OneEach,
    }));
    async move {
        if weight == 0 {
            return Ok(Vec::new());
        }
        let mut tries = 0;
        loop {
            let command = Arc::clone(&command);
            let appended = api
                .log
                .store()
                .write_weighing(weight, lane, Class::New, cause.clone(), move |ctx| {
                    append_messages(ctx, &mut command.lock())
                })
                .await;
            match appended {
                Err(Fault::Overloaded { .. }) if tries < OVERLOAD_TRIES => {
                    tries += 1;
                    let due = api.host.clock.now() + OVERLOAD_PAUSE;
                    api.host.sleeper.sleep_until(due).await;
                }
                appended => return appended,
            }
        }
    }
}

/// Whether a line is a CloudEvent. The name may also stand somewhere in the data: then the line is looked into.
fn is_event(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Probe<'l> {
        #[serde(borrow)]
        specversion: Option<&'l RawValue>,
    }
    line.contains("\"specversion\"")
        && serde_json::from_str::<Probe<'_>>(line).is_ok_and(|probe| probe.specversion.is_some())
}

fn write_id(answer: &mut Vec<u8>, id: &str) {
    answer.extend_from_slice(b"{\"id\":");
    // Writing a text to memory does not fail.
    let _ = serde_json::to_writer(&mut *answer, id);
    answer.extend_from_slice(b"}\n");
}

fn write_problem(answer: &mut Vec<u8>, problem: &Problem, line: u64) {
    let mut body = problem.to_json();
    body["line"] = line.into();
    let _ = serde_json::to_writer(&mut *answer, &body);
    answer.push(b'\n');
}

//! A stream of events, server-sent or of gRPC: what a reader takes, heartbeats in between.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use pasar_chassis::{host::Host, problem::Chain, sleeper::Sleeper, sse::HEARTBEAT};
use pasar_contracts::api::relay::{Format, Start};
use pasar_feed::tasks::Tasks;
use pasar_store::{clock::Clock, fault::Fault};
use pasar_types::time::Timestamp;

use super::{
    cursor::{Cursor, Gap, Taken},
    entry::Encoding,
    group::Bell,
    hub::Live,
    interest::Interest,
    protobuf, sse,
};

/// The form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Sse(Format),
    Protobuf,
}

pub(crate) struct EventStream {
    pub(super) form: Form,
    pub(super) cursor: Cursor,
    pub(super) bell: Bell,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sleeper: Arc<dyn Sleeper>,
    begun: bool,
    sent_at: Timestamp,
    /// Looked at when it fires, and moved only then: an event costs no timer.
    timer: Option<Timer>,
}

pub(crate) type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

impl EventStream {
    pub(crate) fn new(
        host: &Host,
        live: &Live,
        interest: Interest,
        form: Form,
        start: Start,
    ) -> Result<Self, Fault> {
        let bell = Bell::default();
        let encoding = match form {
            Form::Sse(format) => Encoding::Sse(format),
            Form::Protobuf => Encoding::Protobuf,
        };
        let cursor = live.join(interest, encoding, start, Arc::clone(&bell))?;
        Ok(Self {
            form,
            cursor,
            bell,
            sent_at: host.clock.now(),
            clock: Arc::clone(&host.clock),
            sleeper: Arc::clone(&host.sleeper),
            begun: false,
            timer: None,
        })
    }

    /// What comes next, in pieces that belong together. `None` if the log cannot be read. May be dropped
    /// while it waits.
    pub(crate) async fn next(&mut self) -> Option<Vec<Bytes>> {
        if !self.begun {
            // Shows where it begins: one that breaks before its first event resumes from there.
            self.begun = true;
            return Some(vec![self.form.place(self.cursor.position())]);
        }
        loop {
            match self.cursor.take_frames() {
                Ok(Taken::Some(frames)) => {
                    self.sent_at = self.clock.now();
                    return Some(frames);
                }
                Ok(Taken::Gap(gap)) => return Some(vec![self.form.gap(gap)]),
                Ok(Taken::Passed) => tokio::task::yield_now().await,
                Ok(Taken::Nothing) => {
                    if self.wait().await {
                        return Some(vec![self.form.place(self.cursor.position())]);
                    }
                }
                Err(fault) => {
                    tracing::error!(fault = %Chain(&fault), "a live stream ends early");
                    return None;
                }
            }
        }
    }

    /// All of it, one piece after the other, until the process drains.
    pub(crate) fn into_stream(self, tasks: &Tasks) -> impl Stream<Item = Bytes> + Send + use<> {
        let tasks = tasks.clone();
        let pieces = stream::unfold(self, async |mut events| {
            let pieces = events.next().await?;
            Some((stream::iter(pieces), events))
        });
        pieces
            .flatten()
            .take_until(async move { tasks.draining().await })
    }

    /// Waits for the bell; true if a heartbeat is due instead.
    async fn wait(&mut self) -> bool {
        let due = self.sent_at + HEARTBEAT;
        let sleeper = &self.sleeper;
        let timer = self.timer.get_or_insert_with(|| timer(sleeper, due));
        tokio::select! {
            biased;
            () = self.bell.notified() => return false,
            () = timer => {}
        }
        self.timer = None;
        let now = self.clock.now();
        let is_due = now >= due;
        if is_due {
            self.sent_at = now;
        }
        is_due
    }
}

impl Form {
    /// Shows that the stream lives and how far it is.
    pub(super) fn place(self, position: i64) -> Bytes {
        match self {
            Self::Sse(_) => sse::heartbeat(position),
            Self::Protobuf => protobuf::position(position),
        }
    }

    pub(super) fn gap(self, gap: Gap) -> Bytes {
        match self {
            Self::Sse(_) => sse::gap(gap),
            Self::Protobuf => protobuf::gap(gap),
        }
    }
}

/// A wait that may end early.
pub(crate) fn timer(sleeper: &Arc<dyn Sleeper>, due: Timestamp) -> Timer {
    let sleeper = Arc::clone(sleeper);
    Box::pin(async move { sleeper.sleep_until(due).await })
}

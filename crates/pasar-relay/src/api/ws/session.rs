//! One WebSocket: what it is subscribed to, and the turns of reading and sending.

use std::{collections::VecDeque, future::poll_fn, io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use pasar_chassis::{
    handover::{Ended, Socket},
    identity::{ClientAddress, Identity},
    problem::{Chain, Problem},
};
use pasar_contracts::problem::ProblemType;
use pasar_store::fault::Fault;
use pasar_types::time::Timestamp;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, ReadHalf};

use super::frames::{self, Frame, Placed, Reply, Subscribe};
use crate::{
    api::{Api, streams::admit, streams::type_patterns},
    live::{
        cursor::{Cursor, Taken},
        direct::poll_send,
        entry::Encoding,
        events::{Timer, timer},
        group::Bell,
        interest::Interest,
        websocket::{self, Close, Decoder, Incoming},
    },
};

pub(super) struct Session {
    api: Arc<Api>,
    identity: Identity,
    address: ClientAddress,
    bell: Bell,
    subscriptions: Vec<Subscription>,
    /// Whose turn it is.
    next: usize,
    decoder: Decoder,
    out: Vec<Bytes>,
    allowance: Allowance,
    heard_at: Timestamp,
    pinged: bool,
}

struct Subscription {
    id: Arc<str>,
    cursor: Cursor,
    /// Positions that were sent and not acknowledged; only where acknowledgements were asked for.
    unacknowledged: Option<VecDeque<i64>>,
}

/// How many frames a client may send: so many at once, and so many a second.
struct Allowance {
    frames: f64,
    at: Duration,
}

const MAX_SUBSCRIPTIONS: usize = 64;
/// Messages that are sent before the first of them is acknowledged.
const WINDOW: usize = 256;
/// A client that is silent for so long is pinged, and let go after as long again.
const SILENCE: Duration = Duration::from_secs(30);
const FRAMES_AT_ONCE: f64 = 200.0;
const FRAMES_PER_S: f64 = 50.0;
/// Answers that wait for a client to take them. It is not read from while there are more.
const MAX_WAITING: usize = 64;
/// Pages that a reader which is behind may pass over before others have their turn.
const PAGES: usize = 4;

/// What a turn of sending found.
enum Turn {
    Something,
    Nothing,
    /// There is more to look through.
    Again,
}

impl Session {
    pub(super) fn new(api: Arc<Api>, identity: Identity, address: ClientAddress) -> Self {
        Self {
            heard_at: api.host.clock.now(),
            allowance: Allowance {
                frames: FRAMES_AT_ONCE,
                at: api.host.clock.monotonic(),
            },
            api,
            identity,
            address,
            bell: Bell::default(),
            subscriptions: Vec::new(),
            next: 0,
            decoder: Decoder::default(),
            out: Vec::new(),
            pinged: false,
        }
    }

    /// Runs until the client closes, its credentials end or the process drains.
    pub(super) async fn run(mut self, socket: Socket, ended: Ended) {
        let (mut reader, mut writer) = tokio::io::split(socket);
        let conversation = self.converse(&mut reader, &mut writer, ended);
        let Ok((close, reason)) = conversation.await else {
            // There is nobody to tell.
            return;
        };
        self.out.push(websocket::close(close, reason));
        // What the client is still sending is read, or the system would take the close frame back.
        let goodbye = async {
            poll_fn(|cx| poll_send(&mut writer, &mut self.out, cx)).await?;
            writer.shutdown().await?;
            while read(&mut reader, &mut Decoder::default()).await.is_ok() {}
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(LAST_WORDS, goodbye).await;
    }

    async fn converse(
        &mut self,
        reader: &mut ReadHalf<Socket>,
        writer: &mut tokio::io::WriteHalf<Socket>,
        ended: Ended,
    ) -> io::Result<(Close, &'static str)> {
        let tasks = self.api.host.tasks.clone();
        let bell = Arc::clone(&self.bell);
        let mut ended = ended;
        let mut draining = std::pin::pin!(async move { tasks.draining().await });
        let mut silence: Option<Timer> = None;
        loop {
            let turn = if self.out.is_empty() {
                match self.turn() {
                    Ok(turn) => turn,
                    Err(fault) => {
                        tracing::error!(fault = %Chain(&fault), "a WebSocket ends early");
                        return Ok((Close::Internal, "the log cannot be read"));
                    }
                }
            } else {
                Turn::Something
            };
            let due = self.heard_at + SILENCE;
            let sleeper = &self.api.host.sleeper;
            let timer = silence.get_or_insert_with(|| timer(sleeper, due));
            let out = &mut self.out;
            let is_sending = !out.is_empty();
            let takes_more = out.len() < MAX_WAITING;
            tokio::select! {
                biased;
                () = &mut ended => return Ok((Close::Policy, "the credentials are not valid any more")),
                () = &mut draining => return Ok((Close::GoingAway, "the relay is going down")),
                read = read(reader, &mut self.decoder), if takes_more => {
                    read?;
                    if let Some(close) = self.hear() {
                        return Ok(close);
                    }
                }
                sent = poll_fn(|cx| poll_send(&mut *writer, out, cx)), if is_sending => sent?,
                () = bell.notified(), if matches!(turn, Turn::Nothing) => {}
                () = tokio::task::yield_now(), if matches!(turn, Turn::Again) => {}
                () = timer => {
                    silence = None;
                    if !self.is_there() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
            }
        }
    }

    /// Takes what was read; answers why the connection has to end, if it has to.
    fn hear(&mut self) -> Option<(Close, &'static str)> {
        loop {
            let incoming = match self.decoder.next() {
                Ok(Some(incoming)) => incoming,
                Ok(None) => return None,
                Err(close) => return Some((close, "")),
            };
            self.heard_at = self.api.host.clock.now();
            self.pinged = false;
            if !self.allowance.take(self.api.host.clock.monotonic()) {
                let problem = Problem::new(ProblemType::TooManyRequests);
                self.out.push(frames::error(None, &problem));
                return Some((Close::Policy, "too many frames"));
            }
            match incoming {
                Incoming::Close => return Some((Close::Normal, "")),
                Incoming::Ping(payload) => self.out.push(websocket::pong(&payload)),
                Incoming::Pong => {}
                Incoming::Text(text) => self.take(&text),
            }
        }
    }

    fn take(&mut self, text: &str) {
        let frame = match frames::parse(text) {
            Ok(frame) => frame,
            Err(problem) => return self.out.push(frames::error(None, &problem)),
        };
        let (id, done) = match frame {
            Frame::Subscribe(subscribe) => {
                let id = subscribe.id.clone();
                (id, self.subscribe(&subscribe))
            }
            Frame::Unsubscribe(named) => {
                let done = self.find(&named.id).map(|index| {
                    self.subscriptions.remove(index);
                    self.reply(&Reply::Unsubscribed { id: &named.id });
                });
                (named.id, done)
            }
            Frame::Resume(Placed { id, position }) => {
                let done = self.resume(&id, position);
                (id, done)
            }
            Frame::Ack(Placed { id, position }) => {
                let done = self.acknowledge(&id, position);
                (id, done)
            }
            Frame::Ping(_) => return self.reply(&Reply::Pong {}),
        };
        if let Err(problem) = done {
            self.out.push(frames::error(Some(&id), &problem));
        }
    }

    fn subscribe(&mut self, wanted: &Subscribe) -> Result<(), Problem> {
        let start = wanted.check()?;
        if self.find(&wanted.id).is_ok() {
            return Err(Problem::new(ProblemType::Conflict)
                .detail("there is a subscription with this id: unsubscribe it first"));
        }
        if self.subscriptions.len() == MAX_SUBSCRIPTIONS {
            return Err(Problem::new(ProblemType::ValidationFailed).detail(format!(
                "a connection has at most {MAX_SUBSCRIPTIONS} subscriptions"
            )));
        }
        let topics = wanted.topics.iter();
        let topics: Result<Vec<_>, _> = topics
            .map(|topic| admit(&self.api, &self.identity, self.address, "topics", topic))
            .collect();
        let interest = Interest {
            topics: topics?,
            types: type_patterns(wanted.types.iter().map(String::as_str))?,
        };
        let id: Arc<str> = wanted.id.as_str().into();
        let encoding = Encoding::WebSocket(Arc::clone(&id), wanted.format);
        let bell = Arc::clone(&self.bell);
        let cursor = self.api.live.join(interest, encoding, start, bell)?;
        self.reply(&Reply::Subscribed {
            id: &id,
            position: cursor.position(),
        });
        self.subscriptions.push(Subscription {
            id,
            cursor,
            unacknowledged: wanted.acknowledge.then(VecDeque::new),
        });
        Ok(())
    }

    fn resume(&mut self, id: &str, position: i64) -> Result<(), Problem> {
        let start = frames::after(position)?;
        let index = self.find(id)?;
        let subscription = &mut self.subscriptions[index];
        subscription.cursor.go_to(start)?;
        if let Some(unacknowledged) = &mut subscription.unacknowledged {
            unacknowledged.clear();
        }
        let position = subscription.cursor.position();
        self.reply(&Reply::Subscribed { id, position });
        Ok(())
    }

    fn acknowledge(&mut self, id: &str, position: i64) -> Result<(), Problem> {
        let index = self.find(id)?;
        let Some(unacknowledged) = &mut self.subscriptions[index].unacknowledged else {
            return Err(Problem::new(ProblemType::Conflict)
                .detail("this subscription was made without acknowledge"));
        };
        while unacknowledged.front().is_some_and(|sent| *sent <= position) {
            unacknowledged.pop_front();
        }
        Ok(())
    }

    fn find(&self, id: &str) -> Result<usize, Problem> {
        let mut ids = self.subscriptions.iter().map(|known| &*known.id);
        ids.position(|known| known == id).ok_or_else(|| {
            Problem::new(ProblemType::NotFound).detail("there is no subscription with this id")
        })
    }

    fn reply(&mut self, reply: &Reply<'_>) {
        self.out.push(frames::reply(reply));
    }

    /// Asks the subscriptions, one after the other, for what is ready.
    fn turn(&mut self) -> Result<Turn, Fault> {
        let mut again = false;
        for _ in 0..self.subscriptions.len() {
            self.next = (self.next + 1) % self.subscriptions.len();
            let subscription = &mut self.subscriptions[self.next];
            match subscription.take(&mut self.out)? {
                Turn::Something => return Ok(Turn::Something),
                Turn::Nothing => {}
                Turn::Again => again = true,
            }
        }
        Ok(if again { Turn::Again } else { Turn::Nothing })
    }

    /// Pings who was silent; false if that was done and nothing came.
    fn is_there(&mut self) -> bool {
        if self.api.host.clock.now() < self.heard_at + SILENCE {
            return true;
        }
        if self.pinged {
            return false;
        }
        self.pinged = true;
        self.heard_at = self.api.host.clock.now();
        self.out.push(websocket::ping());
        true
    }
}

/// For the close frame, when everything else is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Subscription {
    fn take(&mut self, out: &mut Vec<Bytes>) -> Result<Turn, Fault> {
        for _ in 0..PAGES {
            let taken = match &self.unacknowledged {
                None => self.cursor.take_frames()?,
                Some(sent) if sent.len() >= WINDOW => return Ok(Turn::Nothing),
                Some(sent) => {
                    let most = WINDOW - sent.len();
                    self.one_by_one(most)?
                }
            };
            match taken {
                Taken::Some(frames) => {
                    out.extend(frames);
                    return Ok(Turn::Something);
                }
                Taken::Gap(gap) => {
                    out.push(frames::reply(&Reply::Gap {
                        id: &self.id,
                        after: gap.after,
                        upto: gap.upto,
                    }));
                    return Ok(Turn::Something);
                }
                Taken::Nothing => return Ok(Turn::Nothing),
                Taken::Passed => {}
            }
        }
        Ok(Turn::Again)
    }

    /// As many as the window takes, each noted.
    fn one_by_one(&mut self, most: usize) -> Result<Taken<Bytes>, Fault> {
        let taken = self.cursor.take_single(most)?;
        Ok(match taken {
            Taken::Some(frames) => {
                if let Some(sent) = &mut self.unacknowledged {
                    sent.extend(frames.iter().map(|(position, _)| *position));
                }
                Taken::Some(frames.into_iter().map(|(_, frame)| frame).collect())
            }
            Taken::Gap(gap) => Taken::Gap(gap),
            Taken::Passed => Taken::Passed,
            Taken::Nothing => Taken::Nothing,
        })
    }
}

impl Allowance {
    fn take(&mut self, now: Duration) -> bool {
        let since = now.saturating_sub(self.at).as_secs_f64();
        self.frames = (self.frames + since * FRAMES_PER_S).min(FRAMES_AT_ONCE);
        self.at = now;
        if self.frames < 1.0 {
            return false;
        }
        self.frames -= 1.0;
        true
    }
}

/// Reads once. An end is an error: a client says goodbye by a frame.
async fn read(reader: &mut ReadHalf<Socket>, decoder: &mut Decoder) -> io::Result<()> {
    poll_fn(|cx| {
        let mut bytes = [0; 4096];
        let mut buffer = ReadBuf::new(&mut bytes);
        std::task::ready!(Pin::new(&mut *reader).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            return std::task::Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        decoder.push(buffer.filled());
        std::task::Poll::Ready(Ok(()))
    })
    .await
}

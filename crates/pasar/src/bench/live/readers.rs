//! Many open streams, read on one thread into one buffer.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Notify, Semaphore},
    task::{JoinSet, spawn_local},
    time::timeout,
};

use super::{check_status, soon, target::Target};
use crate::latency::Latencies;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sse,
    WebSocket,
}

/// Open streams. They end when dropped.
pub(super) struct Readers {
    shared: Rc<Shared>,
    count: usize,
    _tasks: JoinSet<()>,
}

struct Shared {
    buffer: RefCell<Vec<u8>>,
    /// What the data of the last message holds.
    last: Vec<u8>,
    began: Instant,
    finished: Cell<usize>,
    broken: Cell<usize>,
    all: Notify,
    /// Of the streams that are looked at closely.
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    streams: u64,
    messages: u64,
    latencies: Latencies,
}

/// Connections that are made at the same time.
const AT_ONCE: usize = 64;
const BUFFER_BYTES: usize = 256 * 1024;
/// One in so many is looked at closely.
const SAMPLE: u32 = 50;

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sse => "SSE",
            Self::WebSocket => "WebSocket",
        }
    }
}

impl Readers {
    /// Opens so many streams, and reads until a message that holds `last`, if any is to come.
    pub(super) async fn open(
        target: &Target,
        kind: Kind,
        count: u32,
        last: Option<(&str, Instant)>,
    ) -> anyhow::Result<Self> {
        let shared = Rc::new(Shared {
            buffer: RefCell::new(vec![0; BUFFER_BYTES]),
            last: last.map_or_else(Vec::new, |(last, _)| last.as_bytes().to_vec()),
            began: last.map_or_else(Instant::now, |(_, began)| began),
            finished: Cell::new(0),
            broken: Cell::new(0),
            all: Notify::new(),
            seen: RefCell::default(),
        });
        let places = Rc::new(Semaphore::new(AT_ONCE));
        let mut opening = JoinSet::new();
        for _ in 0..count {
            let (target, places) = (target.clone(), Rc::clone(&places));
            opening.spawn_local(async move {
                let _place = places.acquire().await?;
                soon("opening a stream", open(&target, kind)).await
            });
        }
        let mut tasks = JoinSet::new();
        let mut number = 0;
        while let Some(opened) = opening.join_next().await {
            let stream = opened?.context(
                "a stream cannot be opened; `ulimit -n` must allow as many files as connections, and more",
            )?;
            let shared = Rc::clone(&shared);
            let sampled = number % SAMPLE == 0;
            number += 1;
            tasks.spawn_local(read(stream, shared, sampled));
        }
        Ok(Self {
            shared,
            count: count as usize,
            _tasks: tasks,
        })
    }

    /// None has been closed.
    pub(super) fn check_open(&self) -> anyhow::Result<()> {
        let broken = self.shared.broken.get();
        ensure!(broken == 0, "{broken} streams were closed by the system");
        Ok(())
    }

    /// Waits until all have the last message. Those that were looked at must have had every one.
    pub(super) async fn finish(
        self,
        patience: Duration,
        messages: u64,
    ) -> anyhow::Result<Latencies> {
        let shared = &self.shared;
        let all = async {
            while shared.finished.get() + shared.broken.get() < self.count {
                shared.all.notified().await;
            }
        };
        if timeout(patience, all).await.is_err() {
            bail!(
                "{} of {} subscribers had the last message in time",
                shared.finished.get(),
                self.count
            );
        }
        self.check_open()?;
        let seen = shared.seen.take();
        ensure!(
            seen.messages == seen.streams * messages,
            "{} streams that were looked at had {} messages, not {messages} each",
            seen.streams,
            seen.messages
        );
        Ok(seen.latencies)
    }
}

/// Opens a stream and reads the head of its answer.
async fn open(target: &Target, kind: Kind) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&target.subscribe(kind)).await?;
    // Byte by byte, so that what follows the head stays in the socket.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < 8_192, "the head of the answer does not end");
        head.push(stream.read_u8().await?);
    }
    match kind {
        Kind::Sse => check_status(&head, b"HTTP/1.1 200")?,
        Kind::WebSocket => {
            check_status(&head, b"HTTP/1.1 101")?;
            stream.write_all(&subscribe_frame()).await?;
            let mut frame = [0; 2];
            stream.read_exact(&mut frame).await?;
            let mut text = vec![0; usize::from(frame[1])];
            stream.read_exact(&mut text).await?;
            check_status(&text, b"{\"subscribed\"")?;
        }
    }
    Ok(stream)
}

/// A text frame with a mask of zeros, which changes nothing.
fn subscribe_frame() -> Vec<u8> {
    let text = br#"{"subscribe":{"id":"a","topics":["client"]}}"#;
    let mut frame = vec![
        0x81,
        0x80 | u8::try_from(text.len()).unwrap_or(0),
        0,
        0,
        0,
        0,
    ];
    frame.extend_from_slice(text);
    frame
}

async fn read(stream: TcpStream, shared: Rc<Shared>, sampled: bool) {
    let mut tail = Vec::new();
    let mut sample = sampled.then(Sample::default);
    if sampled {
        shared.seen.borrow_mut().streams += 1;
    }
    let mut is_finished = false;
    loop {
        if stream.readable().await.is_err() {
            break;
        }
        let buffer = &mut *shared.buffer.borrow_mut();
        let read = match stream.try_read(buffer) {
            Ok(0) => break,
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => break,
        };
        if let Some(sample) = &mut sample {
            sample.take(read, &shared);
        }
        if !is_finished && holds(&mut tail, read, &shared.last) {
            is_finished = true;
            shared.finished.set(shared.finished.get() + 1);
            shared.all.notify_one();
        }
    }
    if !is_finished {
        shared.broken.set(shared.broken.get() + 1);
        shared.all.notify_one();
    }
}

/// Whether the end of what was read so far holds a text. Only the end is looked at, as the text is in the
/// last message.
fn holds(tail: &mut Vec<u8>, read: &[u8], text: &[u8]) -> bool {
    const END: usize = 512;
    if text.is_empty() {
        return false;
    }
    if read.len() >= END {
        tail.clear();
    }
    tail.extend_from_slice(&read[read.len().saturating_sub(END)..]);
    let found = tail.windows(text.len()).any(|window| window == text);
    let keep = tail.len().saturating_sub(text.len());
    tail.drain(..keep);
    found
}

/// A stream that is read line by line.
#[derive(Default)]
struct Sample {
    unread: Vec<u8>,
}

impl Sample {
    fn take(&mut self, read: &[u8], shared: &Shared) {
        const DATA: &[u8] = b"data: {\"at\":";
        self.unread.extend_from_slice(read);
        let now = shared.began.elapsed();
        let mut rest = &self.unread[..];
        let mut seen = shared.seen.borrow_mut();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if let Some(at) = rest[..end].strip_prefix(DATA) {
                seen.messages += 1;
                let digits = at.iter().take_while(|byte| byte.is_ascii_digit());
                let at = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
                seen.latencies
                    .record(now.saturating_sub(Duration::from_micros(at)));
            }
            rest = &rest[end + 1..];
        }
        self.unread = rest.to_vec();
    }
}

/// Keeps an output pipe empty.
pub(super) fn drain_lines(
    mut lines: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
) {
    spawn_local(async move { while let Ok(Some(_)) = lines.next_line().await {} });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_is_found_across_reads_and_behind_much() {
        let mut tail = Vec::new();
        assert!(!holds(&mut tail, b"data: la", b"last"));
        assert!(holds(&mut tail, b"st\n\n", b"last"));
        let mut tail = Vec::new();
        let mut much = vec![b'x'; 10_000];
        much.extend_from_slice(b"la");
        assert!(!holds(&mut tail, &much, b"last"));
        assert!(holds(&mut tail, b"st", b"last"));
        assert!(!holds(&mut Vec::new(), b"anything", b""));
    }
}

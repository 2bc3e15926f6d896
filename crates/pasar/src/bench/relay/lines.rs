//! Messages as lines, over some connections at once.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

use super::{child::Child, expect};

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    Over(Duration),
    Count(u64),
}

/// Lines that are written at once.
const PIECE: u32 = 64;
/// Lines of one connection that are not answered yet, at most.
const UNDER_WAY: u32 = 2_048;

/// A message of about a hundred bytes, as a line or a body.
pub(super) fn message(topic: &str, number: usize) -> String {
    format!(
        "{{\"topic\":\"{topic}\",\"type\":\"bench.message\",\"key\":\"k{}\",\"data\":{{\"n\":{number},\"text\":\"one \
         kopi susu, less sugar\"}}}}",
        number % 97
    )
}

/// Sends over so many connections; answers how many lines were accepted.
pub(super) async fn send(
    child: &Child,
    topic: &str,
    connections: usize,
    until: Until,
) -> anyhow::Result<u64> {
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: \
             application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n",
            child.address, child.key
        );
        let until = match until {
            Until::Count(all) => Until::Count(all.div_ceil(connections as u64)),
            over @ Until::Over(_) => over,
        };
        let stream = TcpStream::connect(child.address).await?;
        stream.set_nodelay(true)?;
        running.spawn_local(converse(stream, head, topic.to_owned(), until));
    }
    let mut accepted = 0;
    while let Some(count) = running.join_next().await {
        accepted += count.context("a sender panicked")??;
    }
    Ok(accepted)
}

async fn converse(
    stream: TcpStream,
    head: String,
    topic: String,
    until: Until,
) -> anyhow::Result<u64> {
    let (mut input, mut output) = stream.into_split();
    let free = Arc::new(Semaphore::new(UNDER_WAY as usize));
    let sent = Arc::new(AtomicU64::new(u64::MAX));
    let (writing_free, writing_sent) = (Arc::clone(&free), Arc::clone(&sent));
    let writing = tokio::task::spawn_local(async move {
        output.write_all(head.as_bytes()).await?;
        let end = match until {
            Until::Over(span) => Instant::now() + span,
            Until::Count(_) => Instant::now() + Duration::from_secs(3_600),
        };
        let most = match until {
            Until::Count(count) => count,
            Until::Over(_) => u64::MAX,
        };
        let (mut number, mut piece, mut framed) = (0_u64, Vec::new(), Vec::new());
        while number < most && Instant::now() < end {
            let count = u32::try_from(most - number).unwrap_or(PIECE).min(PIECE);
            writing_free.acquire_many(count).await?.forget();
            piece.clear();
            for _ in 0..count {
                writeln!(piece, "{}", message(&topic, usize::try_from(number)?))?;
                number += 1;
            }
            framed.clear();
            write!(framed, "{:x}\r\n", piece.len())?;
            framed.extend_from_slice(&piece);
            framed.extend_from_slice(b"\r\n");
            output.write_all(&framed).await?;
        }
        writing_sent.store(number, Relaxed);
        output.write_all(b"0\r\n\r\n").await?;
        Ok::<_, anyhow::Error>(output)
    });
    let mut buffer = vec![0; 64 * 1024];
    let mut answered = 0;
    // Each answer is one object, and only the head comes before them.
    let mut in_body = false;
    while answered < sent.load(Relaxed) {
        let read = input.read(&mut buffer).await?;
        if read == 0 {
            bail!("the relay ended the answer after {answered} lines");
        }
        let mut bytes = &buffer[..read];
        if !in_body {
            expect(bytes.starts_with(b"HTTP/1.1 200"), "lines were refused")?;
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            bytes = &bytes[end.context("the head of the answer came in pieces")? + 4..];
            in_body = true;
        }
        let problems = bytes.windows(10).any(|window| window == b"/problems/");
        expect(!problems, "a line was refused")?;
        let ended = bytes.iter().filter(|byte| **byte == b'}').count();
        answered += ended as u64;
        free.add_permits(ended);
    }
    drop(writing.await.context("a writer panicked")??);
    Ok(answered)
}

//! The client's end of a connection: it is read and written here, and watched while others are waited for.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use pasar_chassis::problem::Problem;
use pasar_contracts::problem::ProblemType;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

use crate::{config::Limits, request_head, server::guarded_io::GuardedIo, server::timer::Timer};

pub(super) struct Client {
    io: GuardedIo,
    /// What the client sent while it waited for an answer.
    ahead: Vec<u8>,
    timer: Timer,
}

/// What waiting came to.
pub(super) enum Waited<T> {
    Answered(T),
    /// The client closed the connection.
    Gone,
    TooLong,
}

/// What is read at once, if it is there.
const READ_BYTES: usize = 4 * 1024;
/// What a client may send before it has its answer.
const MOST_AHEAD_BYTES: usize = 64 * 1024;

impl Client {
    pub(super) fn new(io: GuardedIo) -> Self {
        Self {
            io,
            ahead: Vec::new(),
            timer: Timer::default(),
        }
    }

    pub(super) fn into_io(self) -> GuardedIo {
        self.io
    }

    /// Reads more. 0 at the end, which is also that of the process if no request has begun.
    pub(super) async fn read(
        &mut self,
        input: &mut Vec<u8>,
        mut draining: Pin<&mut impl Future<Output = ()>>,
    ) -> io::Result<usize> {
        poll_fn(|cx| {
            if let Poll::Ready(read) = poll_read(&mut self.io, cx, input) {
                return Poll::Ready(read);
            }
            if input.is_empty() {
                return draining.as_mut().poll(cx).map(|()| Ok(0));
            }
            Poll::Pending
        })
        .await
    }

    /// Reads until so many bytes are there. What is wrong if they do not come.
    pub(super) async fn read_body(
        &mut self,
        input: &mut Vec<u8>,
        whole: usize,
        patience: Duration,
        limits: &Limits,
    ) -> Option<Problem> {
        if input.len() >= whole {
            return None;
        }
        let reading = async {
            while input.len() < whole {
                if !matches!(
                    poll_fn(|cx| poll_read(&mut self.io, cx, input)).await,
                    Ok(1..)
                ) {
                    return Some(ProblemType::InvalidRequest);
                }
            }
            None
        };
        let read = tokio::time::timeout(patience, reading).await;
        let kind = read.unwrap_or(Some(ProblemType::RequestTimeout))?;
        Some(request_head::body_problem(kind, limits))
    }

    /// Waits for something while the client waits too.
    pub(super) async fn wait<T>(
        &mut self,
        awaited: impl Future<Output = T>,
        patience: Option<Duration>,
    ) -> Waited<T> {
        let mut awaited = pin!(awaited);
        let mut deadline = None;
        poll_fn(|cx| {
            if let Poll::Ready(answer) = awaited.as_mut().poll(cx) {
                return Poll::Ready(Waited::Answered(answer));
            }
            if self.poll_gone(cx).is_ready() {
                return Poll::Ready(Waited::Gone);
            }
            let Some(patience) = patience else {
                return Poll::Pending;
            };
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
            loop {
                ready!(self.timer.poll(deadline, cx));
                if deadline <= Instant::now() {
                    return Poll::Ready(Waited::TooLong);
                }
            }
        })
        .await
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 512];
        while self.ahead.len() < MOST_AHEAD_BYTES {
            let mut read = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => self.ahead.extend_from_slice(read.filled()),
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// What came while the client was watched is read after what came before.
    pub(super) fn catch_up(&mut self, input: &mut Vec<u8>) {
        input.append(&mut self.ahead);
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    pub(super) async fn shut_down(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }
}

fn poll_read(
    io: &mut GuardedIo,
    cx: &mut Context<'_>,
    input: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    input.reserve(READ_BYTES);
    let read = pin!(io.read_buf(input));
    read.poll(cx)
}

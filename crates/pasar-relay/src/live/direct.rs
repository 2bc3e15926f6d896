//! A stream of events straight onto the client's socket, without an HTTP server in between.
//!
//! What is new is written where it is told, by the task that tells it: no task is woken for it. The stream's own
//! task sends what that could not, looks after heartbeats, and hears when it is over.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use parking_lot::Mutex;
use pasar_chassis::{
    handover::{Ended, Socket},
    problem::Chain,
    sleeper::Sleeper,
    sse::HEARTBEAT,
};
use pasar_feed::tasks::Tasks;
use pasar_store::clock::Clock;
use pasar_types::time::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    MOST_PIECES,
    cursor::{Cursor, Taken},
    events::{EventStream, Form, Timer, timer},
    group::{Bell, Take},
};

/// While there is always more to send, whether it may go on is looked at this often.
const ROUNDS: u32 = 32;

/// A client's end of a stream.
struct Line {
    form: Form,
    clock: Arc<dyn Clock>,
    /// Rung for the stream's own task.
    bell: Bell,
    end: Mutex<End>,
}

struct End {
    cursor: Cursor,
    socket: Socket,
    /// What is to be sent before anything new.
    left: Vec<Bytes>,
    /// It, or what came before it, is not wholly on its way.
    sending: bool,
    sent_at: Timestamp,
}

/// How far a line got.
enum Step {
    UpToDate,
    /// There may be more.
    Again,
    /// The client is gone, or the log cannot be read.
    Broken,
}

/// Sends events until they end, the client goes away, its credentials end or the process drains.
pub(crate) async fn run(events: EventStream, socket: Socket, ended: Ended, tasks: Tasks) {
    let EventStream {
        form,
        cursor,
        bell,
        clock,
        sleeper,
        ..
    } = events;
    // Shows where it begins: one that breaks before its first event resumes from there.
    let left = vec![form.place(cursor.position())];
    let line = Arc::new(Line {
        form,
        bell,
        end: Mutex::new(End {
            cursor,
            socket,
            left,
            sending: true,
            sent_at: clock.now(),
        }),
        clock,
    });
    let take: Weak<dyn Take> = Arc::downgrade(&line) as _;
    line.end.lock().cursor.tell_directly(take);
    let draining = async move { tasks.draining().await };
    let mut over = std::pin::pin!(async {
        tokio::select! {
            () = ended => {}
            () = draining => {}
        }
    });
    let mut due = None;
    let mut round = 0_u32;
    loop {
        round = round.wrapping_add(1);
        if round.is_multiple_of(ROUNDS) && over.as_mut().now_or_never().is_some() {
            break;
        }
        let step = tokio::select! {
            biased;
            step = line.step(&sleeper, &mut due) => step,
            () = &mut over => break,
            () = line.gone() => return,
        };
        match step {
            Step::UpToDate => {}
            Step::Again => tokio::task::yield_now().await,
            Step::Broken => return,
        }
    }
    line.shut().await;
}

impl Take for Line {
    fn take(&self) {
        // Whoever has it may have looked before this was new.
        let Some(mut end) = self.end.try_lock() else {
            self.bell.notify_one();
            return;
        };
        if end.sending {
            // It waits for the socket; its task goes on from there.
            return;
        }
        let Some(frames) = end.cursor.take_new_frames() else {
            self.bell.notify_one();
            return;
        };
        if frames.is_empty() {
            return;
        }
        end.give(frames);
        end.sent_at = self.clock.now();
        let mut nobody = Context::from_waker(Waker::noop());
        // What did not go, or failed, is tried again by the task, which is woken for it.
        if !matches!(end.poll_send(&mut nobody), Poll::Ready(Ok(()))) {
            self.bell.notify_one();
        }
    }
}

impl End {
    fn give(&mut self, pieces: Vec<Bytes>) {
        self.left = pieces;
        self.sending = true;
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(poll_send(&mut self.socket, &mut self.left, cx))?;
        self.sending = false;
        Poll::Ready(Ok(()))
    }
}

impl Line {
    /// Sends what there is; once there is nothing, waits for more, or for the next heartbeat.
    async fn step(&self, sleeper: &Arc<dyn Sleeper>, due: &mut Option<Timer>) -> Step {
        match poll_fn(|cx| self.poll_take(cx)).await {
            Step::UpToDate => {}
            other => return other,
        }
        let sent_at = self.end.lock().sent_at;
        let timer = due.get_or_insert_with(|| timer(sleeper, sent_at + HEARTBEAT));
        tokio::select! {
            biased;
            () = self.bell.notified() => return Step::UpToDate,
            () = timer => {}
        }
        *due = None;
        let now = self.clock.now();
        let mut end = self.end.lock();
        if !end.sending && now >= end.sent_at + HEARTBEAT {
            end.sent_at = now;
            let place = self.form.place(end.cursor.position());
            end.give(vec![place]);
        }
        Step::UpToDate
    }

    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Step> {
        let mut end = self.end.lock();
        if end.sending {
            let sent = ready!(end.poll_send(cx));
            let step = sent.map_or(Step::Broken, |()| Step::Again);
            return Poll::Ready(step);
        }
        match end.cursor.take_frames() {
            Ok(Taken::Some(frames)) => {
                end.give(frames);
                end.sent_at = self.clock.now();
            }
            Ok(Taken::Gap(gap)) => end.give(vec![self.form.gap(gap)]),
            Ok(Taken::Passed) => {}
            Ok(Taken::Nothing) => return Poll::Ready(Step::UpToDate),
            Err(fault) => {
                tracing::error!(fault = %Chain(&fault), "a live stream ends early");
                return Poll::Ready(Step::Broken);
            }
        }
        Poll::Ready(Step::Again)
    }

    /// Resolves when the client has closed, or broken, its side. What it sends is thrown away.
    async fn gone(&self) {
        poll_fn(|cx| {
            let mut end = self.end.lock();
            loop {
                let mut bytes = [0; 256];
                let mut buffer = ReadBuf::new(&mut bytes);
                let read = ready!(Pin::new(&mut end.socket).poll_read(cx, &mut buffer));
                if read.is_err() || buffer.filled().is_empty() {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }

    async fn shut(&self) {
        poll_fn(|cx| Pin::new(&mut self.end.lock().socket).poll_shutdown(cx))
            .await
            .unwrap_or_default();
    }
}

/// Sends pieces with as few writes as it takes.
pub(crate) fn poll_send(
    socket: &mut (impl AsyncWrite + Unpin),
    pieces: &mut Vec<Bytes>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !pieces.is_empty() {
        let written = if let [one] = &pieces[..] {
            ready!(Pin::new(&mut *socket).poll_write(cx, one))?
        } else {
            let mut slices = [IoSlice::new(&[]); MOST_PIECES];
            let count = pieces.len().min(MOST_PIECES);
            for (slice, piece) in slices.iter_mut().zip(pieces.iter()) {
                *slice = IoSlice::new(piece);
            }
            ready!(Pin::new(&mut *socket).poll_write_vectored(cx, &slices[..count]))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        advance(pieces, written);
    }
    Pin::new(&mut *socket).poll_flush(cx)
}

fn advance(pieces: &mut Vec<Bytes>, mut written: usize) {
    let mut whole = 0;
    for piece in pieces.iter_mut() {
        if written < piece.len() {
            piece.advance(written);
            break;
        }
        written -= piece.len();
        whole += 1;
    }
    pieces.drain(..whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_not_sent_again() {
        let mut pieces = vec![
            Bytes::from_static(b"abc"),
            Bytes::from_static(b"de"),
            Bytes::from_static(b"f"),
        ];
        advance(&mut pieces, 4);
        assert_eq!(pieces, ["e", "f"]);
        advance(&mut pieces, 1);
        assert_eq!(pieces, ["f"]);
        advance(&mut pieces, 1);
        assert!(pieces.is_empty());
    }
}

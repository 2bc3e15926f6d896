//! A stream of events straight onto the client's socket, without an HTTP server in between.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use pasar_chassis::handover::{Ended, Socket};
use pasar_feed::tasks::Tasks;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{MOST_PIECES, events::EventStream};

/// While there is always more to send, whether it may go on is looked at this often.
const ROUNDS: u32 = 32;

/// Sends events until they end, the client goes away, its credentials end or the process drains.
pub(crate) async fn run(mut events: EventStream, mut socket: Socket, ended: Ended, tasks: Tasks) {
    let draining = async move { tasks.draining().await };
    let mut over = std::pin::pin!(async {
        tokio::select! {
            () = ended => {}
            () = draining => {}
        }
    });
    let mut round = 0_u32;
    loop {
        round = round.wrapping_add(1);
        if round.is_multiple_of(ROUNDS) && over.as_mut().now_or_never().is_some() {
            break;
        }
        let pieces = tokio::select! {
            biased;
            pieces = events.next() => pieces,
            () = &mut over => break,
            () = gone(&mut socket) => return,
        };
        let Some(mut pieces) = pieces else {
            break;
        };
        let sent = poll_fn(|cx| poll_send(&mut socket, &mut pieces, cx));
        let sent = tokio::select! {
            biased;
            sent = sent => sent,
            () = &mut over => break,
        };
        if sent.is_err() {
            return;
        }
    }
    let _ = socket.shutdown().await;
}

/// Resolves when the client has closed, or broken, its side. What it sends is thrown away.
async fn gone(socket: &mut Socket) {
    poll_fn(|cx| {
        loop {
            let mut bytes = [0; 256];
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut *socket).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    })
    .await;
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

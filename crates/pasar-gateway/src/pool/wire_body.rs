//! The body of an answer that comes by a wire, for whoever takes bodies as they come.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{instance::InFlight, passed::Framing, wire::Wire};
use crate::http1::chunks::{Found, Malformed};

/// A wire whose answer was read to its end is used again; any other is closed, by which the instance knows
/// that nobody wants the rest.
pub(super) struct WireBody {
    /// Gone once the body has ended.
    wire: Option<Wire>,
    framing: Framing,
    closes: bool,
    in_flight: InFlight,
}

/// What the next step is.
enum Step {
    Data(Bytes),
    More,
    End,
}

impl WireBody {
    pub(super) fn new(wire: Wire, framing: Framing, closes: bool, in_flight: InFlight) -> Self {
        let mut body = Self {
            wire: Some(wire),
            framing,
            closes,
            in_flight,
        };
        if matches!(body.framing, Framing::Length(0)) {
            body.end();
        }
        body
    }

    fn end(&mut self) {
        if let Some(wire) = self.wire.take()
            && !self.closes
            && !matches!(self.framing, Framing::UntilClose)
        {
            wire.put_back(self.in_flight.instance());
        }
    }

    /// Takes what has come.
    fn step(&mut self) -> Result<Step, Malformed> {
        let Some(wire) = &mut self.wire else {
            return Ok(Step::End);
        };
        let input = &mut wire.input;
        let taken = match &mut self.framing {
            Framing::Length(0) => return Ok(Step::End),
            Framing::Length(left) => {
                let taken = input
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                0..taken
            }
            Framing::UntilClose => 0..input.len(),
            Framing::Chunked(chunks) => match chunks.next(input)? {
                Found::Data(range) => range,
                Found::Nothing => {
                    input.clear();
                    return Ok(Step::More);
                }
                Found::End(at) => {
                    input.drain(..at);
                    return Ok(Step::End);
                }
            },
        };
        if taken.is_empty() {
            return Ok(Step::More);
        }
        let data = Bytes::copy_from_slice(&input[taken.clone()]);
        input.drain(..taken.end);
        Ok(Step::Data(data))
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            let step = self.step();
            match step.map_err(|Malformed| io::ErrorKind::InvalidData)? {
                Step::Data(data) => {
                    if matches!(self.framing, Framing::Length(0)) {
                        self.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Step::End => {
                    self.end();
                    return Poll::Ready(None);
                }
                Step::More => {}
            }
            let Some(wire) = &mut self.wire else {
                return Poll::Ready(None);
            };
            if ready!(wire.poll_read(cx))? == 0 {
                self.wire = None;
                return Poll::Ready(match self.framing {
                    Framing::UntilClose => None,
                    // The service broke off: the client must not take it for whole.
                    _ => Some(Err(io::ErrorKind::UnexpectedEof.into())),
                });
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.wire.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunked(_) | Framing::UntilClose => SizeHint::default(),
        }
    }
}

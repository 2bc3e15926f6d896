//! Live streams: many readers of one log, over SSE, WebSocket and gRPC.
//!
//! A reader is a position in the log and a bell. Nothing is queued for it: it takes what is ready when its
//! client takes more, and one that stalls costs nothing but its socket. What many read alike is encoded once.

pub(crate) mod cursor;
pub(crate) mod direct;
pub(crate) mod entry;
pub(crate) mod events;
pub(crate) mod group;
mod hub;
pub(crate) mod interest;
mod message_frame;
mod protobuf;
pub(crate) mod sse;
pub(crate) mod websocket;

pub(crate) use hub::Live;

/// Messages that the hub takes from the log at once.
const STRETCH: usize = 256;
/// What is kept in memory for readers that are up to date, encoded too.
const KEPT_MESSAGES: usize = 8_192;
const KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Frames that are joined to one piece, so that one write carries many.
const SEGMENT_MESSAGES: usize = 64;
const SEGMENT_BYTES: usize = 64 * 1024;
/// Pieces, and about how many bytes, that one reader is given at once.
const MOST_PIECES: usize = 32;
const MOST_BYTES: usize = 256 * 1024;
/// Messages that a reader which is behind takes from the log at once.
const PAGE: usize = 256;

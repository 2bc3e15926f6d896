//! Following feeds: reading a publisher's events from a position, and handing them to a service's
//! reactions in its own lanes. Feeds of the same process, and of others over HTTP; the log is read, never a
//! wake-up.

pub mod envelope;
pub mod follow;
pub mod follower;
pub mod http_feed;
mod recent;
mod sse_frames;
pub mod tail;
pub mod tasks;

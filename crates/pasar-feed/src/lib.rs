//! Following feeds: reading a publisher's events from a position, and handing them to a service's
//! reactions in its own lanes. Local feeds, in the same process; the log is read, never a wake-up.

pub mod follow;
pub mod follower;
pub mod tail;
pub mod tasks;

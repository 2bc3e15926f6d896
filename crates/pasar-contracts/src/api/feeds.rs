//! A service's feed over HTTP: `GET /v1/feeds/{service}`, in pages or as server-sent events, and its snapshot.

use pasar_types::{id::EpochId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::envelope::Envelope;

/// Events of a page unless asked for otherwise, and at most.
pub const DEFAULT_FEED_LIMIT: u32 = 256;
pub const MAX_FEED_LIMIT: u32 = 2_048;

/// The name of the server-sent event that tells the head; all others are events of the feed.
pub const HEAD_EVENT: &str = "head";

/// What follows the path of a feed in that of its snapshot.
pub const SNAPSHOT: &str = "/snapshot";

/// Where the path of a service's feed begins.
pub const FEEDS: &str = "/v1/feeds/";

/// What is asked for. `Last-Event-ID` goes before `after`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    /// Events after this place; from the beginning if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// 0 to 2048; 256 if it is left out. 0 asks for the head alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What is asked for of a snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotQuery {
    /// The place that the first part named. Left out for the first part: it is the newest then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
    /// The `upto` of the part before; from the beginning if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// Events to look at, 1 to 2048; 256 if it is left out. A part may have fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Where a feed stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedHead {
    /// Made at creation and at every restore.
    pub epoch: EpochId,
    /// The epoch before the restore that made this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<EpochId>,
    /// The last place that both epochs share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_at: Option<i64>,
    /// The forks before that one, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Fork>,
    /// The place of the newest event; 0 if there is none.
    pub sequence: i64,
    /// The place up to which the feed is trimmed: it is read from there on, by whoever is new after a snapshot.
    /// Left out while nothing is gone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub trimmed: i64,
    /// The publisher's time.
    pub time: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(place: &i64) -> bool {
    *place == 0
}

/// Where an earlier epoch ended: what it held after that place is not part of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    pub epoch: EpochId,
    pub forked_at: i64,
}

/// A stretch of a feed, oldest first and without a gap.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedPage {
    pub head: FeedHead,
    pub events: Vec<Envelope>,
}

/// A part of what a new follower needs: events of the feed, oldest first, without those that count no more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotPage {
    pub head: FeedHead,
    /// The place that the snapshot is of. From there on the feed is followed.
    pub at: i64,
    /// The next part is what comes after this place; at `at` the snapshot ends.
    pub upto: i64,
    pub events: Vec<Envelope>,
}

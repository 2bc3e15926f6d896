//! `GET /v1/feeds/{service}/snapshot`: what a new follower needs of the feed up to a place, in parts. Nothing is kept
//! for whoever reads it: each part names the place and where the next one begins.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use pasar_contracts::api::feeds::{
    DEFAULT_FEED_LIMIT, MAX_FEED_LIMIT, SnapshotPage, SnapshotQuery,
};

use super::{Served, admit, answer};
use crate::{extract::Query, identity::Identity, problem::Problem};

pub(super) async fn read(
    State(served): State<Arc<Served>>,
    identity: Identity,
    Query(query): Query<SnapshotQuery>,
) -> Result<Response, Problem> {
    let with_private = admit(&identity, served.store.service())?;
    let head = served.head();
    let at = query.at.unwrap_or(head.sequence);
    if at < 0 || at > head.sequence {
        let expected = format!("expected 0 to {}", head.sequence);
        return Err(Problem::invalid_field("at", expected));
    }
    let after = query.after.unwrap_or(0);
    if after < 0 || after > at {
        let expected = format!("expected 0 to {at}");
        return Err(Problem::invalid_field("after", expected));
    }
    let limit = query.limit.unwrap_or(DEFAULT_FEED_LIMIT);
    if !(1..=MAX_FEED_LIMIT).contains(&limit) {
        let expected = format!("expected 1 to {MAX_FEED_LIMIT}");
        return Err(Problem::invalid_field("limit", expected));
    }
    let part = served.store.snapshot(at, after, limit as usize).await;
    let part = part.map_err(|fault| served.refuse(fault))?;
    let events = served.wrap(&part.events, with_private)?;
    Ok(answer(SnapshotPage {
        head,
        at,
        upto: part.upto,
        events,
    }))
}

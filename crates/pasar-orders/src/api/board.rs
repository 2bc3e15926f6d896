//! The board that calls numbers: what is being prepared, what is ready. No personal data.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use futures_util::stream;
use pasar_chassis::{
    extract::{Json, Query},
    openapi::{CommonProblems, NotFoundProblem},
    problem::{Chain, Problem},
    sse::{self, Event},
};
use pasar_contracts::{
    api::orders::{Board, BoardQuery},
    event::Event as _,
    events::orders::{OrderAbandoned, OrderCancelling, OrderCollected, OrderPreparing, OrderReady},
};
use pasar_feed::tail::Watch;
use pasar_store::feed::FeedEvent;
use pasar_types::id::LocationId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, not_found};
use crate::{queries, tables::catalogue, waiting};

/// A board that changes all the time is sent at most so often.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get_board))
        .routes(routes!(get_board_events))
}

/// The numbers that are being prepared and those that are ready
#[utoipa::path(
    get, path = "/v1/board", tag = "orders", operation_id = "getBoard",
    params(BoardQuery),
    responses(
        (status = 200, description = "The board, the longest waiting first.", body = Board),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_board(
    State(api): State<Arc<Api>>,
    Query(query): Query<BoardQuery>,
) -> Result<Json<Board>, Problem> {
    let location = api.board_location(query).await?;
    let board = api
        .store
        .read(move |tx| queries::board(tx, location))
        .await?;
    Ok(Json(board))
}

/// The board, whenever it changes
///
/// Server-sent events named `board`, each the whole board; the first at once.
#[utoipa::path(
    get, path = "/v1/board/events", tag = "orders", operation_id = "streamBoard",
    params(BoardQuery),
    responses(
        (status = 200, description = "The boards.", body = Board, content_type = "text/event-stream"),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_board_events(
    State(api): State<Arc<Api>>,
    Query(query): Query<BoardQuery>,
) -> Result<Response, Problem> {
    let following = Following {
        location: api.board_location(query).await?,
        watch: api.tail.watch_all(),
        api: Arc::clone(&api),
        last: None,
    };
    let boards = stream::unfold(following, async |mut following| {
        let event = following.next().await?;
        Some((event, following))
    });
    Ok(sse::respond(&api.host.tasks, boards))
}

struct Following {
    api: Arc<Api>,
    watch: Watch,
    location: LocationId,
    last: Option<Board>,
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.last.is_some() {
                self.changed().await;
            }
            let sequence = self.api.store.head();
            let location = self.location;
            let board = match self
                .api
                .store
                .read(move |tx| queries::board(tx, location))
                .await
            {
                Ok(board) => board,
                Err(fault) => {
                    tracing::error!(fault = %Chain(&fault), "a board's stream ends early");
                    return None;
                }
            };
            if self.last.as_ref() == Some(&board) {
                continue;
            }
            let json = serde_json::to_string(&board).ok()?;
            self.last = Some(board);
            return Some(sse::event(sequence, "board", json));
        }
    }

    /// Waits for what can change a board, and a moment more for what comes with it.
    async fn changed(&mut self) {
        loop {
            let heard = self.watch.changed().await;
            if heard.missed || heard.events.iter().any(|event| may_change_a_board(event)) {
                break;
            }
        }
        let host = &self.api.host;
        waiting::until(host, host.clock.now() + PAUSE).await;
    }
}

fn may_change_a_board(event: &FeedEvent) -> bool {
    matches!(
        event.event_type.as_str(),
        OrderPreparing::TYPE
            | OrderReady::TYPE
            | OrderCollected::TYPE
            | OrderAbandoned::TYPE
            | OrderCancelling::TYPE
    )
}

impl Api {
    async fn board_location(&self, query: BoardQuery) -> Result<LocationId, Problem> {
        let location = self.location(query.location).await?.ok_or_else(not_found)?;
        let known = self
            .store
            .read(move |tx| catalogue::location(tx, location))
            .await?;
        known.map(|known| known.id).ok_or_else(not_found)
    }
}

//! Hears from the users feed what ends, so that nothing that was remembered outlives it.
//!
//! The position is kept in memory only: what ended before the start is not remembered by anybody here.

use std::{sync::Arc, time::Duration};

use pasar_chassis::{host::Host, problem::Chain};
use pasar_contracts::{
    event::Event,
    events::users::{ApiKeyRevoked, SessionEnded, UserDeleted, UserRolesChanged},
};
use pasar_feed::follow::Follow;
use pasar_store::{fault::Fault, feed::FeedEvent};

use crate::authentication::lives::Lives;

const BATCH: usize = 500;
/// Between attempts to read a feed that cannot be read.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows from the head that the feed has now.
pub(super) async fn follow(
    host: &Host,
    feed: Arc<dyn Follow>,
    lives: Arc<Lives>,
) -> Result<(), Fault> {
    let mut position = feed.head().await?.sequence;
    let tasks = host.tasks.clone();
    host.tasks.spawn("gateway revocations", async move {
        let following = async {
            loop {
                match feed.after(position, BATCH).await {
                    Ok(events) => {
                        for event in &events {
                            hear(&lives, event);
                            position = event.sequence;
                        }
                        feed.grown(position).await;
                    }
                    Err(fault) => {
                        tracing::error!(fault = %Chain(&fault), "the users feed cannot be read");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = following => {}
            () = tasks.draining() => {}
        }
    });
    Ok(())
}

fn hear(lives: &Lives, event: &FeedEvent) {
    let ended = match event.event_type.as_str() {
        SessionEnded::TYPE => event
            .decode::<SessionEnded>()
            .map(|e| *e.session_id.as_bytes()),
        ApiKeyRevoked::TYPE => event
            .decode::<ApiKeyRevoked>()
            .map(|e| *e.api_key_id.as_bytes()),
        // Who they are is asked again: the roles of a token are those of when it was made.
        UserRolesChanged::TYPE => event
            .decode::<UserRolesChanged>()
            .map(|e| *e.user_id.as_bytes()),
        UserDeleted::TYPE => event.decode::<UserDeleted>().map(|e| *e.user_id.as_bytes()),
        _ => return,
    };
    match ended {
        Ok(id) => lives.end(&id),
        Err(fault) => tracing::error!(fault = %Chain(&fault), "an event of users cannot be read"),
    }
}

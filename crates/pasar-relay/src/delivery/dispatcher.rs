//! Hands out the log to those that are attached, once, in order; and writes down how far all of them are.

use std::{sync::Arc, time::Duration};

use pasar_chassis::problem::Chain;
use pasar_store::{
    fault::Fault,
    lane::{Class, LaneKey},
};

use super::{Shared, spawn_courier};
use crate::tables::shares;

/// Messages that are handed out at once.
const STRETCH: usize = 512;
const WATERMARK_EVERY: Duration = Duration::from_secs(1);
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// Until the drain.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut heads = shared.log.heads();
    loop {
        heads.mark_unchanged();
        match hand_out(&shared) {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => {
                tokio::select! {
                    _ = heads.changed() => {}
                    () = shared.tasks.draining() => {}
                }
            }
            Err(fault) => {
                tracing::error!(fault = %Chain(&fault), "the log cannot be read");
                tokio::time::sleep(AFTER_FAULT).await;
            }
        }
        if shared.tasks.is_draining() {
            return;
        }
    }
}

/// Answers whether there is more.
fn hand_out(shared: &Arc<Shared>) -> Result<bool, Fault> {
    let board = &shared.board;
    let after = board.dispatched();
    let head = shared.log.head();
    let messages = shared.log.after(after, STRETCH)?;
    // Positions that are no longer kept are passed over.
    let upto = messages.last().map_or(head, |last| last.position);
    for desk in board.hand_out(&messages, upto) {
        spawn_courier(shared, desk);
    }
    Ok(upto < shared.log.head())
}

/// Raises the watermark from time to time, until the drain. A restart begins at it.
pub(super) async fn keep_watermark(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(WATERMARK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.tasks.draining() => {}
        }
        let (lease, share) = (shared.lease.clone(), shared.share);
        let raised = shared.board.raise(|level| {
            shared
                .store
                .write(LaneKey::ZERO, Class::Internal, shared.cause(), move |ctx| {
                    ctx.holding(&lease)?;
                    shares::raise_watermark(ctx, share, level)
                })
        });
        if let Some((level, answer)) = raised {
            match answer.await {
                Ok(()) => shared.board.raised(level),
                Err(Fault::LeaseLost(_)) => return,
                Err(fault) => {
                    tracing::error!(fault = %Chain(&fault), "the watermark cannot be written");
                }
            }
        }
        if shared.tasks.is_draining() {
            return;
        }
    }
}

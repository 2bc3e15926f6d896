//! What a store offers to those who follow other services' feeds into it.

use std::sync::Arc;

use pasar_contracts::event::Service;
use pasar_types::id::EpochId;

use super::Store;
use crate::{
    fault::Fault,
    follower::{self, Batch, Begun, React, Taken},
    lane::{Answer, Class},
};

impl Store {
    /// How far each lane has followed a publisher. Whoever has not begun does: with the snapshot as of a place, or at
    /// the start of the feed.
    pub fn begin_following(
        &self,
        publisher: Service,
        epoch: EpochId,
        snapshot: Option<i64>,
    ) -> Answer<Begun> {
        let (cause, lanes) = (self.own_cause(), self.lanes());
        self.submit(0, Class::Internal, cause, 1, move |context| {
            follower::begin(context, publisher, lanes, epoch, snapshot)?;
            let mut positions = Vec::new();
            for lane in 0..lanes {
                let position = follower::position(context, publisher, lane)?;
                positions
                    .push(position.ok_or_else(|| Fault::Bug("a position vanished".to_owned()))?);
            }
            Ok(Begun {
                positions,
                snapshot: follower::snapshot(context, publisher)?,
            })
        })
    }

    /// Forgets how far a publisher was followed: the next start begins anew, and what was taken comes again.
    pub fn begin_anew(&self, publisher: Service) -> Answer<()> {
        self.submit(0, Class::Internal, self.own_cause(), 1, move |context| {
            context.execute(
                "DELETE FROM follower_position WHERE publisher = ?1",
                &[&publisher],
            )?;
            Ok(())
        })
    }

    /// The place up to which all lanes have followed a publisher, whoever followed; `None` before anybody did.
    pub async fn stored_position(&self, publisher: Service) -> Result<Option<i64>, Fault> {
        let lanes = self.lanes();
        self.read(move |tx| follower::stored(tx, publisher, lanes))
            .await
    }

    /// Takes a stretch of a foreign feed in one command. A batch that is run again, whatever for, is run with care:
    /// so only the key of an event at fault is parked.
    pub fn react(&self, batch: Batch, reactions: Arc<dyn React>) -> Answer<Taken> {
        let cause = self.own_cause();
        let weight = batch.events.len().max(1);
        let mut again = false;
        self.submit(batch.lane, Class::Internal, cause, weight, move |context| {
            let careful = std::mem::replace(&mut again, true);
            follower::take(context, &batch, &*reactions, careful).map_err(|fault| {
                if careful {
                    return fault;
                }
                Fault::Conflict("an event of the batch cannot be taken")
            })
        })
    }

    /// Tries the parked events of a publisher again; answers how many were taken and how many are left.
    pub fn retry_parked(
        &self,
        publisher: Service,
        lane: u32,
        reactions: Arc<dyn React>,
    ) -> Answer<(usize, usize)> {
        let cause = self.own_cause();
        self.submit(lane, Class::Internal, cause, 1, move |context| {
            follower::retry_parked(context, publisher, lane, &*reactions)
        })
    }
}

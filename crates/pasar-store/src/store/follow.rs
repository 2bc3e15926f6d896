//! What a store offers to those who follow other services' feeds into it.

use std::sync::Arc;

use pasar_contracts::event::Service;
use pasar_types::id::EpochId;

use super::Store;
use crate::{
    fault::Fault,
    follower::{self, Batch, Position, React, Taken},
    lane::{Answer, Class},
};

impl Store {
    /// How far a lane has followed a publisher; begins at the start of its feed.
    pub fn position(&self, publisher: Service, epoch: EpochId, lane: u32) -> Answer<Position> {
        let cause = self.own_cause();
        self.submit(lane, Class::Internal, cause, 1, move |context| {
            follower::start(context, publisher, lane, Position { epoch, sequence: 0 })?;
            follower::position(context, publisher, lane)?
                .ok_or_else(|| Fault::Bug("a position vanished".to_owned()))
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

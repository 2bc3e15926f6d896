//! Where a feed's epoch came from, and how a follower goes over to it.

use pasar_contracts::event::Service;
use pasar_types::id::EpochId;

use crate::{
    cause::{Actor, Cause},
    fault::Fault,
    follower::Position,
    lane::{Class, LaneKey},
    store::Store,
    tx::Tx,
};

/// An epoch and what it forked from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage {
    pub epoch: EpochId,
    /// The epoch before the last restore, and the last place that both share.
    pub parent: Option<Position>,
}

impl Lineage {
    /// The lineage of the feed of a database.
    pub fn read(tx: &Tx<'_>) -> Result<Self, Fault> {
        tx.query_one(
            "SELECT epoch, parent, forked_at FROM store_meta",
            &[],
            |row| {
                let (parent, forked_at): (Option<EpochId>, Option<i64>) =
                    (row.get(1)?, row.get(2)?);
                Ok(Self {
                    epoch: row.get(0)?,
                    parent: parent
                        .zip(forked_at)
                        .map(|(epoch, sequence)| Position { epoch, sequence }),
                })
            },
        )
    }
}

impl Store {
    /// The lineage of this store's own feed.
    pub async fn lineage(&self) -> Result<Lineage, Fault> {
        self.read(Lineage::read).await
    }

    /// Goes over to a publisher's new epoch, at the places where the lanes are: for followers at or before
    /// the fork. Answers how many lanes went over.
    pub async fn adopt_epoch(
        &self,
        publisher: Service,
        from: EpochId,
        to: EpochId,
    ) -> Result<u64, Fault> {
        self.write(
            LaneKey::ZERO,
            Class::Internal,
            self.cause_of_own(),
            move |context| {
                context.execute(
                    "UPDATE follower_position SET epoch = ?3 WHERE publisher = ?1 AND epoch = ?2",
                    &[&publisher, &from, &to],
                )
            },
        )
        .await
    }

    /// Puts every lane of a follower at a place, whatever it followed before: what a person decides once a
    /// feed has diverged.
    pub async fn reconcile(&self, publisher: Service, at: Position) -> Result<(), Fault> {
        self.write(
            LaneKey::ZERO,
            Class::Internal,
            self.cause_of_own(),
            move |context| {
                context.execute(
                    "UPDATE follower_position SET epoch = ?2, sequence = ?3 WHERE publisher = ?1",
                    &[&publisher, &at.epoch, &at.sequence],
                )?;
                Ok(())
            },
        )
        .await
    }

    /// How far each lane has followed a publisher; nothing if it has never followed it.
    pub async fn followed(&self, publisher: Service) -> Result<Vec<Position>, Fault> {
        self.read(move |tx| {
            tx.query_all(
                "SELECT epoch, sequence FROM follower_position WHERE publisher = ?1 ORDER BY lane",
                &[&publisher],
                |row| {
                    Ok(Position {
                        epoch: row.get(0)?,
                        sequence: row.get(1)?,
                    })
                },
            )
        })
        .await
    }

    fn cause_of_own(&self) -> Cause {
        let flow = self.ids().uuid_v7(self.clock().now());
        Cause::new(
            Actor::Service(self.service()),
            pasar_types::id::FlowId::from_uuid(flow),
        )
    }
}

//! Where a feed's epoch came from, how a follower goes over to it, and how a restored database gets one.

use pasar_contracts::event::Service;
use pasar_types::id::EpochId;

use crate::{
    cause::{Actor, Cause},
    engine::{Access, Connection},
    fault::Fault,
    feed,
    follower::Position,
    lane::{Class, LaneKey},
    migration,
    store::{OpenError, Store, StoreOptions},
    tx::Tx,
};

/// An epoch and what it forked from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    pub epoch: EpochId,
    /// The epochs before, each with the last place that it shares with this one; the newest first. Every
    /// restore adds one.
    pub forks: Vec<Position>,
}

/// Forks that a database remembers besides the newest one. A follower that missed more restores than that is
/// reconciled.
const EARLIER_KEPT: i64 = 32;

impl Lineage {
    /// The lineage of the feed of a database.
    pub fn read(tx: &Tx<'_>) -> Result<Self, Fault> {
        let (epoch, newest) = tx.query_one(
            "SELECT epoch, parent, forked_at FROM store_meta",
            &[],
            |row| {
                let (parent, forked_at): (Option<EpochId>, Option<i64>) =
                    (row.get(1)?, row.get(2)?);
                let newest = parent
                    .zip(forked_at)
                    .map(|(epoch, sequence)| Position { epoch, sequence });
                Ok((row.get(0)?, newest))
            },
        )?;
        let earlier = tx.query_all(
            "SELECT epoch, forked_at FROM earlier_fork ORDER BY number DESC LIMIT ?1",
            &[&EARLIER_KEPT],
            |row| {
                Ok(Position {
                    epoch: row.get(0)?,
                    sequence: row.get(1)?,
                })
            },
        )?;
        Ok(Self {
            epoch,
            forks: newest.into_iter().chain(earlier).collect(),
        })
    }

    /// Whether everything that was followed up to a place is part of this feed.
    #[must_use]
    pub fn holds(&self, followed: Position) -> bool {
        followed.epoch == self.epoch || followed.sequence <= self.shared_with(followed)
    }

    /// The last place up to which what was followed is part of this feed. Of an epoch that it does not know
    /// nothing is.
    #[must_use]
    pub fn shared_with(&self, followed: Position) -> i64 {
        if followed.epoch == self.epoch {
            return followed.sequence;
        }
        let mut forks = self.forks.iter();
        forks
            .find(|fork| fork.epoch == followed.epoch)
            .map_or(0, |fork| fork.sequence)
    }
}

impl Store {
    /// Begins a new epoch in a database that was put back to an earlier state: its events up to now are shared
    /// with the epoch before, whatever comes differs. Nobody else may have it open. Answers the new lineage.
    pub fn fork(options: &StoreOptions) -> Result<Lineage, OpenError> {
        let fork = || {
            let connection = Connection::open(&options.place, Access::Write)?;
            if options.migrate {
                migration::run(&connection, options.migrations, options.clock.now())?;
            } else {
                migration::verify(&connection, options.migrations)?;
            }
            connection.begin_alone()?;
            let forked = fork_feed(&Tx::new(&connection, options.service), options);
            match forked {
                Ok(lineage) => connection.commit().map(|()| lineage),
                Err(fault) => {
                    connection.rollback()?;
                    Err(fault)
                }
            }
        };
        fork().map_err(|source| OpenError::new(options.service, options.place.clone(), source))
    }

    /// The lineage of this store's own feed.
    pub async fn lineage(&self) -> Result<Lineage, Fault> {
        self.read(Lineage::read).await
    }

    /// Goes over to a publisher's epoch, each lane at the place where it is; false, and nothing is changed, if
    /// one of them has followed what is not part of that feed.
    pub async fn adopt(&self, publisher: Service, lineage: Lineage) -> Result<bool, Fault> {
        self.write(
            LaneKey::ZERO,
            Class::Internal,
            self.cause_of_own(),
            move |context| {
                let followed = followed(context, publisher)?;
                if !followed.iter().all(|position| lineage.holds(*position)) {
                    return Ok(false);
                }
                context.execute(
                    "UPDATE follower_position SET epoch = ?2 WHERE publisher = ?1",
                    &[&publisher, &lineage.epoch],
                )?;
                Ok(true)
            },
        )
        .await
    }

    /// Puts every lane of a follower that is past a place back to it, and all into its epoch, whatever they
    /// followed before: what a person decides once a feed has diverged. A snapshot as of a later place, if a lane
    /// is still reading one, is begun anew.
    pub async fn reconcile(&self, publisher: Service, at: Position) -> Result<(), Fault> {
        self.write(
            LaneKey::ZERO,
            Class::Internal,
            self.cause_of_own(),
            move |context| {
                context.execute(
                    "UPDATE follower_position SET epoch = ?2,
                            sequence = CASE WHEN snapshot > ?3 AND sequence < snapshot THEN 0
                                            WHEN sequence < ?3 THEN sequence ELSE ?3 END,
                            snapshot = CASE WHEN snapshot > ?3 THEN 0 ELSE snapshot END
                     WHERE publisher = ?1",
                    &[&publisher, &at.epoch, &at.sequence],
                )?;
                Ok(())
            },
        )
        .await
    }

    /// How far each lane has followed a publisher; nothing if it has never followed it.
    pub async fn followed(&self, publisher: Service) -> Result<Vec<Position>, Fault> {
        self.read(move |tx| followed(tx, publisher)).await
    }

    fn cause_of_own(&self) -> Cause {
        let flow = self.ids().uuid_v7(self.clock().now());
        Cause::new(
            Actor::Service(self.service()),
            pasar_types::id::FlowId::from_uuid(flow),
        )
    }
}

/// How far each lane of a database has followed a publisher. A snapshot counts from its begin: what it leaves out
/// depends on all that lies before its place.
pub fn followed(tx: &Tx<'_>, publisher: Service) -> Result<Vec<Position>, Fault> {
    tx.query_all(
        "SELECT epoch, CASE WHEN sequence < snapshot THEN snapshot ELSE sequence END
         FROM follower_position WHERE publisher = ?1 ORDER BY lane",
        &[&publisher],
        |row| {
            Ok(Position {
                epoch: row.get(0)?,
                sequence: row.get(1)?,
            })
        },
    )
}

fn fork_feed(tx: &Tx<'_>, options: &StoreOptions) -> Result<Lineage, Fault> {
    let owner: Service = tx.query_one("SELECT service FROM store_meta", &[], |row| row.get(0))?;
    if owner != options.service {
        return Err(Fault::Corrupt(format!(
            "the database belongs to {owner}, not to {}",
            options.service
        )));
    }
    let head = feed::ends(tx)?.head;
    let new = EpochId::from_uuid(options.ids.uuid_v7(options.clock.now()));
    tx.execute(
        "INSERT INTO earlier_fork (number, epoch, forked_at)
         SELECT (SELECT COALESCE(MAX(number), 0) + 1 FROM earlier_fork), parent, forked_at
         FROM store_meta WHERE parent IS NOT NULL",
        &[],
    )?;
    tx.execute(
        "DELETE FROM earlier_fork WHERE number <= (SELECT MAX(number) FROM earlier_fork) - ?1",
        &[&EARLIER_KEPT],
    )?;
    tx.execute(
        "UPDATE store_meta SET parent = epoch, forked_at = ?1, epoch = ?2",
        &[&head, &new],
    )?;
    Lineage::read(tx)
}

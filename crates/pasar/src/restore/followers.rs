//! What followers have to do after a restore: most go on by themselves.

use std::path::Path;

use pasar_chassis::databases::Databases;
use pasar_contracts::event::Service;
use pasar_store::{
    feed,
    follower::Position,
    inspect::Inspector,
    lineage::{self, Lineage},
};

use super::Restored;
use crate::up::{self, follows};

/// Whether a follower may go on with a feed.
enum Standing {
    GoesOn,
    NeverFollowed,
    /// It has taken what the feed does not hold.
    Diverged,
    /// It has not taken what the feed does not keep any more.
    Trimmed,
    /// Its database, or that of the publisher, is elsewhere.
    Elsewhere,
    Unknown(anyhow::Error),
}

/// Says for each follower of what was restored, and for what that follows itself, whether it goes on.
pub(super) fn tell(databases: &Databases, data: &Path, restored: &[Restored]) {
    let services: Vec<Service> = restored
        .iter()
        .filter(|restored| !restored.database.is_sandbox())
        .map(|restored| restored.database.service)
        .collect();
    for Restored { database, lineage } in restored {
        if let (Some(fork), false) = (lineage.forks.first(), database.is_sandbox()) {
            println!(
                "{} begins epoch {} after place {}",
                database.name, lineage.epoch, fork.sequence
            );
        }
    }
    for follower in up::ALL {
        for publisher in follows(follower) {
            if services.contains(&follower) || services.contains(publisher) {
                let standing = standing(databases, data, follower, *publisher);
                say(data, follower, *publisher, &standing);
            }
        }
    }
}

fn say(data: &Path, follower: Service, publisher: Service, standing: &Standing) {
    match standing {
        Standing::NeverFollowed => {}
        Standing::GoesOn => println!("  {follower} follows {publisher} on by itself"),
        Standing::Diverged => println!(
            "  {follower} has followed {publisher} further than it goes now. Before it starts: pasar reconcile \
             {follower} {publisher} --data {}",
            data.display()
        ),
        Standing::Trimmed => println!(
            "  {follower} has followed {publisher} less far than its feed is trimmed. Before it starts: pasar reconcile \
             {follower} {publisher} --data {}",
            data.display()
        ),
        Standing::Elsewhere => println!(
            "  {follower} or {publisher} is not in {}: if {follower} is not ready afterwards and says feed-diverged or feed-trimmed, \
             run there: pasar reconcile {follower} {publisher}",
            data.display()
        ),
        Standing::Unknown(error) => println!(
            "  whether {follower} may follow {publisher} on cannot be seen here ({error:#}); it says so when it starts"
        ),
    }
}

fn standing(databases: &Databases, data: &Path, follower: Service, publisher: Service) -> Standing {
    match find(databases, data, follower, publisher) {
        Ok(standing) => standing,
        Err(error) => Standing::Unknown(error),
    }
}

fn find(
    databases: &Databases,
    data: &Path,
    follower: Service,
    publisher: Service,
) -> anyhow::Result<Standing> {
    let places = [follower, publisher].map(|service| databases.place(data, service));
    let is_here = |place: &pasar_store::place::Place| place.file().is_none_or(Path::is_file);
    if !places.iter().all(is_here) {
        return Ok(Standing::Elsewhere);
    }
    let [of_follower, of_publisher] = places;
    let open = |service, place| Inspector::open(service, place, up::migrations(service));
    let followed = open(follower, of_follower)?.read(|tx| lineage::followed(tx, publisher))?;
    let (lineage, trimmed) =
        open(publisher, of_publisher)?.read(|tx| Ok((Lineage::read(tx)?, feed::trimmed(tx)?)))?;
    let is_before = |position: &Position| lineage.shared_with(*position) < trimmed;
    Ok(if followed.is_empty() {
        Standing::NeverFollowed
    } else if followed.iter().any(is_before) {
        Standing::Trimmed
    } else if followed.iter().all(|position| lineage.holds(*position)) {
        Standing::GoesOn
    } else {
        Standing::Diverged
    })
}

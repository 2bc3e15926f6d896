//! Schemas that tests make for themselves on a shared server, and take away again.

use crate::{
    engine::{Access, Connection},
    fault::Fault,
    place::Place,
};

/// Removes a schema of PostgreSQL and all that is in it. Nothing happens to a file: its folder goes with it.
pub fn remove(place: &Place) -> Result<(), Fault> {
    if place.file().is_some() {
        return Ok(());
    }
    Connection::open(place, Access::Write)?.remove_schema()
}

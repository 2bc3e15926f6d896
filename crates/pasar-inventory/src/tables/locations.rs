//! Rows of `location`.

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::id::LocationId;

use crate::location::LocationDetails;

/// A location as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocationRow {
    pub(crate) id: LocationId,
    pub(crate) details: LocationDetails,
    pub(crate) is_default: bool,
    pub(crate) keyversion: i64,
}

pub(crate) fn find(tx: &Tx<'_>, id: LocationId) -> Result<Option<LocationRow>, Fault> {
    tx.query_opt(
        "SELECT id, name, time_zone, cut_off_minutes, currency, starts_unpaid, is_default, keyversion
         FROM location WHERE id = ?1",
        &[&id],
        location,
    )
}

/// The one that calls mean which name none.
pub(crate) fn find_default(tx: &Tx<'_>) -> Result<Option<LocationRow>, Fault> {
    tx.query_opt(
        "SELECT id, name, time_zone, cut_off_minutes, currency, starts_unpaid, is_default, keyversion
         FROM location WHERE is_default = 1",
        &[],
        location,
    )
}

pub(crate) fn count(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one("SELECT COUNT(*) FROM location", &[], |row| row.get(0))
}

/// All of them, the default first.
pub(crate) fn all(tx: &Tx<'_>, limit: i64) -> Result<Vec<LocationRow>, Fault> {
    tx.query_all(
        "SELECT id, name, time_zone, cut_off_minutes, currency, starts_unpaid, is_default, keyversion
         FROM location ORDER BY is_default DESC, id LIMIT ?1",
        &[&limit],
        location,
    )
}

pub(crate) fn insert(tx: &Tx<'_>, row: &LocationRow) -> Result<(), Fault> {
    tx.execute(
        "INSERT INTO location (id, name, time_zone, cut_off_minutes, currency, starts_unpaid,
                               is_default, keyversion)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            &row.id,
            &row.details.name,
            &row.details.time_zone,
            &row.details.cut_off_minutes,
            &row.details.currency,
            &row.details.starts_unpaid,
            &row.is_default,
            &row.keyversion,
        ],
    )?;
    Ok(())
}

/// Stores the next version of a location.
pub(crate) fn update(tx: &Tx<'_>, row: &LocationRow) -> Result<(), Fault> {
    tx.execute_one(
        "location",
        "UPDATE location SET name = ?2, time_zone = ?3, cut_off_minutes = ?4, currency = ?5,
                             starts_unpaid = ?6, keyversion = ?7
         WHERE id = ?1 AND keyversion = ?7 - 1",
        &[
            &row.id,
            &row.details.name,
            &row.details.time_zone,
            &row.details.cut_off_minutes,
            &row.details.currency,
            &row.details.starts_unpaid,
            &row.keyversion,
        ],
    )
}

fn location(row: &Row<'_>) -> Result<LocationRow, Fault> {
    Ok(LocationRow {
        id: row.get(0)?,
        details: LocationDetails {
            name: row.get(1)?,
            time_zone: row.get(2)?,
            cut_off_minutes: row.get(3)?,
            currency: row.get(4)?,
            starts_unpaid: row.get(5)?,
        },
        is_default: row.get(6)?,
        keyversion: row.get(7)?,
    })
}

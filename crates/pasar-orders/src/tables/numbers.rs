//! Rows of `last_number`.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::LocationId;

/// The next number of a location on a business day; the first is 1.
pub fn next(ctx: &Context<'_>, location: LocationId, day: &str) -> Result<i64, Fault> {
    ctx.query_one(
        "INSERT INTO last_number (location_id, day, number) VALUES (?1, ?2, 1)
         ON CONFLICT (location_id, day) DO UPDATE SET number = last_number.number + 1
         RETURNING number",
        &[&location, &day],
        |row| row.get(0),
    )
}

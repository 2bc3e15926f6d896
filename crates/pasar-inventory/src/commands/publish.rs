//! Tells the world how a product or a location now stands.

use pasar_contracts::events::inventory::{LocationChanged, ProductChanged};
use pasar_store::{context::Context, fault::Fault};

use crate::tables::{
    locations::{self, LocationRow},
    products::{self, ProductRow},
};

/// Emits a product as it stands in its row and in `sold_out`.
pub(super) fn product(ctx: &mut Context<'_>, row: &ProductRow) -> Result<(), Fault> {
    let sold_out_at = products::sold_out_at(ctx, &row.sku)?;
    let sold_out_everywhere = match i64::try_from(sold_out_at.len()) {
        Ok(0) => false,
        count => count == Ok(locations::count(ctx)?),
    };
    let details = &row.details;
    let event = ProductChanged {
        sku: row.sku.clone(),
        name: details.name.clone(),
        names: details.names.clone(),
        price: details.price,
        tax_rate: details.tax_rate,
        category: details.category.clone(),
        track_stock: details.track_stock,
        orderable: !details.withdrawn && !sold_out_everywhere,
        sold_out_at,
    };
    ctx.emit(&format!("product:{}", row.sku), row.keyversion, &event)
}

/// Emits a location as it stands in its row.
pub(super) fn location(ctx: &mut Context<'_>, row: &LocationRow) -> Result<(), Fault> {
    let details = &row.details;
    let event = LocationChanged {
        location_id: row.id,
        name: details.name.clone(),
        time_zone: details.time_zone.clone(),
        cut_off_minutes: details.cut_off_minutes,
        currency: details.currency,
        starts_unpaid: details.starts_unpaid,
        is_default: row.is_default,
    };
    ctx.emit(&format!("location:{}", row.id), row.keyversion, &event)
}

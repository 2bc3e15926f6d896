//! What clients read. Bounded, from one snapshot; nothing here changes or tells anything.

use pasar_contracts::api::inventory::{Location, Movement, Product, StockLevel};
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{id::LocationId, money::Money, sku::Sku};

use crate::{
    commands::create_location::MAX_LOCATIONS,
    location::format_cut_off,
    product::search_pattern,
    tables::{
        locations::{self, LocationRow},
        movements, products, stock,
    },
};

/// Which products, from where on.
#[derive(Clone, Debug)]
pub struct ProductFilter {
    /// Whose availability is shown.
    pub location: LocationId,
    /// Part of a name or SKU; empty for all.
    pub q: String,
    /// Empty for all.
    pub category: String,
    /// The last SKU of the page before; empty for the first page.
    pub after: String,
}

pub fn products(tx: &Tx<'_>, filter: &ProductFilter, limit: usize) -> Result<Vec<Product>, Fault> {
    tx.query_all(
        "SELECT p.sku, p.name, p.names, p.amount_minor, p.currency, p.tax_rate, p.category,
                p.track_stock, p.withdrawn, CASE WHEN o.sku IS NULL THEN 0 ELSE 1 END,
                COALESCE(s.on_hand - s.reserved, 0), p.keyversion
         FROM product p
         LEFT JOIN stock s ON s.location = ?1 AND s.sku = p.sku
         LEFT JOIN sold_out o ON o.sku = p.sku AND o.location = ?1
         WHERE p.sku > ?2 AND (?3 = '' OR p.category = ?3) AND p.search LIKE ?4 ESCAPE '\\'
         ORDER BY p.sku LIMIT ?5",
        &[
            &filter.location,
            &filter.after,
            &filter.category,
            &search_pattern(&filter.q),
            &i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        |row| product_row(row).map(|(product, _)| product),
    )
}

/// A product with its version.
pub fn product(
    tx: &Tx<'_>,
    sku: &Sku,
    location: LocationId,
) -> Result<Option<(Product, i64)>, Fault> {
    tx.query_opt(
        "SELECT p.sku, p.name, p.names, p.amount_minor, p.currency, p.tax_rate, p.category,
                p.track_stock, p.withdrawn, CASE WHEN o.sku IS NULL THEN 0 ELSE 1 END,
                COALESCE(s.on_hand - s.reserved, 0), p.keyversion
         FROM product p
         LEFT JOIN stock s ON s.location = ?1 AND s.sku = p.sku
         LEFT JOIN sold_out o ON o.sku = p.sku AND o.location = ?1
         WHERE p.sku = ?2",
        &[&location, sku],
        product_row,
    )
}

/// All locations, the default first.
pub fn all_locations(tx: &Tx<'_>) -> Result<Vec<Location>, Fault> {
    let rows = locations::all(tx, MAX_LOCATIONS)?;
    Ok(rows.into_iter().map(|row| location_of(row).0).collect())
}

/// A location with its version.
pub fn location(tx: &Tx<'_>, id: LocationId) -> Result<Option<(Location, i64)>, Fault> {
    Ok(locations::find(tx, id)?.map(location_of))
}

/// `None` if there is no such product.
pub fn stock_level(
    tx: &Tx<'_>,
    sku: &Sku,
    location: LocationId,
) -> Result<Option<StockLevel>, Fault> {
    let Some(track_stock) = products::is_tracked(tx, sku)? else {
        return Ok(None);
    };
    let level = stock::level(tx, location, sku)?;
    Ok(Some(StockLevel {
        sku: sku.clone(),
        location_id: location,
        track_stock,
        on_hand: level.on_hand,
        reserved: level.reserved,
        available: level.available(),
    }))
}

/// Movements below a number, the latest first. `None` if there is no such product.
pub fn stock_movements(
    tx: &Tx<'_>,
    sku: &Sku,
    location: LocationId,
    below: i64,
    limit: usize,
) -> Result<Option<Vec<Movement>>, Fault> {
    if products::is_tracked(tx, sku)?.is_none() {
        return Ok(None);
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    movements::before(tx, location, sku, below, limit).map(Some)
}

fn product_row(row: &Row<'_>) -> Result<(Product, i64), Fault> {
    let track_stock: bool = row.get(7)?;
    let withdrawn: bool = row.get(8)?;
    let sold_out_today: bool = row.get(9)?;
    let available: i64 = row.get(10)?;
    let product = Product {
        sku: row.get(0)?,
        name: row.get(1)?,
        names: row.json(2)?,
        price: Money::new(row.get(3)?, row.get(4)?),
        tax_rate: row.get(5)?,
        category: Some(row.get::<String>(6)?).filter(|category| !category.is_empty()),
        track_stock,
        withdrawn,
        sold_out_today,
        orderable: !withdrawn && !sold_out_today,
        available: track_stock.then_some(available),
    };
    Ok((product, row.get(11)?))
}

fn location_of(row: LocationRow) -> (Location, i64) {
    let location = Location {
        id: row.id,
        name: row.details.name,
        time_zone: row.details.time_zone,
        cut_off: format_cut_off(row.details.cut_off_minutes),
        currency: row.details.currency,
        starts_unpaid: row.details.starts_unpaid,
        is_default: row.is_default,
    };
    (location, row.keyversion)
}

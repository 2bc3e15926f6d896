//! Rows of `product` and `location`: the copies that price orders and give them their business day.

use std::collections::HashMap;

use pasar_contracts::events::inventory::{LocationChanged, ProductChanged};
use pasar_store::{
    context::Context,
    fault::Fault,
    tx::{Row, Tx},
    value::Json,
};
use pasar_types::{
    id::LocationId,
    money::{Currency, Money, TaxRate},
    sku::Sku,
};

use super::json_opt;
use crate::business_day::CutOff;

/// A product as it is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    pub name: String,
    pub price: Money,
    pub tax_rate: TaxRate,
    pub orderable: bool,
    pub sold_out_at: Vec<LocationId>,
}

/// A location as it takes orders.
#[derive(Clone, Debug)]
pub struct Location {
    pub id: LocationId,
    pub cut_off: CutOff,
    pub currency: Currency,
    /// Whether its kitchen starts unpaid orders.
    pub starts_unpaid: bool,
}

/// Takes over a product, unless something newer about it is known.
pub fn put_product(ctx: &Context<'_>, version: i64, product: &ProductChanged) -> Result<(), Fault> {
    let sold_out_at = (!product.sold_out_at.is_empty()).then_some(Json(&product.sold_out_at));
    ctx.execute(
        "INSERT INTO product (sku, version, name, price, currency, tax_rate, orderable, sold_out_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (sku) DO UPDATE
         SET version = excluded.version, name = excluded.name, price = excluded.price,
             currency = excluded.currency, tax_rate = excluded.tax_rate,
             orderable = excluded.orderable, sold_out_at = excluded.sold_out_at
         WHERE product.version < excluded.version",
        &[
            &product.sku,
            &version,
            &product.name,
            &product.price.amount_minor,
            &product.price.currency,
            &product.tax_rate,
            &product.orderable,
            &sold_out_at,
        ],
    )?;
    Ok(())
}

/// Takes over a location, unless something newer about it is known.
pub fn put_location(
    ctx: &Context<'_>,
    version: i64,
    location: &LocationChanged,
) -> Result<(), Fault> {
    ctx.execute(
        "INSERT INTO location (id, version, time_zone, cut_off_minutes, currency, starts_unpaid,
                               is_default)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE
         SET version = excluded.version, time_zone = excluded.time_zone,
             cut_off_minutes = excluded.cut_off_minutes, currency = excluded.currency,
             starts_unpaid = excluded.starts_unpaid, is_default = excluded.is_default
         WHERE location.version < excluded.version",
        &[
            &location.location_id,
            &version,
            &location.time_zone,
            &location.cut_off_minutes,
            &location.currency,
            &location.starts_unpaid,
            &location.is_default,
        ],
    )?;
    Ok(())
}

/// Those of the products that are known.
pub fn products(tx: &Tx<'_>, skus: &[&Sku]) -> Result<HashMap<Sku, Product>, Fault> {
    let known = tx.query_among(
        "SELECT sku, name, price, currency, tax_rate, orderable, sold_out_at FROM product
         WHERE sku = ?1",
        skus,
        &[],
        |row| {
            let product = Product {
                name: row.get(1)?,
                price: Money::new(row.get(2)?, row.get(3)?),
                tax_rate: row.get(4)?,
                orderable: row.get(5)?,
                sold_out_at: json_opt(row, 6)?.unwrap_or_default(),
            };
            Ok((row.get(0)?, product))
        },
    )?;
    Ok(known.into_iter().collect())
}

pub fn location(tx: &Tx<'_>, id: LocationId) -> Result<Option<Location>, Fault> {
    tx.query_opt(
        "SELECT id, time_zone, cut_off_minutes, currency, starts_unpaid FROM location
         WHERE id = ?1",
        &[&id],
        read_location,
    )
}

/// The location of an order that must have one.
pub fn location_of_order(tx: &Tx<'_>, id: LocationId) -> Result<Location, Fault> {
    location(tx, id)?
        .ok_or_else(|| Fault::Corrupt(format!("an order stands at unknown location {id}")))
}

/// Inventory makes one location the default, for good.
pub fn default_location(tx: &Tx<'_>) -> Result<Option<LocationId>, Fault> {
    tx.query_opt(
        "SELECT id FROM location WHERE is_default = 1 ORDER BY id LIMIT 1",
        &[],
        |row| row.get(0),
    )
}

fn read_location(row: &Row<'_>) -> Result<Location, Fault> {
    let time_zone: String = row.get(1)?;
    Ok(Location {
        id: row.get(0)?,
        cut_off: CutOff::new(&time_zone, row.get(2)?)?,
        currency: row.get(3)?,
        starts_unpaid: row.get(4)?,
    })
}

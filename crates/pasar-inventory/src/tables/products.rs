//! Rows of `product` and `sold_out`.

use pasar_store::{fault::Fault, tx::Tx, value::Json};
use pasar_types::{id::LocationId, money::Money, sku::Sku, time::Timestamp};

use crate::product::ProductDetails;

/// A product as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProductRow {
    pub(crate) sku: Sku,
    pub(crate) details: ProductDetails,
    pub(crate) keyversion: i64,
}

pub(crate) fn find(tx: &Tx<'_>, sku: &Sku) -> Result<Option<ProductRow>, Fault> {
    tx.query_opt(
        "SELECT name, names, amount_minor, currency, tax_rate, category, track_stock, withdrawn,
                keyversion
         FROM product WHERE sku = ?1",
        &[sku],
        |row| {
            Ok(ProductRow {
                sku: sku.clone(),
                details: ProductDetails {
                    name: row.get(0)?,
                    names: row.json(1)?,
                    price: Money::new(row.get(2)?, row.get(3)?),
                    tax_rate: row.get(4)?,
                    category: Some(row.get::<String>(5)?).filter(|category| !category.is_empty()),
                    track_stock: row.get(6)?,
                    withdrawn: row.get(7)?,
                },
                keyversion: row.get(8)?,
            })
        },
    )
}

/// Whether anybody counts the product. `None` if there is no such product.
pub(crate) fn is_tracked(tx: &Tx<'_>, sku: &Sku) -> Result<Option<bool>, Fault> {
    tx.query_opt(
        "SELECT track_stock FROM product WHERE sku = ?1",
        &[sku],
        |row| row.get(0),
    )
}

pub(crate) fn insert(tx: &Tx<'_>, row: &ProductRow) -> Result<(), Fault> {
    let details = &row.details;
    tx.execute(
        "INSERT INTO product (sku, name, names, amount_minor, currency, tax_rate, category,
                              track_stock, withdrawn, search, keyversion)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        &[
            &row.sku,
            &details.name,
            &Json(&details.names),
            &details.price.amount_minor,
            &details.price.currency,
            &details.tax_rate,
            &details.category.as_deref().unwrap_or_default(),
            &details.track_stock,
            &details.withdrawn,
            &details.search_text(&row.sku),
            &row.keyversion,
        ],
    )?;
    Ok(())
}

/// Stores the next version of a product.
pub(crate) fn update(tx: &Tx<'_>, row: &ProductRow) -> Result<(), Fault> {
    let details = &row.details;
    tx.execute_one(
        "product",
        "UPDATE product SET name = ?2, names = ?3, amount_minor = ?4, currency = ?5, tax_rate = ?6,
                            category = ?7, track_stock = ?8, withdrawn = ?9, search = ?10,
                            keyversion = ?11
         WHERE sku = ?1 AND keyversion = ?11 - 1",
        &[
            &row.sku,
            &details.name,
            &Json(&details.names),
            &details.price.amount_minor,
            &details.price.currency,
            &details.tax_rate,
            &details.category.as_deref().unwrap_or_default(),
            &details.track_stock,
            &details.withdrawn,
            &details.search_text(&row.sku),
            &row.keyversion,
        ],
    )
}

/// Marks that something beside the row changed which the product's event tells.
pub(crate) fn touch(tx: &Tx<'_>, row: &ProductRow) -> Result<(), Fault> {
    tx.execute_one(
        "product",
        "UPDATE product SET keyversion = ?2 WHERE sku = ?1 AND keyversion = ?2 - 1",
        &[&row.sku, &row.keyversion],
    )
}

/// Where a product is sold out today.
pub(crate) fn sold_out_at(tx: &Tx<'_>, sku: &Sku) -> Result<Vec<LocationId>, Fault> {
    tx.query_all(
        "SELECT location FROM sold_out WHERE sku = ?1 ORDER BY location",
        &[sku],
        |row| row.get(0),
    )
}

/// Products that are sold out today at so many locations.
pub(crate) fn sold_out_at_many(tx: &Tx<'_>, locations: i64) -> Result<Vec<Sku>, Fault> {
    tx.query_all(
        "SELECT sku FROM sold_out GROUP BY sku HAVING COUNT(*) = ?1 ORDER BY sku",
        &[&locations],
        |row| row.get(0),
    )
}

/// Until when a product is sold out at a location.
pub(crate) fn sold_out_until(
    tx: &Tx<'_>,
    sku: &Sku,
    location: LocationId,
) -> Result<Option<Timestamp>, Fault> {
    tx.query_opt(
        "SELECT until FROM sold_out WHERE sku = ?1 AND location = ?2",
        &[sku, &location],
        |row| row.get(0),
    )
}

pub(crate) fn insert_sold_out(
    tx: &Tx<'_>,
    sku: &Sku,
    location: LocationId,
    until: Timestamp,
) -> Result<(), Fault> {
    tx.execute(
        "INSERT INTO sold_out (sku, location, until) VALUES (?1, ?2, ?3)",
        &[sku, &location, &until],
    )?;
    Ok(())
}

pub(crate) fn delete_sold_out(tx: &Tx<'_>, sku: &Sku, location: LocationId) -> Result<(), Fault> {
    tx.execute_one(
        "sold out",
        "DELETE FROM sold_out WHERE sku = ?1 AND location = ?2",
        &[sku, &location],
    )
}

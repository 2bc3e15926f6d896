//! Rows that carry the version of their newest event, in pages by their keys.

use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::id::{Id, Kind, LocationId, OrderId, PaymentId, SubscriptionId, UserId};

/// The key of a row's events and the version that the row is at.
pub(in crate::check) struct Versioned<C> {
    /// Where the next page begins.
    pub(in crate::check) cursor: C,
    pub(in crate::check) key: String,
    pub(in crate::check) keyversion: i64,
}

/// Before every id.
pub(in crate::check) const fn first<K: Kind>() -> Id<K> {
    Id::from_bytes([0; 16])
}

type Page<C> = Result<Vec<Versioned<C>>, Fault>;

pub(in crate::check) fn users(tx: &Tx<'_>, after: &UserId, limit: i64) -> Page<UserId> {
    tx.query_all(
        "SELECT id, keyversion FROM users WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[after, &limit],
        |row| {
            let id: UserId = row.get(0)?;
            Ok(Versioned {
                cursor: id,
                key: id.to_string(),
                keyversion: row.get(1)?,
            })
        },
    )
}

pub(in crate::check) fn orders(tx: &Tx<'_>, after: &OrderId, limit: i64) -> Page<OrderId> {
    tx.query_all(
        "SELECT id, keyversion FROM orders WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[after, &limit],
        |row| {
            let id: OrderId = row.get(0)?;
            Ok(Versioned {
                cursor: id,
                key: id.to_string(),
                keyversion: row.get(1)?,
            })
        },
    )
}

pub(in crate::check) fn payments(tx: &Tx<'_>, after: &PaymentId, limit: i64) -> Page<PaymentId> {
    tx.query_all(
        "SELECT id, keyversion FROM payment WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[after, &limit],
        |row| {
            let id: PaymentId = row.get(0)?;
            Ok(Versioned {
                cursor: id,
                key: OrderId::from_uuid(id.uuid()).to_string(),
                keyversion: row.get(1)?,
            })
        },
    )
}

pub(in crate::check) fn reservations(tx: &Tx<'_>, after: &OrderId, limit: i64) -> Page<OrderId> {
    tx.query_all(
        "SELECT order_id, keyversion FROM reservation
         WHERE order_id > ?1 ORDER BY order_id LIMIT ?2",
        &[after, &limit],
        |row| {
            let id: OrderId = row.get(0)?;
            Ok(Versioned {
                cursor: id,
                key: id.to_string(),
                keyversion: row.get(1)?,
            })
        },
    )
}

pub(in crate::check) fn products(tx: &Tx<'_>, after: &str, limit: i64) -> Page<String> {
    tx.query_all(
        "SELECT sku, keyversion FROM product WHERE sku > ?1 ORDER BY sku LIMIT ?2",
        &[&after, &limit],
        |row| {
            let sku: String = row.get(0)?;
            Ok(Versioned {
                key: format!("product:{sku}"),
                cursor: sku,
                keyversion: row.get(1)?,
            })
        },
    )
}

pub(in crate::check) fn locations(tx: &Tx<'_>, after: &LocationId, limit: i64) -> Page<LocationId> {
    tx.query_all(
        "SELECT id, keyversion FROM location WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[after, &limit],
        |row| {
            let id: LocationId = row.get(0)?;
            Ok(Versioned {
                cursor: id,
                key: format!("location:{id}"),
                keyversion: row.get(1)?,
            })
        },
    )
}

pub(in crate::check) fn subscriptions(
    tx: &Tx<'_>,
    after: &SubscriptionId,
    limit: i64,
) -> Page<SubscriptionId> {
    tx.query_all(
        "SELECT id, keyversion FROM subscription WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[after, &limit],
        |row| {
            let id: SubscriptionId = row.get(0)?;
            Ok(Versioned {
                cursor: id,
                key: id.to_string(),
                keyversion: row.get(1)?,
            })
        },
    )
}

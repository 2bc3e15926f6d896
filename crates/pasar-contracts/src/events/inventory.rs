//! What the inventory service publishes. Keys: `product:{sku}`, `location:{id}`, `stock:{location}:{sku}`
//! for what is received and counted, and the order id for everything about a reservation.

use std::collections::BTreeMap;

use pasar_types::{
    id::{LocationId, OrderId, ReservationId},
    money::{Currency, Money, TaxRate},
    quantity::Quantity,
    sku::Sku,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::events;

/// A product was created or changed; the whole of it as it now stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProductChanged {
    pub sku: Sku,
    pub name: String,
    /// By language tag (BCP 47).
    pub names: BTreeMap<String, String>,
    pub price: Money,
    pub tax_rate: TaxRate,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub category: Option<String>,
    pub track_stock: bool,
    /// False while it is withdrawn, or sold out today at every location.
    pub orderable: bool,
    /// Where it is sold out today: orders refuse it there, even if it is orderable elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sold_out_at: Vec<LocationId>,
}

/// A location was created or changed; the whole of it as it now stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LocationChanged {
    pub location_id: LocationId,
    pub name: String,
    /// IANA name, such as `Asia/Jakarta`.
    pub time_zone: String,
    /// Minutes after local midnight at which a business day ends.
    pub cut_off_minutes: u16,
    pub currency: Currency,
    /// Whether the kitchen starts orders that are not paid yet.
    pub starts_unpaid: bool,
    pub is_default: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockReceived {
    pub sku: Sku,
    pub location_id: LocationId,
    pub quantity: Quantity,
    pub on_hand: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockAdjusted {
    pub sku: Sku,
    pub location_id: LocationId,
    /// Signed change.
    pub change: i64,
    pub on_hand: i64,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReservedLine {
    pub sku: Sku,
    pub quantity: Quantity,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockReserved {
    pub order_id: OrderId,
    pub location_id: LocationId,
    pub reservation_id: ReservationId,
    pub expires_at: Timestamp,
}

/// One product that could not be had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shortage {
    pub sku: Sku,
    /// Units asked for.
    #[schema(example = 3)]
    pub requested: i64,
    /// Units that were available at that moment.
    #[schema(example = 1)]
    pub available: i64,
}

/// Nothing was reserved: all lines of an order or none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockRefused {
    pub order_id: OrderId,
    pub location_id: LocationId,
    pub shortages: Vec<Shortage>,
}

/// The reservation outlived its order's deadline and was given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockExpired {
    pub order_id: OrderId,
    pub location_id: LocationId,
    pub reservation_id: ReservationId,
}

/// The answer to `order.cancelling`: nothing is held for the order any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockReleased {
    pub order_id: OrderId,
    pub location_id: LocationId,
    /// What was undone; `nothing` when there was nothing to undo.
    pub undone: ReleaseKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseKind {
    /// No reservation was known; a tombstone refuses a later one.
    Nothing,
    /// The reservation was released.
    Reservation,
    /// The sale was returned to stock.
    SaleRestocked,
    /// The sale stands: the goods are used up.
    SaleKept,
}

/// The reservation became a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockSold {
    pub order_id: OrderId,
    pub location_id: LocationId,
    pub reservation_id: ReservationId,
}

/// Goods of a refunded order went back to stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockReturned {
    pub order_id: OrderId,
    pub location_id: LocationId,
    pub lines: Vec<ReservedLine>,
}

events! { Inventory:
    ProductChanged = "product.changed.v1",
    LocationChanged = "location.changed.v1",
    StockReceived = "stock.received.v1",
    StockAdjusted = "stock.adjusted.v1",
    StockReserved = "stock.reserved.v1",
    StockRefused = "stock.refused.v1",
    StockExpired = "stock.expired.v1",
    StockReleased = "stock.released.v1",
    StockSold = "stock.sold.v1",
    StockReturned = "stock.returned.v1",
}

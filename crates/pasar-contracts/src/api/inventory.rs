//! Products, stock and locations as clients read and change them.

use std::collections::BTreeMap;

use pasar_types::{
    id::{LocationId, OrderId},
    money::{Currency, Money, TaxRate},
    quantity::Quantity,
    sku::Sku,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Rows that one import may have.
pub const MAX_IMPORT_ROWS: usize = 10_000;

/// A counter with its own stock, numbers and business day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    pub id: LocationId,
    #[schema(example = "Kemang")]
    pub name: String,
    /// IANA name.
    #[schema(example = "Asia/Jakarta")]
    pub time_zone: String,
    /// Local time at which a business day ends, `HH:MM`.
    #[schema(example = "04:00")]
    pub cut_off: String,
    pub currency: Currency,
    /// Whether the kitchen starts orders that are not paid yet.
    pub starts_unpaid: bool,
    /// Where a call acts that names no location.
    pub is_default: bool,
}

/// The whole of what an admin decides about a location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocationInput {
    #[schema(min_length = 1, max_length = 100, example = "Kemang")]
    pub name: String,
    /// IANA name.
    #[schema(example = "Asia/Jakarta")]
    pub time_zone: String,
    /// Local time at which a business day ends, `HH:MM`.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "04:00")]
    pub cut_off: String,
    pub currency: Currency,
    /// Whether the kitchen starts orders that are not paid yet.
    #[serde(default)]
    pub starts_unpaid: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Locations {
    pub items: Vec<Location>,
}

/// A product as it stands at one location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Product {
    pub sku: Sku,
    #[schema(example = "Milk coffee")]
    pub name: String,
    /// By language tag (BCP 47).
    #[schema(example = json!({"id": "Kopi susu"}))]
    pub names: BTreeMap<String, String>,
    /// Tax included.
    pub price: Money,
    pub tax_rate: TaxRate,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "drinks")]
    pub category: Option<String>,
    /// False for what nobody counts: it never runs short.
    pub track_stock: bool,
    /// Taken off the menu until further notice.
    pub withdrawn: bool,
    /// Sold out at this location until its business day ends.
    pub sold_out_today: bool,
    /// Neither withdrawn nor sold out today.
    pub orderable: bool,
    /// Units at this location that no order holds; absent for what nobody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, example = 12)]
    pub available: Option<i64>,
}

/// The whole of what staff decides about a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductInput {
    #[schema(min_length = 1, max_length = 200, example = "Milk coffee")]
    pub name: String,
    /// By language tag (BCP 47), at most 20.
    #[serde(default)]
    #[schema(example = json!({"id": "Kopi susu"}))]
    pub names: BTreeMap<String, String>,
    /// Tax included, not negative.
    pub price: Money,
    #[serde(default)]
    pub tax_rate: TaxRate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, example = "drinks")]
    pub category: Option<String>,
    /// False for what nobody counts: it never runs short.
    #[serde(default = "tracked")]
    #[schema(default = true)]
    pub track_stock: bool,
    /// Taken off the menu until further notice.
    #[serde(default)]
    pub withdrawn: bool,
}

/// One row of an import: a product and its SKU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    pub sku: Sku,
    #[schema(min_length = 1, max_length = 200, example = "Milk coffee")]
    pub name: String,
    /// By language tag (BCP 47), at most 20.
    #[serde(default)]
    #[schema(example = json!({"id": "Kopi susu"}))]
    pub names: BTreeMap<String, String>,
    /// Tax included, not negative.
    pub price: Money,
    #[serde(default)]
    pub tax_rate: TaxRate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, example = "drinks")]
    pub category: Option<String>,
    /// False for what nobody counts: it never runs short.
    #[serde(default = "tracked")]
    #[schema(default = true)]
    pub track_stock: bool,
    /// Taken off the menu until further notice.
    #[serde(default)]
    pub withdrawn: bool,
}

/// Products to create or replace, all or none.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportInput {
    #[schema(min_items = 1, max_items = 10_000)]
    pub products: Vec<ImportRow>,
}

/// What an import did, in products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    #[schema(example = 34)]
    pub created: u32,
    #[schema(example = 2)]
    pub changed: u32,
    #[schema(example = 0)]
    pub unchanged: u32,
}

/// How much there is of a product at a location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockLevel {
    pub sku: Sku,
    pub location_id: LocationId,
    /// False if nobody counts the product; then the figures are the last ones known.
    pub track_stock: bool,
    /// Units that are there.
    #[schema(minimum = 0, example = 14)]
    pub on_hand: i64,
    /// Units of them that unsettled orders hold.
    #[schema(minimum = 0, example = 2)]
    pub reserved: i64,
    /// Units of them that nobody holds.
    #[schema(minimum = 0, example = 12)]
    pub available: i64,
}

/// Goods that came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntakeInput {
    pub quantity: Quantity,
    /// The default location if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationId>,
    /// A delivery note's number, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200, example = "delivery 4711")]
    pub note: Option<String>,
}

/// What was found to be otherwise than the books say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AdjustmentInput {
    /// So many are there. Not below what orders hold.
    Count {
        #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 11)]
        on_hand: i64,
        #[schema(min_length = 1, max_length = 200, example = "evening count")]
        reason: String,
        /// The default location if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<LocationId>,
    },
    /// So many are lost. Not more than what no order holds.
    WriteOff {
        quantity: Quantity,
        #[schema(min_length = 1, max_length = 200, example = "spilled")]
        reason: String,
        /// The default location if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<LocationId>,
    },
}

/// One entry of the stock ledger. The sum of all changes of a product at a location is what is on hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Movement {
    /// 1, 2, 3, .. for each product and location, without gaps.
    #[schema(minimum = 1, example = 7)]
    pub number: i64,
    pub kind: MovementKind,
    /// Units that came (positive) or went (negative).
    #[schema(example = -2)]
    pub change: i64,
    /// Units on hand after it.
    #[schema(minimum = 0, example = 12)]
    pub on_hand: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Why it was counted or written off; the note of an intake.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "evening count")]
    pub reason: Option<String>,
    /// Who counted, received or wrote off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "user:usr_01h455vb4pex5vsknk084sn02q")]
    pub actor: Option<String>,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// Goods came in.
    Intake,
    /// A count set the books right.
    Count,
    /// Goods were lost.
    WriteOff,
    /// An order took them.
    Sale,
    /// An order's goods came back.
    Return,
}

/// Which products to list, from the first SKU on.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ProductsQuery {
    /// Part of a name or SKU, in any case.
    #[param(max_length = 100, example = "kopi")]
    pub q: Option<String>,
    #[param(max_length = 100, example = "drinks")]
    pub category: Option<String>,
    /// Whose availability to show; the default location if absent.
    pub location: Option<LocationId>,
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}

/// The location that a call means.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LocationQuery {
    /// The default location if absent.
    pub location: Option<LocationId>,
}

/// Which movements to list, the latest first.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MovementsQuery {
    /// The default location if absent.
    pub location: Option<LocationId>,
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}

impl ImportRow {
    /// The SKU and what is said about it.
    #[must_use]
    pub fn into_parts(self) -> (Sku, ProductInput) {
        let product = ProductInput {
            name: self.name,
            names: self.names,
            price: self.price,
            tax_rate: self.tax_rate,
            category: self.category,
            track_stock: self.track_stock,
            withdrawn: self.withdrawn,
        };
        (self.sku, product)
    }
}

const fn tracked() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adjustment_is_read_by_its_kind_and_refuses_what_it_does_not_know() {
        let read = |text| serde_json::from_str::<AdjustmentInput>(text);
        let count = read(r#"{"kind":"count","on_hand":3,"reason":"evening"}"#).unwrap();
        assert!(matches!(count, AdjustmentInput::Count { on_hand: 3, .. }));
        assert!(read(r#"{"kind":"count","on_hand":3,"reason":"evening","owner":1}"#).is_err());
        assert!(read(r#"{"kind":"write_off","quantity":0,"reason":"x"}"#).is_err());
        assert!(read(r#"{"kind":"theft","quantity":1,"reason":"x"}"#).is_err());
    }

    #[test]
    fn a_product_is_counted_and_on_the_menu_unless_it_says_otherwise() {
        let text = r#"{"name":"Tea","price":{"amount_minor":100,"currency":"IDR"}}"#;
        let tea: ProductInput = serde_json::from_str(text).unwrap();
        assert!(tea.track_stock && !tea.withdrawn);
        assert_eq!(tea.tax_rate.basis_points(), 0);
    }
}

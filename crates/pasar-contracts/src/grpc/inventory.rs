//! `pasar.inventory.v1`.

use pasar_types::quantity::Quantity;

use super::{
    InvalidField, invalid, limit, missing, optional, optional_text, text,
    types::{tax_rate, timestamp},
};
use crate::api::{inventory as api, page::Page};

mod generated {
    include!("generated/pasar.inventory.v1.rs");
}

pub use generated::*;

/// The service's full name.
pub const INVENTORY: &str = "pasar.inventory.v1.Inventory";

impl TryFrom<ListProductsRequest> for api::ProductsQuery {
    type Error = InvalidField;

    fn try_from(request: ListProductsRequest) -> Result<Self, InvalidField> {
        Ok(Self {
            q: optional_text("q", request.q)?,
            category: optional_text("category", request.category)?,
            location: optional("location_id", &request.location_id)?,
            limit: limit(request.limit),
            cursor: optional_text("cursor", request.cursor)?,
        })
    }
}

impl TryFrom<PutProductRequest> for api::ProductInput {
    type Error = InvalidField;

    fn try_from(request: PutProductRequest) -> Result<Self, InvalidField> {
        let names = request.names.into_iter();
        let price = request.price.ok_or_else(|| missing("price"))?;
        Ok(Self {
            name: text("name", request.name)?,
            names: names
                .map(|(language, name)| Ok((text("names", language)?, text("names", name)?)))
                .collect::<Result<_, _>>()?,
            price: price.read("price")?,
            tax_rate: tax_rate("tax_rate_basis_points", request.tax_rate_basis_points)?,
            category: optional_text("category", request.category)?,
            track_stock: request.track_stock.unwrap_or(true),
            withdrawn: request.withdrawn,
        })
    }
}

impl TryFrom<ReceiveStockRequest> for api::IntakeInput {
    type Error = InvalidField;

    fn try_from(request: ReceiveStockRequest) -> Result<Self, InvalidField> {
        Ok(Self {
            quantity: Quantity::new(request.quantity).map_err(invalid("quantity"))?,
            location: optional("location_id", &request.location_id)?,
            note: optional_text("note", request.note)?,
        })
    }
}

impl TryFrom<AdjustStockRequest> for api::AdjustmentInput {
    type Error = InvalidField;

    fn try_from(request: AdjustStockRequest) -> Result<Self, InvalidField> {
        use adjust_stock_request::Adjustment;
        let reason = text("reason", request.reason)?;
        let location = optional("location_id", &request.location_id)?;
        match request.adjustment {
            Some(Adjustment::Counted(on_hand)) => Ok(Self::Count {
                on_hand,
                reason,
                location,
            }),
            Some(Adjustment::WrittenOff(quantity)) => Ok(Self::WriteOff {
                quantity: Quantity::new(quantity).map_err(invalid("written_off"))?,
                reason,
                location,
            }),
            None => Err(missing("adjustment")),
        }
    }
}

impl Product {
    /// A product as it stands in a version; 0 if that is not said.
    #[must_use]
    pub fn new(product: api::Product, version: i64) -> Self {
        Self {
            sku: product.sku.to_string(),
            version,
            name: product.name,
            names: product.names.into_iter().collect(),
            price: Some(product.price.into()),
            tax_rate_basis_points: product.tax_rate.basis_points().into(),
            category: product.category.unwrap_or_default(),
            track_stock: product.track_stock,
            withdrawn: product.withdrawn,
            sold_out_today: product.sold_out_today,
            orderable: product.orderable,
            available: product.available,
        }
    }
}

impl From<Page<api::Product>> for ListProductsReply {
    fn from(page: Page<api::Product>) -> Self {
        let products = page.items.into_iter();
        Self {
            products: products.map(|product| Product::new(product, 0)).collect(),
            next_cursor: page.next_cursor.unwrap_or_default(),
        }
    }
}

impl From<api::StockLevel> for StockLevel {
    fn from(level: api::StockLevel) -> Self {
        Self {
            sku: level.sku.to_string(),
            location_id: level.location_id.to_string(),
            track_stock: level.track_stock,
            on_hand: level.on_hand,
            reserved: level.reserved,
            available: level.available,
        }
    }
}

impl From<api::Movement> for Movement {
    fn from(movement: api::Movement) -> Self {
        Self {
            number: movement.number,
            kind: MovementKind::from(movement.kind).into(),
            change: movement.change,
            on_hand: movement.on_hand,
            order_id: movement
                .order_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            reason: movement.reason.unwrap_or_default(),
            actor: movement.actor.unwrap_or_default(),
            at: Some(timestamp(movement.at)),
        }
    }
}

impl From<api::MovementKind> for MovementKind {
    fn from(kind: api::MovementKind) -> Self {
        match kind {
            api::MovementKind::Intake => Self::Intake,
            api::MovementKind::Count => Self::Count,
            api::MovementKind::WriteOff => Self::WriteOff,
            api::MovementKind::Sale => Self::Sale,
            api::MovementKind::Return => Self::Return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::types::Money;

    #[test]
    fn a_product_is_counted_unless_it_says_otherwise() {
        let put = |track_stock| PutProductRequest {
            name: "Tea".to_owned(),
            price: Some(Money {
                amount_minor: 100,
                currency: "IDR".to_owned(),
            }),
            track_stock,
            ..PutProductRequest::default()
        };
        let tracked = |request| api::ProductInput::try_from(request).unwrap().track_stock;
        assert!(tracked(put(None)));
        assert!(!tracked(put(Some(false))));
        let without_price = PutProductRequest {
            price: None,
            ..put(None)
        };
        let wrong = api::ProductInput::try_from(without_price).unwrap_err();
        assert_eq!(wrong.field, "price");
    }

    #[test]
    fn an_adjustment_is_one_of_two() {
        use adjust_stock_request::Adjustment;
        let adjust = |adjustment| {
            api::AdjustmentInput::try_from(AdjustStockRequest {
                sku: "tea".to_owned(),
                adjustment,
                reason: "spilled".to_owned(),
                ..AdjustStockRequest::default()
            })
        };
        assert!(adjust(Some(Adjustment::Counted(0))).is_ok());
        assert_eq!(adjust(None).unwrap_err().field, "adjustment");
        let wrong = adjust(Some(Adjustment::WrittenOff(0))).unwrap_err();
        assert_eq!(wrong.field, "written_off");
    }
}

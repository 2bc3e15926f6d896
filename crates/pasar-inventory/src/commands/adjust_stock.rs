//! Sets the books right: a count of what is there, or a write-off of what is lost. Never below what
//! orders hold.

use pasar_contracts::{
    api::inventory::{Movement, MovementKind},
    events::inventory::StockAdjusted,
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{
    id::{LocationId, OrderId},
    sku::Sku,
};
use serde::{Deserialize, Serialize};

use crate::{
    stock::{Adjustment, BelowReserved},
    tables::{locations, movements, products, reservations, stock},
};

/// Orders that a refusal names at most.
const MOST_NAMED: usize = 100;

#[derive(Clone, Debug)]
pub struct AdjustStock {
    pub location: LocationId,
    pub sku: Sku,
    pub adjustment: Adjustment,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Adjusted(Movement),
    UnknownProduct,
    UnknownLocation,
    /// Nobody counts this product.
    NotCounted,
    /// Less would be there than these orders hold.
    BelowReserved {
        on_hand: i64,
        reserved: i64,
        orders: Vec<OrderId>,
    },
}

pub fn adjust_stock(ctx: &mut Context<'_>, command: &AdjustStock) -> Result<Outcome, Fault> {
    let (location, sku) = (command.location, &command.sku);
    match products::is_tracked(ctx, sku)? {
        None => return Ok(Outcome::UnknownProduct),
        Some(false) => return Ok(Outcome::NotCounted),
        Some(true) => {}
    }
    if locations::find(ctx, location)?.is_none() {
        return Ok(Outcome::UnknownLocation);
    }
    let level = stock::level(ctx, location, sku)?;
    let on_hand = match level.adjusted(command.adjustment) {
        Ok(on_hand) => on_hand,
        Err(BelowReserved) => {
            return Ok(Outcome::BelowReserved {
                on_hand: level.on_hand,
                reserved: level.reserved,
                orders: reservations::holders(ctx, location, sku, MOST_NAMED)?,
            });
        }
    };
    let moved = stock::set_on_hand(ctx, location, sku, level, on_hand)?;
    let movement = Movement {
        number: moved.number,
        kind: match command.adjustment {
            Adjustment::Count(_) => MovementKind::Count,
            Adjustment::WriteOff(_) => MovementKind::WriteOff,
        },
        change: on_hand - level.on_hand,
        on_hand,
        order_id: None,
        reason: Some(command.reason.clone()),
        actor: Some(ctx.cause().actor.to_string()),
        at: ctx.now(),
    };
    movements::insert(ctx, location, sku, &movement)?;
    let event = StockAdjusted {
        sku: sku.clone(),
        location_id: location,
        change: movement.change,
        on_hand,
        reason: command.reason.clone(),
    };
    ctx.emit(&format!("stock:{location}:{sku}"), moved.keyversion, &event)?;
    Ok(Outcome::Adjusted(movement))
}

#[cfg(test)]
mod tests {
    use pasar_types::quantity::Quantity;

    use super::*;
    use crate::shop::{Shop, order};

    fn adjust(shop: &Shop, sku: &str, adjustment: Adjustment) -> Outcome {
        let command = AdjustStock {
            location: shop.here,
            sku: sku.parse().unwrap(),
            adjustment,
            reason: "evening count".to_owned(),
        };
        shop.run(move |ctx| adjust_stock(ctx, &command))
    }

    fn write_off(quantity: i64) -> Adjustment {
        Adjustment::WriteOff(Quantity::new(quantity).unwrap())
    }

    #[test]
    fn a_count_sets_what_is_there_and_a_write_off_takes_from_it() {
        let shop = Shop::open();
        shop.product("tea", true);
        shop.events();
        assert!(matches!(
            adjust(&shop, "tea", Adjustment::Count(9)),
            Outcome::Adjusted(_)
        ));
        assert!(matches!(
            adjust(&shop, "tea", Adjustment::Count(7)),
            Outcome::Adjusted(_)
        ));
        assert!(matches!(
            adjust(&shop, "tea", write_off(3)),
            Outcome::Adjusted(_)
        ));
        insta::assert_snapshot!(shop.rows(), @r"
        stock tea on_hand 4 reserved 0 moved 3
        movement tea #1 count +9 -> 9 evening count by operator
        movement tea #2 count -2 -> 7 evening count by operator
        movement tea #3 write_off -3 -> 4 evening count by operator
        ");
        insta::assert_snapshot!(shop.events(), @r#"
        stock.adjusted.v1 stock:here:tea v1 {"sku":"tea","location_id":"here","change":9,"on_hand":9,"reason":"evening count"}
        stock.adjusted.v1 stock:here:tea v2 {"sku":"tea","location_id":"here","change":-2,"on_hand":7,"reason":"evening count"}
        stock.adjusted.v1 stock:here:tea v3 {"sku":"tea","location_id":"here","change":-3,"on_hand":4,"reason":"evening count"}
        "#);
    }

    #[test]
    fn a_count_below_what_is_reserved_is_refused_and_names_the_orders() {
        let shop = Shop::open();
        shop.stocked("tea", 5);
        shop.stocked("cake", 5);
        shop.reserve(order(1), &[("tea", 2)]);
        shop.reserve(order(2), &[("tea", 1), ("cake", 1)]);
        shop.reserve(order(3), &[("cake", 1)]);
        shop.events();
        let refused = Outcome::BelowReserved {
            on_hand: 5,
            reserved: 3,
            orders: vec![order(1), order(2)],
        };
        assert_eq!(adjust(&shop, "tea", Adjustment::Count(2)), refused);
        assert_eq!(adjust(&shop, "tea", write_off(3)), refused);
        assert_eq!(shop.events(), "");
        assert!(matches!(
            adjust(&shop, "tea", Adjustment::Count(3)),
            Outcome::Adjusted(_)
        ));
    }

    #[test]
    fn what_nobody_counts_or_knows_is_not_adjusted() {
        let shop = Shop::open();
        shop.product("water", false);
        assert_eq!(adjust(&shop, "water", write_off(1)), Outcome::NotCounted);
        assert_eq!(adjust(&shop, "tea", write_off(1)), Outcome::UnknownProduct);
    }
}

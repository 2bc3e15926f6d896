//! Takes goods that came in into stock.

use pasar_contracts::{
    api::inventory::{Movement, MovementKind},
    events::inventory::StockReceived,
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{id::LocationId, quantity::Quantity, sku::Sku};
use serde::{Deserialize, Serialize};

use crate::tables::{locations, movements, products, stock};

#[derive(Clone, Debug)]
pub struct ReceiveStock {
    pub location: LocationId,
    pub sku: Sku,
    pub quantity: Quantity,
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Received(Movement),
    UnknownProduct,
    UnknownLocation,
    /// Nobody counts this product.
    NotCounted,
    /// More would be on hand than may be.
    TooMuch,
}

pub fn receive_stock(ctx: &mut Context<'_>, command: &ReceiveStock) -> Result<Outcome, Fault> {
    let (location, sku) = (command.location, &command.sku);
    match products::is_tracked(ctx, sku)? {
        None => return Ok(Outcome::UnknownProduct),
        Some(false) => return Ok(Outcome::NotCounted),
        Some(true) => {}
    }
    if locations::find(ctx, location)?.is_none() {
        return Ok(Outcome::UnknownLocation);
    }
    let Some(moved) = stock::add(ctx, location, sku, command.quantity.get())? else {
        return Ok(Outcome::TooMuch);
    };
    let movement = Movement {
        number: moved.number,
        kind: MovementKind::Intake,
        change: command.quantity.get(),
        on_hand: moved.on_hand,
        order_id: None,
        reason: command.note.clone(),
        actor: Some(ctx.cause().actor.to_string()),
        at: ctx.now(),
    };
    movements::insert(ctx, location, sku, &movement)?;
    let event = StockReceived {
        sku: sku.clone(),
        location_id: location,
        quantity: command.quantity,
        on_hand: moved.on_hand,
    };
    ctx.emit(&format!("stock:{location}:{sku}"), moved.keyversion, &event)?;
    Ok(Outcome::Received(movement))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        shop::Shop,
        stock::{Level, MAX_ON_HAND},
    };

    fn receive(shop: &Shop, sku: &str, quantity: i64) -> Outcome {
        let command = ReceiveStock {
            location: shop.here,
            sku: sku.parse().unwrap(),
            quantity: Quantity::new(quantity).unwrap(),
            note: Some("delivery 4711".to_owned()),
        };
        shop.run(move |ctx| receive_stock(ctx, &command))
    }

    #[test]
    fn each_intake_adds_to_stock_and_ledger_and_is_told() {
        let shop = Shop::open();
        shop.product("tea", true);
        shop.events();
        assert!(matches!(receive(&shop, "tea", 5), Outcome::Received(_)));
        assert!(matches!(receive(&shop, "tea", 2), Outcome::Received(_)));
        insta::assert_snapshot!(shop.rows(), @r"
        stock tea on_hand 7 reserved 0 moved 2
        movement tea #1 intake +5 -> 5 delivery 4711 by operator
        movement tea #2 intake +2 -> 7 delivery 4711 by operator
        ");
        insta::assert_snapshot!(shop.events(), @r#"
        stock.received.v1 stock:here:tea v1 {"sku":"tea","location_id":"here","quantity":5,"on_hand":5}
        stock.received.v1 stock:here:tea v2 {"sku":"tea","location_id":"here","quantity":2,"on_hand":7}
        "#);
    }

    #[test]
    fn what_nobody_counts_or_knows_is_not_received() {
        let shop = Shop::open();
        shop.product("water", false);
        assert_eq!(receive(&shop, "water", 1), Outcome::NotCounted);
        assert_eq!(receive(&shop, "tea", 1), Outcome::UnknownProduct);
        shop.product("tea", true);
        let command = ReceiveStock {
            location: LocationId::from_bytes([9; 16]),
            sku: "tea".parse().unwrap(),
            quantity: Quantity::new(1).unwrap(),
            note: None,
        };
        let outcome = shop.run(move |ctx| receive_stock(ctx, &command));
        assert_eq!(outcome, Outcome::UnknownLocation);
        assert_eq!(shop.rows(), "");
    }

    #[test]
    fn no_more_comes_in_than_can_ever_be_counted() {
        let shop = Shop::open();
        shop.product("tea", true);
        let sku = "tea".parse::<Sku>().unwrap();
        let here = shop.here;
        shop.run(move |ctx| {
            stock::set_on_hand(ctx, here, &sku, Level::default(), MAX_ON_HAND - 1).map(drop)
        });
        assert_eq!(receive(&shop, "tea", 2), Outcome::TooMuch);
        assert!(matches!(receive(&shop, "tea", 1), Outcome::Received(_)));
    }
}

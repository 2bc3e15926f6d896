//! Ends "sold out today": staff found more, or the business day is over.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::{id::LocationId, sku::Sku};

use super::publish;
use crate::{tables::products, timers};

#[derive(Clone, Debug)]
pub struct ClearSoldOut {
    pub sku: Sku,
    pub location: LocationId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Cleared,
    /// It was not sold out; nothing is told.
    NotSoldOut,
    UnknownProduct,
}

pub fn clear_sold_out(ctx: &mut Context<'_>, command: &ClearSoldOut) -> Result<Outcome, Fault> {
    let Some(mut product) = products::find(ctx, &command.sku)? else {
        return Ok(Outcome::UnknownProduct);
    };
    let Some(until) = products::sold_out_until(ctx, &command.sku, command.location)? else {
        return Ok(Outcome::NotSoldOut);
    };
    products::delete_sold_out(ctx, &command.sku, command.location)?;
    timers::cancel_sold_out_end(ctx, &command.sku, command.location, until)?;
    product.keyversion += 1;
    products::touch(ctx, &product)?;
    publish::product(ctx, &product)?;
    Ok(Outcome::Cleared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::Shop;

    fn clear(shop: &Shop) -> Outcome {
        let command = ClearSoldOut {
            sku: "tea".parse().unwrap(),
            location: shop.here,
        };
        shop.run(move |ctx| clear_sold_out(ctx, &command))
    }

    #[test]
    fn what_is_no_longer_sold_out_is_told_once_and_its_timer_is_gone() {
        let shop = Shop::open();
        shop.product("tea", true);
        shop.sold_out("tea");
        shop.events();
        assert_eq!(clear(&shop), Outcome::Cleared);
        assert_eq!(clear(&shop), Outcome::NotSoldOut);
        insta::assert_snapshot!(shop.events(), @r#"product.changed.v1 product:tea v3 {"sku":"tea","name":"Tea","names":{},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":0,"track_stock":true,"orderable":true}"#);
        assert_eq!(shop.timers(), "");
    }

    #[test]
    fn an_unknown_product_is_refused() {
        assert_eq!(clear(&Shop::open()), Outcome::UnknownProduct);
    }
}

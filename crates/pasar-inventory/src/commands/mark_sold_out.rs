//! Marks a product as sold out at a location until its business day ends.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::{id::LocationId, sku::Sku};

use super::publish;
use crate::{
    tables::{locations, products},
    timers,
};

#[derive(Clone, Debug)]
pub struct MarkSoldOut {
    pub sku: Sku,
    pub location: LocationId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    SoldOut,
    /// It was so before; nothing is told.
    AlreadySoldOut,
    UnknownProduct,
    UnknownLocation,
}

pub fn mark_sold_out(ctx: &mut Context<'_>, command: &MarkSoldOut) -> Result<Outcome, Fault> {
    let Some(mut product) = products::find(ctx, &command.sku)? else {
        return Ok(Outcome::UnknownProduct);
    };
    let Some(location) = locations::find(ctx, command.location)? else {
        return Ok(Outcome::UnknownLocation);
    };
    if products::sold_out_until(ctx, &command.sku, command.location)?.is_some() {
        return Ok(Outcome::AlreadySoldOut);
    }
    let until = location.details.next_cut_off(ctx.now()).ok_or_else(|| {
        Fault::Corrupt(format!(
            "the time zone of location {} is not known",
            location.id
        ))
    })?;
    products::insert_sold_out(ctx, &command.sku, command.location, until)?;
    timers::set_sold_out_end(ctx, &command.sku, command.location, until)?;
    product.keyversion += 1;
    products::touch(ctx, &product)?;
    publish::product(ctx, &product)?;
    Ok(Outcome::SoldOut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, details};

    fn mark(shop: &Shop, sku: &str, location: LocationId) -> Outcome {
        let command = MarkSoldOut {
            sku: sku.parse().unwrap(),
            location,
        };
        shop.run(move |ctx| mark_sold_out(ctx, &command))
    }

    #[test]
    fn a_product_is_sold_out_until_the_cut_off_and_that_is_told_once() {
        let shop = Shop::open();
        shop.product("tea", true);
        shop.events();
        assert_eq!(mark(&shop, "tea", shop.here), Outcome::SoldOut);
        assert_eq!(mark(&shop, "tea", shop.here), Outcome::AlreadySoldOut);
        insta::assert_snapshot!(shop.events(), @r#"product.changed.v1 product:tea v2 {"sku":"tea","name":"Tea","names":{},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":0,"track_stock":true,"orderable":false,"sold_out_at":["here"]}"#);
        insta::assert_snapshot!(shop.timers(), @"sold_out_end here/tea at 2026-01-01T21:00:00Z");
    }

    #[test]
    fn a_product_stays_orderable_while_another_location_has_it() {
        let shop = Shop::open();
        shop.product("tea", true);
        shop.location(details());
        shop.events();
        mark(&shop, "tea", shop.here);
        insta::assert_snapshot!(shop.events(), @r#"product.changed.v1 product:tea v2 {"sku":"tea","name":"Tea","names":{},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":0,"track_stock":true,"orderable":true,"sold_out_at":["here"]}"#);
    }

    #[test]
    fn only_what_exists_is_sold_out() {
        let shop = Shop::open();
        assert_eq!(mark(&shop, "tea", shop.here), Outcome::UnknownProduct);
        shop.product("tea", true);
        let nowhere = LocationId::from_bytes([9; 16]);
        assert_eq!(mark(&shop, "tea", nowhere), Outcome::UnknownLocation);
    }
}

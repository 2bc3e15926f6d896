//! Adds a location. It has no stock and nothing is sold out there.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::LocationId;

use super::publish;
use crate::{
    location::LocationDetails,
    tables::{
        locations::{self, LocationRow},
        products,
    },
};

/// Locations that one system has at most: they are listed without pages.
pub const MAX_LOCATIONS: i64 = 200;

#[derive(Clone, Debug)]
pub struct CreateLocation {
    pub details: LocationDetails,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Created(LocationId),
    /// There are [`MAX_LOCATIONS`] already.
    TooMany,
}

pub fn create_location(ctx: &mut Context<'_>, command: &CreateLocation) -> Result<Outcome, Fault> {
    let before = locations::count(ctx)?;
    if before >= MAX_LOCATIONS {
        return Ok(Outcome::TooMany);
    }
    let row = LocationRow {
        id: ctx.new_id(),
        details: command.details.clone(),
        is_default: false,
        keyversion: 1,
    };
    locations::insert(ctx, &row)?;
    publish::location(ctx, &row)?;
    // What was sold out everywhere can be had here.
    for sku in products::sold_out_at_many(ctx, before)? {
        if let Some(mut product) = products::find(ctx, &sku)? {
            product.keyversion += 1;
            products::touch(ctx, &product)?;
            publish::product(ctx, &product)?;
        }
    }
    Ok(Outcome::Created(row.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, details};

    #[test]
    fn what_was_sold_out_everywhere_is_orderable_again_once_there_is_another_location() {
        let shop = Shop::open();
        shop.product("tea", true);
        shop.sold_out("tea");
        shop.events();
        let command = CreateLocation { details: details() };
        let outcome = shop.run(move |ctx| create_location(ctx, &command));
        assert!(matches!(outcome, Outcome::Created(_)));
        insta::assert_snapshot!(shop.events(), @r#"
        location.changed.v1 location:loc v1 {"location_id":"loc","name":"Kemang","time_zone":"Asia/Jakarta","cut_off_minutes":240,"currency":"IDR","starts_unpaid":false,"is_default":false}
        product.changed.v1 product:tea v3 {"sku":"tea","name":"Tea","names":{},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":0,"track_stock":true,"orderable":true,"sold_out_at":["here"]}
        "#);
    }
}

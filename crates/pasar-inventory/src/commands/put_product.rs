//! Creates a product, or replaces what staff decides about it.

use pasar_chassis::extract::IfMatch;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::sku::Sku;

use super::publish;
use crate::{
    product::ProductDetails,
    tables::products::{self, ProductRow},
};

#[derive(Clone, Debug)]
pub struct PutProduct {
    pub sku: Sku,
    pub details: ProductDetails,
    /// The versions that the caller agrees to replace.
    pub if_match: IfMatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Created,
    Changed,
    /// It was so before; nothing is told.
    Unchanged,
    /// It is at another version than expected, or not there at all.
    VersionDiffers,
}

pub fn put_product(ctx: &mut Context<'_>, command: &PutProduct) -> Result<Outcome, Fault> {
    let existing = products::find(ctx, &command.sku)?;
    let agrees = existing.as_ref().map_or_else(
        || command.if_match.is_absent(),
        |row| command.if_match.allows(row.keyversion),
    );
    if !agrees {
        return Ok(Outcome::VersionDiffers);
    }
    let Some(mut row) = existing else {
        let row = ProductRow {
            sku: command.sku.clone(),
            details: command.details.clone(),
            keyversion: 1,
        };
        products::insert(ctx, &row)?;
        publish::product(ctx, &row)?;
        return Ok(Outcome::Created);
    };
    if row.details == command.details {
        return Ok(Outcome::Unchanged);
    }
    row.details = command.details.clone();
    row.keyversion += 1;
    products::update(ctx, &row)?;
    publish::product(ctx, &row)?;
    Ok(Outcome::Changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, product};

    fn put(shop: &Shop, name: &str, seen: Option<i64>) -> Outcome {
        let mut details = product(true);
        details.name = name.to_owned();
        let if_match = seen.map_or_else(IfMatch::default, IfMatch::version);
        let command = PutProduct {
            sku: "tea".parse().unwrap(),
            details,
            if_match,
        };
        shop.run(move |ctx| put_product(ctx, &command))
    }

    #[test]
    fn each_change_is_told_once_and_an_identical_product_is_not() {
        let shop = Shop::open();
        shop.events();
        assert_eq!(put(&shop, "Tea", None), Outcome::Created);
        assert_eq!(put(&shop, "Tea", None), Outcome::Unchanged);
        assert_eq!(put(&shop, "Hot tea", Some(1)), Outcome::Changed);
        insta::assert_snapshot!(shop.events(), @r#"
        product.changed.v1 product:tea v1 {"sku":"tea","name":"Tea","names":{},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":0,"track_stock":true,"orderable":true}
        product.changed.v1 product:tea v2 {"sku":"tea","name":"Hot tea","names":{},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":0,"track_stock":true,"orderable":true}
        "#);
    }

    #[test]
    fn a_product_of_another_version_than_seen_stays_as_it_is() {
        let shop = Shop::open();
        assert_eq!(put(&shop, "Tea", Some(1)), Outcome::VersionDiffers);
        put(&shop, "Tea", None);
        put(&shop, "Hot tea", None);
        shop.events();
        assert_eq!(put(&shop, "Iced tea", Some(1)), Outcome::VersionDiffers);
        assert_eq!(shop.events(), "");
    }
}

//! Creates or replaces many products at once: all of them in one transaction, without stock.

use pasar_chassis::extract::IfMatch;
use pasar_contracts::api::inventory::Imported;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::sku::Sku;

use super::put_product::{self, PutProduct, put_product};
use crate::product::ProductDetails;

/// Checked rows, each SKU once.
#[derive(Clone, Debug)]
pub struct ImportProducts {
    pub products: Vec<(Sku, ProductDetails)>,
}

pub fn import_products(ctx: &mut Context<'_>, command: &ImportProducts) -> Result<Imported, Fault> {
    let mut imported = Imported {
        created: 0,
        changed: 0,
        unchanged: 0,
    };
    for (sku, details) in &command.products {
        let product = PutProduct {
            sku: sku.clone(),
            details: details.clone(),
            if_match: IfMatch::default(),
        };
        match put_product(ctx, &product)? {
            put_product::Outcome::Created => imported.created += 1,
            put_product::Outcome::Changed => imported.changed += 1,
            put_product::Outcome::Unchanged => imported.unchanged += 1,
            put_product::Outcome::VersionDiffers => {
                return Err(Fault::Bug("an import expects no version".to_owned()));
            }
        }
    }
    Ok(imported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, product};

    #[test]
    fn an_import_tells_only_what_it_changed() {
        let shop = Shop::open();
        shop.product("tea", true);
        shop.product("cake", true);
        shop.events();
        let products = [
            ("tea", product(true)),
            ("cake", product(false)),
            ("kopi", product(true)),
        ];
        let products = products
            .map(|(sku, details)| (sku.parse().unwrap(), details))
            .to_vec();
        let command = ImportProducts { products };
        let imported = shop.run(move |ctx| import_products(ctx, &command));
        assert_eq!(
            imported,
            Imported {
                created: 1,
                changed: 1,
                unchanged: 1
            }
        );
        insta::assert_snapshot!(shop.events(), @r#"
        product.changed.v1 product:cake v2 {"sku":"cake","name":"Tea","names":{},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":0,"track_stock":false,"orderable":true}
        product.changed.v1 product:kopi v1 {"sku":"kopi","name":"Tea","names":{},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":0,"track_stock":true,"orderable":true}
        "#);
    }
}

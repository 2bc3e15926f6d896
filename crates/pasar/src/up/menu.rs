//! The demo's menu: a small café in Jakarta, loaded once into a shop that has no product yet.

use anyhow::{Context as _, anyhow};
use pasar_contracts::api::inventory::Location;
use pasar_inventory::{
    commands::{
        import_products::{ImportProducts, import_products},
        receive_stock::{self, ReceiveStock, receive_stock},
    },
    product::ProductDetails,
    queries::{self, ProductFilter},
};
use pasar_store::{
    cause::{Actor, Cause},
    fault::Fault,
    lane::{Class, LaneKey},
    store::Store,
    tx::Tx,
};
use pasar_types::id::{FlowId, LocationId};

use crate::import::rows::{self, Sheet};

const MENU: &[u8] = include_bytes!("../../demo/menu.csv");

/// Products and stock in one transaction, at the default location. Leaves a shop with products as it is.
pub(super) async fn load(inventory: &Store) -> anyhow::Result<()> {
    let (location, empty) = inventory
        .read(move |tx| {
            let locations = queries::all_locations(tx)?;
            let default = locations.into_iter().find(|location| location.is_default);
            let default =
                default.ok_or_else(|| Fault::Corrupt("there is no default location".to_owned()))?;
            let empty = is_empty(tx, default.id)?;
            Ok((default, empty))
        })
        .await?;
    if !empty {
        return Ok(());
    }
    let (import, intakes) = commands(&location)?;
    let flow = FlowId::from_uuid(inventory.ids().uuid_v7(inventory.clock().now()));
    inventory
        .write(
            LaneKey::of(location.id.as_bytes()),
            Class::Internal,
            Cause::new(Actor::Operator, flow),
            move |ctx| {
                // Looked at again in its lane: another instance may have started at the same moment.
                if !is_empty(ctx, location.id)? {
                    return Ok(());
                }
                import_products(ctx, &import)?;
                for intake in &intakes {
                    match receive_stock(ctx, intake)? {
                        receive_stock::Outcome::Received(_) => {}
                        other => {
                            return Err(Fault::Bug(format!(
                                "the menu's stock of {}: {other:?}",
                                intake.sku
                            )));
                        }
                    }
                }
                Ok(())
            },
        )
        .await
        .context("cannot load the demo's menu")
}

fn is_empty(tx: &Tx<'_>, location: LocationId) -> Result<bool, Fault> {
    Ok(queries::products(tx, &all_at(location), 1)?.is_empty())
}

fn all_at(location: LocationId) -> ProductFilter {
    ProductFilter {
        location,
        q: String::new(),
        category: String::new(),
        after: String::new(),
    }
}

fn commands(location: &Location) -> anyhow::Result<(ImportProducts, Vec<ReceiveStock>)> {
    let menu: Sheet = rows::parse(MENU, location.currency, true, || {})
        .map_err(|bad| anyhow!("the menu has bad rows: {bad:?}"))?;
    let mut import = ImportProducts {
        products: Vec::new(),
    };
    let mut intakes = Vec::new();
    for product in menu.products {
        let (sku, input) = product.row.into_parts();
        let details = ProductDetails::new(&input).map_err(|errors| anyhow!("{sku}: {errors:?}"))?;
        if let Some(quantity) = product.stock {
            intakes.push(ReceiveStock {
                location: location.id,
                sku: sku.clone(),
                quantity,
                note: Some("demo".to_owned()),
            });
        }
        import.products.push((sku, details));
    }
    Ok((import, intakes))
}

#[cfg(test)]
mod tests {
    use pasar_types::money::Currency;

    use super::*;

    #[test]
    fn the_menu_is_whole_in_two_languages_and_mostly_counted() {
        let location = Location {
            id: LocationId::from_bytes([1; 16]),
            name: "Main".to_owned(),
            time_zone: "Asia/Jakarta".to_owned(),
            cut_off: "04:00".to_owned(),
            currency: Currency::IDR,
            starts_unpaid: false,
            is_default: true,
        };
        let (import, intakes) = commands(&location).unwrap();
        assert!((12..=20).contains(&import.products.len()));
        assert_eq!(intakes.len(), import.products.len() - 1);
        for (sku, product) in &import.products {
            for language in ["en", "id"] {
                assert!(
                    product.names.contains_key(language),
                    "{sku} has no name in {language}"
                );
            }
            assert_eq!(
                (product.tax_rate.basis_points(), product.price.currency),
                (1100, Currency::IDR)
            );
        }
        let uncounted = import
            .products
            .iter()
            .filter(|(_, product)| !product.track_stock);
        assert_eq!(uncounted.count(), 1);
    }
}

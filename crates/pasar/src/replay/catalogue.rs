//! Creates the products that a till's items need, and leaves those that exist as they are.

use std::collections::BTreeMap;

use anyhow::Context as _;
use pasar_contracts::api::inventory::ProductInput;
use pasar_types::{
    money::{Money, TaxRate},
    sku::Sku,
};
use serde_json::Value;

use crate::{
    client::{Call, CallError, Client, Waits},
    locations, progress,
};

/// Returns how many were created.
pub(super) async fn create_missing(
    client: &Client,
    items: &BTreeMap<Sku, String>,
    price: &str,
) -> anyhow::Result<usize> {
    let currency = locations::currency(client).await?;
    let price = Money::from_major(price, currency).with_context(|| {
        format!("--price is in major units of {currency}, such as --price 25000")
    })?;
    let bar = progress::bar(items.len(), "products");
    let mut waits = Waits::default();
    let mut created = 0;
    for (sku, name) in items {
        let path = format!("/v1/products/{sku}");
        match client.call::<Value>(&Call::get(&path), &mut waits).await {
            Ok(_) => {}
            Err(CallError::Refused(problem)) if problem.is_not_found() => {
                let product = ProductInput {
                    name: name.clone(),
                    names: BTreeMap::new(),
                    price,
                    tax_rate: TaxRate::default(),
                    category: None,
                    track_stock: false,
                    withdrawn: false,
                };
                client
                    .call::<Value>(&Call::put(&path, &product), &mut waits)
                    .await
                    .map_err(anyhow::Error::from)
                    .with_context(|| {
                        format!("cannot create the product {sku} for the item {name:?}")
                    })?;
                created += 1;
            }
            Err(error) => return Err(error.into()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(created)
}

//! What the client commands need to know of the locations.

use anyhow::Context as _;
use pasar_contracts::api::inventory::Locations;
use pasar_types::money::Currency;

use crate::client::{Call, Client, Waits};

/// The currency of the default location: amounts on the command line are in its major units.
pub(crate) async fn currency(client: &Client) -> anyhow::Result<Currency> {
    let locations: Locations = client
        .call(&Call::get("/v1/locations"), &mut Waits::default())
        .await
        .map_err(anyhow::Error::from)
        .context("cannot read the locations")?;
    let default = locations
        .items
        .iter()
        .find(|location| location.is_default)
        .or(locations.items.first())
        .context("there is no location yet; `pasar up` makes one when it starts")?;
    Ok(default.currency)
}

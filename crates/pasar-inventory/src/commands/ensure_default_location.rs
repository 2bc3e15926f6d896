//! Makes the one location that a shop begins with, on the first start only.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::LocationId;

use super::publish;
use crate::{
    location::LocationDetails,
    tables::locations::{self, LocationRow},
};

#[derive(Clone, Debug)]
pub struct EnsureDefaultLocation {
    pub details: LocationDetails,
}

/// The default location: made now, or there before and then left as it is.
pub fn ensure_default_location(
    ctx: &mut Context<'_>,
    command: &EnsureDefaultLocation,
) -> Result<LocationId, Fault> {
    if let Some(row) = locations::find_default(ctx)? {
        return Ok(row.id);
    }
    let row = LocationRow {
        id: ctx.new_id(),
        details: command.details.clone(),
        is_default: true,
        keyversion: 1,
    };
    locations::insert(ctx, &row)?;
    publish::location(ctx, &row)?;
    Ok(row.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, details};

    #[test]
    fn the_default_location_is_made_once() {
        let shop = Shop::empty();
        let mut later = details();
        later.name = "Another name in the configuration".to_owned();
        let ensure = |details| {
            let command = EnsureDefaultLocation { details };
            shop.run(move |ctx| ensure_default_location(ctx, &command))
        };
        let first = ensure(details());
        let again = ensure(later);
        assert_eq!(first, again);
        insta::assert_snapshot!(shop.events(), @r#"location.changed.v1 location:loc v1 {"location_id":"loc","name":"Kemang","time_zone":"Asia/Jakarta","cut_off_minutes":240,"currency":"IDR","starts_unpaid":false,"is_default":true}"#);
    }
}

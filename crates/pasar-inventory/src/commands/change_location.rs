//! Replaces what an admin decides about a location.

use pasar_chassis::extract::IfMatch;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::LocationId;

use super::publish;
use crate::{location::LocationDetails, tables::locations};

#[derive(Clone, Debug)]
pub struct ChangeLocation {
    pub id: LocationId,
    pub details: LocationDetails,
    /// The versions that the caller agrees to replace.
    pub if_match: IfMatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Changed,
    /// It was so before; nothing is told.
    Unchanged,
    Unknown,
    /// It is at another version than expected.
    VersionDiffers,
}

pub fn change_location(ctx: &mut Context<'_>, command: &ChangeLocation) -> Result<Outcome, Fault> {
    let Some(mut row) = locations::find(ctx, command.id)? else {
        return Ok(Outcome::Unknown);
    };
    if !command.if_match.allows(row.keyversion) {
        return Ok(Outcome::VersionDiffers);
    }
    if row.details == command.details {
        return Ok(Outcome::Unchanged);
    }
    row.details = command.details.clone();
    row.keyversion += 1;
    locations::update(ctx, &row)?;
    publish::location(ctx, &row)?;
    Ok(Outcome::Changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::{Shop, details};

    fn change(shop: &Shop, name: &str, seen: Option<i64>) -> Outcome {
        let mut details = details();
        details.name = name.to_owned();
        let if_match = seen.map_or_else(IfMatch::default, IfMatch::version);
        let command = ChangeLocation {
            id: shop.here,
            details,
            if_match,
        };
        shop.run(move |ctx| change_location(ctx, &command))
    }

    #[test]
    fn a_change_is_told_once_and_the_same_again_is_not() {
        let shop = Shop::open();
        shop.events();
        assert_eq!(change(&shop, "Senopati", Some(1)), Outcome::Changed);
        assert_eq!(change(&shop, "Senopati", None), Outcome::Unchanged);
        insta::assert_snapshot!(shop.events(), @r#"location.changed.v1 location:here v2 {"location_id":"here","name":"Senopati","time_zone":"Asia/Jakarta","cut_off_minutes":240,"currency":"IDR","starts_unpaid":false,"is_default":true}"#);
    }

    #[test]
    fn a_change_of_an_older_version_is_refused() {
        let shop = Shop::open();
        change(&shop, "Senopati", None);
        assert_eq!(change(&shop, "Blok M", Some(1)), Outcome::VersionDiffers);
    }

    #[test]
    fn a_location_that_does_not_exist_cannot_be_changed() {
        let shop = Shop::open();
        let id = LocationId::from_bytes([9; 16]);
        let command = ChangeLocation {
            id,
            details: details(),
            if_match: IfMatch::default(),
        };
        assert_eq!(
            shop.run(move |ctx| change_location(ctx, &command)),
            Outcome::Unknown
        );
    }
}

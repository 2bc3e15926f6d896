//! A service as small as can be: it counts units by name, and knows each user by a row.

use pasar_contracts::{
    event::Event,
    events::{inventory::StockReceived, users::UserRegistered},
};
use pasar_feed::follower::{Reactions, Route};
use pasar_store::{
    context::Context, fault::Fault, feed::FeedEvent, lane::LaneKey, store::Migration,
};
use pasar_types::{
    id::{LocationId, MovementId},
    quantity::Quantity,
};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_thing",
    sql: "CREATE TABLE thing (id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, units BIGINT)",
}];

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Received(MovementId),
    Full,
}

pub(crate) fn receive(ctx: &mut Context<'_>, name: &str, units: i64) -> Result<Outcome, Fault> {
    if units > 10 {
        return Ok(Outcome::Full);
    }
    let id: MovementId = ctx.new_id();
    ctx.execute("DELETE FROM thing WHERE name = ?1", &[&name])?;
    ctx.execute(
        "INSERT INTO thing (id, name, units) VALUES (?1, ?2, ?3)",
        &[&id, &name, &units],
    )?;
    let event = StockReceived {
        sku: name.parse().map_err(|_| Fault::Bug("a name".to_owned()))?,
        location_id: LocationId::from_uuid(id.uuid()),
        quantity: Quantity::new(units).map_err(|_| Fault::Bug("units".to_owned()))?,
        on_hand: units,
    };
    ctx.emit(&id.to_string(), 1, &event)?;
    Ok(Outcome::Received(id))
}

pub(crate) struct Users;

impl Reactions for Users {
    fn wants(&self, event_type: &str) -> bool {
        event_type == UserRegistered::TYPE
    }

    fn route(&self, _: &FeedEvent) -> Result<Route, Fault> {
        Ok(Route::One(LaneKey::ZERO))
    }

    fn react(&self, ctx: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        let user: UserRegistered = event.decode()?;
        if user.roles.is_empty() {
            return Err(Fault::Corrupt("a user without a role".to_owned()));
        }
        ctx.execute(
            "INSERT INTO thing (id, name) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING",
            &[&user.user_id, &user.user_id.to_string()],
        )?;
        Ok(())
    }
}

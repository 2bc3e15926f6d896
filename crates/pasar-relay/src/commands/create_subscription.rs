//! A new subscription, and from where on it takes messages.

use pasar_chassis::problem::FieldError;
use pasar_contracts::{
    api::relay::{Start, SubscriptionInput, SubscriptionState},
    events::relay::SubscriptionCreated,
};
use pasar_store::{context::Context, fault::Fault, tx::Tx};

use crate::{
    secrets::Secrets,
    subscription::{Spec, Stored},
    tables::{messages, nudges, progress, subscriptions},
    vault::Vault,
};

#[derive(Clone)]
pub struct CreateSubscription {
    /// With its secrets.
    pub input: SubscriptionInput,
    /// `user:usr_..`, `key:key_..`, `operator`.
    pub owner: String,
    /// The name under which the configuration declares it.
    pub declared: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Created(Box<Stored>),
    Invalid(Vec<FieldError>),
    /// There are [`MAX_SUBSCRIPTIONS`] already.
    TooMany,
}

/// Subscriptions of one relay.
pub const MAX_SUBSCRIPTIONS: i64 = 20_000;

pub fn create_subscription(
    ctx: &mut Context<'_>,
    vault: &Vault,
    command: &CreateSubscription,
) -> Result<Outcome, Fault> {
    let mut input = command.input.clone();
    let secret = vault
        .kinds
        .of(&input.destination)
        .map_or(&[][..], |kind| kind.secrets());
    let secrets = Secrets::take_from(&mut input.destination, secret).without_given_up();
    let mut whole = input.clone();
    secrets.put_into(&mut whole.destination);
    if let Err(errors) = Spec::read(&whole, vault.kinds) {
        return Ok(Outcome::Invalid(errors));
    }
    if subscriptions::count(ctx)? >= MAX_SUBSCRIPTIONS {
        return Ok(Outcome::TooMany);
    }
    let id = ctx.new_id();
    let stored = Stored {
        id,
        owner: command.owner.clone(),
        state: SubscriptionState::Active,
        disabled_because: None,
        input,
        secret_places: secrets.places(),
        sealed: vault.seal(ctx, id, &secrets)?,
        declared: command.declared.clone(),
        created_at: ctx.now(),
        version: 1,
        keyversion: 1,
    };
    subscriptions::insert(ctx, &stored)?;
    progress::insert(ctx, id, start(ctx, command.input.start)?)?;
    let event = SubscriptionCreated {
        subscription_id: id,
        kind: stored.kind_name().to_owned(),
    };
    nudges::nudge(ctx, id)?;
    ctx.emit(&id.to_string(), 1, &event)?;
    Ok(Outcome::Created(Box::new(stored)))
}

/// The position before the first message that it takes.
fn start(tx: &Tx<'_>, start: Start) -> Result<i64, Fault> {
    let ends = messages::ends(tx)?;
    Ok(match start {
        Start::Now => ends.head,
        Start::Earliest => ends.first - 1,
        Start::Time(time) => messages::position_before(tx, time)?,
        Start::Position(position) => position.clamp(ends.first - 1, ends.head),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, input};

    #[test]
    fn a_subscription_is_stored_without_its_secrets() {
        let bench = Bench::new();
        let command = CreateSubscription {
            input: input(json!({"kind": "probe", "to": "a", "token": "canary"})),
            owner: "operator".to_owned(),
            declared: None,
        };
        let vault = bench.vault.clone();
        let checked = bench.check(move |ctx| {
            create_subscription(ctx, &vault, &command)
                .map(|outcome| matches!(outcome, Outcome::Created(_)))
        });
        let text = checked.to_string();
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(checked.changes.len(), 2, "{text}");
        assert_eq!(checked.events[0].event_type, "subscription.created.v1");
        let stored = bench.only();
        assert_eq!(stored.secret_places, ["/token"]);
        let spec = stored.open(&bench.vault).unwrap();
        assert_eq!(spec.destination["token"], "canary");
    }

    #[test]
    fn what_cannot_work_is_refused_and_nothing_is_stored() {
        let bench = Bench::new();
        for destination in [json!({"kind": "none"}), json!({"kind": "probe"}), json!({})] {
            let outcome = bench.create(input(destination));
            assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
        }
        assert!(bench.events().is_empty());
    }

    #[test]
    fn it_starts_where_it_was_told_to() {
        let bench = Bench::new();
        for number in 1..=4 {
            bench.publish("client", &format!("{number}"));
            bench.advance(Duration::from_secs(10));
        }
        let time = bench.now() - Duration::from_secs(20);
        for (start, position) in [
            (Start::Now, 4),
            (Start::Earliest, 0),
            (Start::Position(2), 2),
            (Start::Position(9), 4),
            (Start::Time(time), 2),
            (Start::Time(bench.now()), 4),
        ] {
            let mut input = input(json!({"kind": "probe", "to": "a"}));
            input.start = start;
            let Outcome::Created(stored) = bench.create(input) else {
                panic!("it is created");
            };
            assert_eq!(bench.progress(stored.id).position, position, "{start:?}");
        }
    }
}

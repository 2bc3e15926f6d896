//! An owner decides anew what a subscription takes, and where and how it delivers.

use pasar_chassis::problem::FieldError;
use pasar_contracts::{api::relay::SubscriptionInput, events::relay::SubscriptionChanged};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use super::change;
use crate::{
    secrets::Secrets,
    subscription::{Spec, Stored},
    tables::subscriptions,
    vault::Vault,
};

#[derive(Clone)]
pub struct ChangeSubscription {
    pub id: SubscriptionId,
    /// The version that the change is based on (`If-Match`), if the client says.
    pub version: Option<i64>,
    /// All of it. Secrets that are not given stay as they are; `null` gives one up. `start` is not looked at.
    pub input: SubscriptionInput,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Changed(Stored),
    NotFound,
    /// Somebody changed it meanwhile.
    Stale(Stored),
    Invalid(Vec<FieldError>),
}

pub fn change_subscription(
    ctx: &mut Context<'_>,
    vault: &Vault,
    command: &ChangeSubscription,
) -> Result<Outcome, Fault> {
    let Some(mut stored) = subscriptions::find(ctx, command.id)? else {
        return Ok(Outcome::NotFound);
    };
    let mut input = command.input.clone();
    input.start = stored.input.start;
    let kind = vault.kinds.of(&input.destination);
    let mut secrets = Secrets::take_from(
        &mut input.destination,
        kind.map_or(&[][..], |kind| kind.secrets()),
    );
    if kind.is_some_and(|kind| kind.name() == stored.kind_name()) {
        let kept = stored.secrets(vault)?;
        secrets.keep(kept, &stored.input.destination, &input.destination);
    }
    let secrets = secrets.without_given_up();
    let mut whole = input.clone();
    secrets.put_into(&mut whole.destination);
    if let Err(errors) = Spec::read(&whole, vault.kinds) {
        return Ok(Outcome::Invalid(errors));
    }
    // After the rest: what can never be taken is named whatever the version.
    if command
        .version
        .is_some_and(|version| version != stored.version)
    {
        return Ok(Outcome::Stale(stored));
    }
    stored.input = input;
    stored.secret_places = secrets.places();
    stored.sealed = vault.seal(ctx, stored.id, &secrets)?;
    let event = SubscriptionChanged {
        subscription_id: stored.id,
        kind: stored.kind_name().to_owned(),
    };
    change::store(ctx, &mut stored, &event)?;
    Ok(Outcome::Changed(stored))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Bench, input};

    fn change(bench: &Bench, destination: Value, version: Option<i64>) -> Outcome {
        let command = ChangeSubscription {
            id: bench.only().id,
            version,
            input: input(destination),
        };
        let vault = bench.vault.clone();
        bench.given(move |ctx| change_subscription(ctx, &vault, &command))
    }

    fn token(bench: &Bench) -> Option<Value> {
        let spec = bench.only().open(&bench.vault).unwrap();
        spec.destination.get("token").cloned()
    }

    #[test]
    fn a_secret_that_is_not_given_stays_and_null_gives_it_up() {
        let bench = Bench::new();
        bench.create(input(json!({"kind": "probe", "to": "a", "token": "t"})));
        change(&bench, json!({"kind": "probe", "to": "b"}), None);
        assert_eq!(token(&bench), Some(json!("t")));
        assert_eq!(bench.only().input.destination["to"], "b");
        change(
            &bench,
            json!({"kind": "probe", "to": "b", "token": "u"}),
            None,
        );
        assert_eq!(token(&bench), Some(json!("u")));
        change(
            &bench,
            json!({"kind": "probe", "to": "b", "token": null}),
            None,
        );
        assert_eq!(token(&bench), None);
        let versions: Vec<_> = bench
            .events()
            .iter()
            .map(|event| event.keyversion)
            .collect();
        assert_eq!(versions, [1, 2, 3, 4]);
    }

    #[test]
    fn a_change_of_an_older_version_is_refused() {
        let bench = Bench::new();
        bench.create(input(json!({"kind": "probe", "to": "a"})));
        let new = json!({"kind": "probe", "to": "b"});
        assert!(matches!(
            change(&bench, new.clone(), Some(1)),
            Outcome::Changed(_)
        ));
        assert!(matches!(change(&bench, new, Some(1)), Outcome::Stale(_)));
    }

    #[test]
    fn a_change_that_cannot_work_changes_nothing() {
        let bench = Bench::new();
        bench.create(input(json!({"kind": "probe", "to": "a"})));
        let before = bench.only();
        let outcome = change(&bench, json!({"kind": "probe"}), None);
        assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
        assert_eq!(bench.only(), before);
    }
}

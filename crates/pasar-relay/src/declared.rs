//! Subscriptions that the configuration declares: made, changed and deleted at the start, by their names.

use std::{collections::BTreeSet, fmt};

use pasar_chassis::{problem::FieldError, service::BootError};
use pasar_contracts::api::relay::SubscriptionInput;
use pasar_store::{
    cause::{Actor, Cause},
    context::Context,
    fault::Fault,
    lane::{Class, LaneKey},
    store::Store,
};
use pasar_types::id::FlowId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    commands::{
        change_subscription::{self, ChangeSubscription, change_subscription},
        create_subscription::{self, CreateSubscription, create_subscription},
        delete_subscription::{DeleteSubscription, delete_subscription},
    },
    queries,
    subscription::{Spec, Stored},
    vault::{Kinds, Vault},
};

/// One of `[[relay.subscriptions]]`. Its debug form shows no secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Declared(pub SubscriptionInput);

/// So many may be declared.
pub const MAX_DECLARED: usize = 1_000;
const OWNER: &str = "operator";

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Declared").field(&self.0.name).finish()
    }
}

/// Refuses what cannot work, naming it, before anything is opened.
pub(crate) fn check(declared: &[Declared]) -> Result<(), BootError> {
    let invalid = |index: usize, field: &str, why: &str| {
        let place = format!("relay.subscriptions[{index}].{field}");
        Err(BootError::Invalid(format!("{place}: {why}")))
    };
    if declared.len() > MAX_DECLARED {
        return invalid(MAX_DECLARED, "name", "there are too many");
    }
    let mut names = BTreeSet::new();
    for (index, Declared(input)) in declared.iter().enumerate() {
        let Some(name) = &input.name else {
            return invalid(
                index,
                "name",
                "expected one, as it identifies the subscription",
            );
        };
        if !names.insert(name) {
            return invalid(index, "name", "another subscription has this name");
        }
        if let Err(errors) = Spec::read(input, Kinds::ALL)
            && let Some(FieldError { field, detail }) = errors.first()
        {
            return invalid(index, field, detail);
        }
    }
    Ok(())
}

/// Makes the stored subscriptions what the configuration says. One that is paused or disabled stays so.
pub(crate) async fn apply(
    store: &Store,
    vault: &Vault,
    declared: &[Declared],
) -> Result<(), BootError> {
    check(declared)?;
    let flow = FlowId::from_uuid(store.ids().uuid_v7(store.clock().now()));
    let cause = Cause::new(Actor::Operator, flow);
    let (vault, declared) = (vault.clone(), declared.to_vec());
    store
        .write(LaneKey::ZERO, Class::Internal, cause, move |ctx| {
            apply_all(ctx, &vault, &declared)
        })
        .await?;
    Ok(())
}

fn apply_all(ctx: &mut Context<'_>, vault: &Vault, declared: &[Declared]) -> Result<(), Fault> {
    let stored = queries::declared(ctx, MAX_DECLARED)?;
    for gone in stored.iter().filter(|it| input_of(it, declared).is_none()) {
        let command = DeleteSubscription {
            id: gone.id,
            version: None,
        };
        delete_subscription(ctx, command)?;
    }
    for Declared(input) in declared {
        match stored.iter().find(|it| it.declared == input.name) {
            None => create(ctx, vault, input)?,
            Some(stored) => change(ctx, vault, stored, input)?,
        }
    }
    Ok(())
}

fn input_of<'d>(stored: &Stored, declared: &'d [Declared]) -> Option<&'d Declared> {
    declared.iter().find(|it| it.0.name == stored.declared)
}

fn create(ctx: &mut Context<'_>, vault: &Vault, input: &SubscriptionInput) -> Result<(), Fault> {
    let command = CreateSubscription {
        input: input.clone(),
        owner: OWNER.to_owned(),
        declared: input.name.clone(),
    };
    match create_subscription(ctx, vault, &command)? {
        create_subscription::Outcome::Created(_) => Ok(()),
        create_subscription::Outcome::Invalid(_) => Err(Fault::Bug(format!(
            "{:?} was found valid and is not",
            input.name
        ))),
        create_subscription::Outcome::TooMany => Err(Fault::Bug(
            "there are too many subscriptions to declare another".to_owned(),
        )),
    }
}

fn change(
    ctx: &mut Context<'_>,
    vault: &Vault,
    stored: &Stored,
    input: &SubscriptionInput,
) -> Result<(), Fault> {
    let mut known = stored.input.clone();
    stored.secrets(vault)?.put_into(&mut known.destination);
    known.start = input.start;
    if known == *input {
        return Ok(());
    }
    let mut input = input.clone();
    // What the configuration does not say any more is given up.
    for place in &stored.secret_places {
        give_up(&mut input.destination, place);
    }
    let name = input.name.clone();
    let command = ChangeSubscription {
        id: stored.id,
        version: None,
        input,
    };
    match change_subscription(ctx, vault, &command)? {
        change_subscription::Outcome::Changed(_) => Ok(()),
        change_subscription::Outcome::NotFound
        | change_subscription::Outcome::Stale(_)
        | change_subscription::Outcome::Invalid(_) => {
            Err(Fault::Bug(format!("{name:?} cannot be changed")))
        }
    }
}

/// Sets a secret to `null` where the settings have none.
fn give_up(settings: &mut Map<String, Value>, pointer: &str) {
    let mut names: Vec<String> = pointer
        .split('/')
        .skip(1)
        .map(|name| name.replace("~1", "/").replace("~0", "~"))
        .collect();
    let Some(last) = names.pop() else { return };
    let mut object = Some(settings);
    for name in names {
        object = object.and_then(|object| object.get_mut(&name)?.as_object_mut());
    }
    if let Some(object) = object {
        object.entry(last).or_insert(Value::Null);
    }
}

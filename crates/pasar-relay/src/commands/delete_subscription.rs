//! A subscription ends, with all that waits for it. What was tried stays in the history.

use pasar_contracts::events::relay::SubscriptionDeleted;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use crate::tables::{dead_letters, nudges, progress, replays, retries, subscriptions};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteSubscription {
    pub id: SubscriptionId,
    /// The version that is deleted (`If-Match`), if the client says.
    pub version: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Deleted,
    NotFound,
    /// Somebody changed it meanwhile.
    Stale,
}

pub fn delete_subscription(
    ctx: &mut Context<'_>,
    command: DeleteSubscription,
) -> Result<Outcome, Fault> {
    let id = command.id;
    let Some(stored) = subscriptions::find(ctx, id)? else {
        return Ok(Outcome::NotFound);
    };
    if command
        .version
        .is_some_and(|version| version != stored.version)
    {
        return Ok(Outcome::Stale);
    }
    subscriptions::delete(ctx, id)?;
    progress::delete(ctx, id)?;
    retries::delete_all(ctx, id)?;
    dead_letters::delete_all(ctx, id)?;
    replays::delete_all(ctx, id)?;
    let event = SubscriptionDeleted {
        subscription_id: id,
    };
    nudges::nudge(ctx, id)?;
    ctx.emit(&id.to_string(), stored.keyversion + 1, &event)?;
    Ok(Outcome::Deleted)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, input};

    #[test]
    fn nothing_that_waits_is_left() {
        let bench = Bench::new();
        bench.create(input(json!({"kind": "probe", "to": "a"})));
        let id = bench.only().id;
        let command = DeleteSubscription { id, version: None };
        assert_snapshot!(bench.check(move |ctx| delete_subscription(ctx, command)), @r#"
        Deleted
        event subscription.deleted.v1 sub#1 v2 {"subscription_id":"sub#1"}
        - progress subscription=#1 position=0 attached=0 share=0
        - subscription id=#1 owner="operator" state="active" spec="{\"topics\":[\"client\"],\"destination\":{\"kind\":\"probe\",\"to\":\"a\"},\"format\":\"cloudevents\",\"ordering\":\"none\",\"start\":\"now\",\"retry\":{\"attempts\":24,\"within_s\":259200,\"first_s\":5,\"most_s\":21600}}" secret_places="[]" created_at=1767225600000000 version=1 keyversion=1
        "#);
        let again = bench.given(move |ctx| delete_subscription(ctx, command));
        assert_eq!(again, Outcome::NotFound);
    }
}

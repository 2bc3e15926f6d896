//! What a new follower needs of the users feed: who there is with which roles, and which sessions and keys are open.

use std::sync::Arc;

use pasar_contracts::{
    event::Event,
    events::users::{
        ApiKeyCreated, ApiKeyRevoked, SessionEnded, SessionStarted, UserDeleted,
        UserPasswordChanged, UserRolesChanged, UserUpdated,
    },
};
use pasar_store::feed::FeedEvent;

/// See [`pasar_store::snapshot::Needed`].
pub fn needed(needed: &mut Vec<Arc<FeedEvent>>, event: Arc<FeedEvent>) {
    match &*event.event_type {
        UserDeleted::TYPE => needed.clear(),
        UserRolesChanged::TYPE => {
            needed.retain(|before| before.event_type != UserRolesChanged::TYPE);
            needed.push(event);
        }
        SessionEnded::TYPE => {
            let session =
                |event: &FeedEvent| Some(event.decode::<SessionStarted>().ok()?.session_id);
            let ended = event.decode::<SessionEnded>().ok();
            needed.retain(|before| {
                session(before).is_none_or(|id| ended.as_ref().is_none_or(|e| e.session_id != id))
            });
        }
        ApiKeyRevoked::TYPE => {
            let key = |event: &FeedEvent| Some(event.decode::<ApiKeyCreated>().ok()?.api_key_id);
            let revoked = event.decode::<ApiKeyRevoked>().ok();
            needed.retain(|before| {
                key(before).is_none_or(|id| revoked.as_ref().is_none_or(|r| r.api_key_id != id))
            });
        }
        // They say that something changed, and nothing of what there is.
        UserUpdated::TYPE | UserPasswordChanged::TYPE => {}
        _ => needed.push(event),
    }
}

#[cfg(test)]
mod tests {
    use pasar_contracts::events::users::UserRegistered;
    use pasar_testkit::needed::{left, plain};
    use serde_json::{Value, json};

    use super::*;

    const USER: &str = "usr_00000000000000000000000001";

    fn session(event_type: &'static str, number: u8) -> (&'static str, Value) {
        let id = format!("ses_0000000000000000000000000{number}");
        let data = json!({"user_id": USER, "session_id": id, "reason": "logged_out"});
        (event_type, data)
    }

    fn key(event_type: &'static str, number: u8) -> (&'static str, Value) {
        let id = format!("key_0000000000000000000000000{number}");
        (
            event_type,
            json!({"user_id": USER, "api_key_id": id, "scopes": []}),
        )
    }

    #[test]
    fn sessions_and_keys_are_needed_while_they_are_open() {
        let events = [
            (UserRegistered::TYPE, json!({})),
            session(SessionStarted::TYPE, 1),
            session(SessionStarted::TYPE, 2),
            key(ApiKeyCreated::TYPE, 1),
            key(ApiKeyCreated::TYPE, 2),
            (UserUpdated::TYPE, json!({})),
            session(SessionEnded::TYPE, 1),
            key(ApiKeyRevoked::TYPE, 2),
        ];
        assert_eq!(left(needed, &events), [1, 3, 4]);
    }

    #[test]
    fn the_newest_roles_are_needed_and_nothing_of_who_is_gone() {
        let roles = [
            UserRegistered::TYPE,
            UserRolesChanged::TYPE,
            UserPasswordChanged::TYPE,
            UserRolesChanged::TYPE,
        ];
        assert_eq!(left(needed, &plain(&roles)), [1, 4]);
        let gone = [UserRegistered::TYPE, UserDeleted::TYPE];
        assert!(left(needed, &plain(&gone)).is_empty());
    }
}

//! Clears away what time has ended: sessions, old lines of the audit trail, keys that nothing is signed
//! with any more. A bounded stretch each time.

use std::time::Duration;

use pasar_chassis::keyring::Keyring;
use pasar_contracts::events::users::SessionEnd;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::time::Timestamp;

use crate::{
    commands::{
        ending,
        rotate_signing_key::{Reason, RotateSigningKey, rotate_signing_key},
    },
    signing_key::is_published,
    source::Origin,
    tables::{audit, sessions, signing_keys},
};

#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    pub(crate) keyring: Keyring,
    /// A signing key that old gets a successor.
    pub(crate) signing_key_age: Duration,
    pub(crate) audit_kept: Duration,
}

/// The kind of the timer that sweeps. It sets itself anew.
pub(crate) const TIMER: &str = "sweep";
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// After a stretch that was full.
const SOON: Duration = Duration::from_secs(1);
/// Rows of a kind that one sweep touches.
const STRETCH: u32 = 200;
/// How long a session that has ended can still be looked up.
const ENDED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Sees to it that the timer is set. Setting it again is the same timer.
pub(crate) fn set_timer(ctx: &mut Context<'_>) -> Result<(), Fault> {
    let due = next_hour(ctx.now());
    ctx.set_timer(TIMER, "", due)
}

pub(crate) fn sweep(ctx: &mut Context<'_>, command: &Sweep) -> Result<(), Fault> {
    let expired = sessions::expired(ctx, ctx.now(), STRETCH)?;
    for (session, user) in &expired {
        let reason = SessionEnd::Expired;
        ending::end_session(ctx, *user, *session, reason, &Origin::default())?;
    }
    let forgotten = sessions::delete_ended(ctx, ctx.now() - ENDED_KEPT, STRETCH)?;
    let unaudited = audit::delete_older(ctx, ctx.now() - command.audit_kept, STRETCH)?;
    let rotate = RotateSigningKey {
        keyring: command.keyring.clone(),
        reason: Reason::Age(command.signing_key_age),
    };
    rotate_signing_key(ctx, &rotate)?;
    delete_unpublished_keys(ctx)?;
    let stretch = u64::from(STRETCH);
    let full = expired.len() as u64 == stretch || forgotten == stretch || unaudited == stretch;
    if full {
        return ctx.set_timer(TIMER, "", ctx.now() + SOON);
    }
    set_timer(ctx)
}

fn delete_unpublished_keys(ctx: &Context<'_>) -> Result<(), Fault> {
    let keys = signing_keys::all(ctx)?;
    for pair in keys.windows(2) {
        if !is_published(Some(pair[1].signs_from), ctx.now()) {
            signing_keys::delete(ctx, &pair[0].kid)?;
        }
    }
    Ok(())
}

fn next_hour(now: Timestamp) -> Timestamp {
    let hour = i64::try_from(INTERVAL.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros((now.as_micros().div_euclid(hour) + 1).saturating_mul(hour))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        given::{self, Given},
        signing_key::PUBLISHED_AFTER,
    };

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn sweep(given: &Given) {
        let command = Sweep {
            keyring: given.keyring.clone(),
            signing_key_age: 90 * DAY,
            audit_kept: 365 * DAY,
        };
        given.run(move |ctx| super::sweep(ctx, &command));
    }

    #[test]
    fn an_expired_session_ends_and_is_forgotten_a_month_later() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.logged_in(sari);
        given.events();
        sweep(&given);
        assert_eq!(given.events(), "");
        given.clock.advance(given::lives().idle);
        sweep(&given);
        insta::assert_snapshot!(given.events(), @r#"sari v3 session.ended.v1 {"user_id":"sari","session_id":"session 1","reason":"expired"}"#);
        assert!(given.rows().contains("session 1 of"), "{}", given.rows());
        given.clock.advance(ENDED_KEPT + Duration::from_micros(1));
        sweep(&given);
        assert!(!given.rows().contains("session 1 of"), "{}", given.rows());
    }

    #[test]
    fn a_line_of_the_audit_trail_is_kept_for_its_time() {
        let given = Given::nothing();
        given.registered("sari");
        given.clock.advance(365 * DAY);
        sweep(&given);
        assert!(given.rows().contains("user.registered"));
        given.clock.advance(Duration::from_secs(1));
        sweep(&given);
        assert!(!given.rows().contains("user.registered"));
    }

    #[test]
    fn signing_keys_are_rotated_by_age_and_deleted_when_nothing_needs_them() {
        let given = Given::nothing();
        let stored = || given.store.read_now(signing_keys::all).unwrap().len();
        sweep(&given);
        assert_eq!(stored(), 1);
        given.clock.advance(90 * DAY);
        sweep(&given);
        assert_eq!(stored(), 2);
        given.clock.advance(PUBLISHED_AFTER);
        sweep(&given);
        assert_eq!(stored(), 2, "tokens of the old one may be about");
        given.clock.advance(DAY);
        sweep(&given);
        assert_eq!(stored(), 1);
    }

    #[test]
    fn it_comes_again_within_the_hour_and_sooner_while_there_is_more() {
        let given = Given::nothing();
        sweep(&given);
        let due = || given.store.next_timer_due().unwrap().unwrap();
        assert!(due().since(given.now()) <= INTERVAL);
        let sari = given.registered("sari");
        given.run(move |ctx| given::start_sessions(ctx, sari, STRETCH + 1));
        given.clock.advance(given::lives().idle);
        sweep(&given);
        let later = given.now() + SOON;
        assert!(
            given
                .store
                .due_timers(later, 100)
                .unwrap()
                .iter()
                .any(|timer| timer.due == later)
        );
    }

    #[test]
    fn starting_again_in_the_same_hour_sets_the_same_timer() {
        let given = Given::nothing();
        given.run(set_timer);
        given.clock.advance(Duration::from_secs(1));
        given.run(set_timer);
        let later = given.now() + 2 * INTERVAL;
        assert_eq!(given.store.due_timers(later, 100).unwrap().len(), 1);
    }
}

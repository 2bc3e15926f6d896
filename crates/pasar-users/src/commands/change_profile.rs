//! Changes what a user is called.

use pasar_chassis::extract::IfMatch;
use pasar_contracts::{
    api::users::{AuditAction, AuditDetails},
    events::users::UserUpdated,
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::UserId;

use crate::{
    account::Name,
    source::Origin,
    tables::{
        audit,
        users::{self, UserRow},
    },
};

#[derive(Clone, Debug)]
pub(crate) struct ChangeProfile {
    pub(crate) user: UserId,
    pub(crate) name: Name,
    pub(crate) if_match: IfMatch,
    pub(crate) origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Changed(Box<UserRow>),
    Unchanged(Box<UserRow>),
    /// Somebody changed it since.
    NotAsSeen,
    Unknown,
}

pub(crate) fn change_profile(
    ctx: &mut Context<'_>,
    command: &ChangeProfile,
) -> Result<Outcome, Fault> {
    let Some(user) = users::find(ctx, command.user)? else {
        return Ok(Outcome::Unknown);
    };
    if !command.if_match.allows(user.version) {
        return Ok(Outcome::NotAsSeen);
    }
    if user.name == command.name.as_str() {
        return Ok(Outcome::Unchanged(Box::new(user)));
    }
    let mut user = UserRow {
        name: command.name.as_str().to_owned(),
        ..user
    };
    users::update(ctx, &user)?;
    user.updated_at = ctx.now();
    user.version += 1;
    users::emit(ctx, user.id, &UserUpdated { user_id: user.id })?;
    let action = AuditAction::UserChanged;
    audit::record(
        ctx,
        action,
        Some(user.id),
        &command.origin,
        AuditDetails::default(),
    )?;
    Ok(Outcome::Changed(Box::new(user)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    #[test]
    fn a_name_is_changed_if_it_is_as_the_caller_has_seen_it() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.events();
        let change = |name: &str, if_match| {
            let name = Name::parse(name).unwrap();
            let command = ChangeProfile {
                user: sari,
                name,
                if_match,
                origin: given::origin(),
            };
            given.run(move |ctx| change_profile(ctx, &command))
        };
        let Outcome::Changed(changed) = change("Sari Dewi", IfMatch::version(1)) else {
            panic!("it is as seen");
        };
        assert_eq!((changed.name.as_str(), changed.version), ("Sari Dewi", 2));
        assert_eq!(change("Dewi", IfMatch::version(1)), Outcome::NotAsSeen);
        assert_eq!(
            change("Sari Dewi", IfMatch::default()),
            Outcome::Unchanged(changed)
        );
        insta::assert_snapshot!(given.events(), @r#"sari v2 user.updated.v1 {"user_id":"sari"}"#);
    }

    #[test]
    fn nobody_has_no_name() {
        let given = Given::nothing();
        let command = ChangeProfile {
            user: UserId::from_bytes([9; 16]),
            name: Name::parse("Sari").unwrap(),
            if_match: IfMatch::default(),
            origin: given::origin(),
        };
        let outcome = given.run(move |ctx| change_profile(ctx, &command));
        assert_eq!(outcome, Outcome::Unknown);
    }
}

//! Writes down that somebody did not get in. For unknown accounts too: it costs the same.

use pasar_contracts::api::users::{AuditAction, AuditDetails};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::UserId;

use crate::{source::Origin, tables::audit};

#[derive(Clone, Debug)]
pub(crate) struct RecordFailedLogin {
    /// Whose account it was, if there is one.
    pub(crate) user: Option<UserId>,
    pub(crate) origin: Origin,
}

pub(crate) fn record_failed_login(
    ctx: &mut Context<'_>,
    command: &RecordFailedLogin,
) -> Result<(), Fault> {
    let RecordFailedLogin { user, origin } = command;
    audit::record(
        ctx,
        AuditAction::LoginFailed,
        *user,
        origin,
        AuditDetails::default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    #[test]
    fn it_is_written_down_with_or_without_an_account() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.events();
        for user in [Some(sari), None] {
            let command = RecordFailedLogin {
                user,
                origin: given::origin(),
            };
            given.run(move |ctx| record_failed_login(ctx, &command));
        }
        assert_eq!(given.events(), "");
        insta::assert_snapshot!(given.rows(), @r#"
        sari: sari@example.com, Sari, ["customer"], $argon2id$sari, version 1, events 1
        audit of nobody: login.failed 203.0.113.0/24 {}
        audit of sari: login.failed 203.0.113.0/24 {}
        audit of sari: user.registered 203.0.113.0/24 {"roles":["customer"]}
        "#);
    }
}

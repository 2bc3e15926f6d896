//! Writes down that a person's data was handed out.

use pasar_contracts::api::users::{AuditAction, AuditDetails};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::UserId;

use crate::{source::Origin, tables::audit};

#[derive(Clone, Debug)]
pub(crate) struct RecordExport {
    pub(crate) user: UserId,
    pub(crate) origin: Origin,
}

pub(crate) fn record_export(ctx: &mut Context<'_>, command: &RecordExport) -> Result<(), Fault> {
    let RecordExport { user, origin } = command;
    audit::record(
        ctx,
        AuditAction::UserExported,
        Some(*user),
        origin,
        AuditDetails::default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{self, Given};

    #[test]
    fn an_export_is_written_down() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        given.events();
        let command = RecordExport {
            user: sari,
            origin: given::origin(),
        };
        given.run(move |ctx| record_export(ctx, &command));
        assert_eq!(given.events(), "");
        assert!(
            given.rows().contains("audit of sari: user.exported"),
            "{}",
            given.rows()
        );
    }
}

//! Payments that a stretch of events is about, read together.

use std::collections::HashMap;

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;

use crate::{payment::Payment, tables};

/// An empty one reads what it is asked for.
#[derive(Default)]
pub(crate) struct Desk(HashMap<PaymentId, Option<Payment>>);

impl Desk {
    pub(crate) fn with(ctx: &Context<'_>, ids: &[PaymentId]) -> Result<Self, Fault> {
        let mut desk: HashMap<_, _> = ids.iter().map(|id| (*id, None)).collect();
        let known = tables::payment::find_all(ctx, ids)?;
        desk.extend(known.into_iter().map(|payment| (payment.id, Some(payment))));
        Ok(Self(desk))
    }

    /// The payment as it stands, if there is one. It is handed out once: afterwards it may have changed, and is read
    /// again.
    pub(crate) fn take(
        &mut self,
        ctx: &Context<'_>,
        id: PaymentId,
    ) -> Result<Option<Payment>, Fault> {
        match self.0.remove(&id) {
            Some(known) => Ok(known),
            None => tables::payment::find(ctx, id),
        }
    }

    /// Somebody else is going to change it.
    pub(crate) fn forget(&mut self, id: PaymentId) {
        self.0.remove(&id);
    }
}

//! `pasar.types.v1`: what several services say.

use pasar_types::{money, time};

use super::{InvalidField, invalid, parsed};
use crate::api::{orders, payments};

mod generated {
    include!("generated/pasar.types.v1.rs");
}

pub use generated::*;

/// A time as the well-known type says it.
#[must_use]
pub fn timestamp(at: time::Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000);
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: nanos.expect("less than a second in nanoseconds fits"),
    }
}

/// A tax rate. One that is too high is refused where it is read.
pub(super) fn tax_rate(field: &str, basis_points: u32) -> Result<money::TaxRate, InvalidField> {
    money::TaxRate::from_basis_points(basis_points.into()).map_err(invalid(field))
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self {
            amount_minor: money.amount_minor,
            currency: money.currency.to_string(),
        }
    }
}

impl Money {
    /// As the rest of Pasar reads it.
    pub fn read(&self, field: &str) -> Result<money::Money, InvalidField> {
        let currency = parsed(&format!("{field}.currency"), &self.currency)?;
        Ok(money::Money::new(self.amount_minor, currency))
    }
}

impl From<payments::PaymentState> for PaymentState {
    fn from(state: payments::PaymentState) -> Self {
        use payments::PaymentState as Api;
        match state {
            Api::Pending => Self::Pending,
            Api::RequiresAction => Self::RequiresAction,
            Api::Due => Self::Due,
            Api::Authorized => Self::Authorized,
            Api::Captured => Self::Captured,
            Api::PartiallyRefunded => Self::PartiallyRefunded,
            Api::Refunded => Self::Refunded,
            Api::Declined => Self::Declined,
            Api::Voided => Self::Voided,
        }
    }
}

impl From<payments::RefundState> for RefundState {
    fn from(state: payments::RefundState) -> Self {
        match state {
            payments::RefundState::Requested => Self::Requested,
            payments::RefundState::Succeeded => Self::Succeeded,
            payments::RefundState::Failed => Self::Failed,
        }
    }
}

impl From<orders::RefundState> for RefundState {
    fn from(state: orders::RefundState) -> Self {
        match state {
            orders::RefundState::Requested => Self::Requested,
            orders::RefundState::Succeeded => Self::Succeeded,
            orders::RefundState::Failed => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_the_epoch_keeps_its_nanoseconds_positive() {
        let at = timestamp(time::Timestamp::from_micros(-1));
        assert_eq!((at.seconds, at.nanos), (-1, 999_999_000));
        let at = timestamp(time::Timestamp::from_micros(1_500_000));
        assert_eq!((at.seconds, at.nanos), (1, 500_000_000));
    }

    #[test]
    fn money_keeps_its_currency_and_says_where_it_is_wrong() {
        let money = money::Money::new(2_500_000, money::Currency::IDR);
        assert_eq!(Money::from(money).read("total"), Ok(money));
        let wrong = Money::default().read("total").unwrap_err();
        assert_eq!(wrong.field, "total.currency");
    }
}

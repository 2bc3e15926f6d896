//! What can happen to an order, with what it brings along, and what is then told of it.

use pasar_contracts::{
    api::orders::{CancelReason, RefundState},
    events::{
        inventory::{ReservedLine, Shortage},
        payments::{NextAction, VoidReason},
    },
};
use pasar_types::{id::RefundId, money::Money, time::Timestamp};

use crate::process::{Input, Stage};

/// Something that happened to an order, with what it brings along.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    StockReserved,
    StockRefused {
        shortages: Vec<Shortage>,
    },
    StockExpired,
    StockReleased,
    StockSold,
    ActionRequired {
        action: NextAction,
        expires_at: Timestamp,
    },
    Authorized,
    Due,
    Declined,
    Captured {
        amount: Money,
    },
    CaptureFailed,
    Voided {
        reason: VoidReason,
    },
    Refunded {
        amount: Money,
        in_full: bool,
        /// How the refund stood until now; `None` if orders did not ask for it.
        was: Option<RefundState>,
    },
    RefundFailed {
        amount: Money,
        was: Option<RefundState>,
    },
    Cancel {
        by_staff: bool,
        restock: bool,
    },
    DeadlinePassed,
    PayByPassed,
    Start {
        starts_unpaid: bool,
    },
    MarkReady {
        cut_off: Timestamp,
    },
    Collect,
    CutOffPassed,
    Refund {
        refund: RefundId,
        amount: Money,
        restock: Vec<ReservedLine>,
        reason: String,
    },
}

/// What the one event of a change says beyond the order itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    StockReserved,
    StockRefused,
    StockExpired,
    StockReleased,
    StockSold,
    ActionRequired {
        action: NextAction,
        expires_at: Timestamp,
    },
    PaymentAuthorized,
    PaymentDeclined,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentVoided,
    Refunded,
    RefundFailed,
    RefundRequested {
        refund: RefundId,
        amount: Money,
        restock: Vec<ReservedLine>,
        reason: String,
    },
    Secured,
    Confirmed,
    Preparing,
    Ready,
    Collected,
    Abandoned,
    Cancelling,
    Cancelled,
}

impl Fact {
    /// The row of the table that it stands in.
    #[must_use]
    pub const fn input(&self) -> Input {
        match self {
            Self::StockReserved => Input::StockReserved,
            Self::StockRefused { .. } => Input::StockRefused,
            Self::StockExpired => Input::StockExpired,
            Self::StockReleased => Input::StockReleased,
            Self::StockSold => Input::StockSold,
            Self::ActionRequired { .. } => Input::PaymentRequiresAction,
            Self::Authorized => Input::PaymentAuthorized,
            Self::Due => Input::PaymentDue,
            Self::Declined => Input::PaymentDeclined,
            Self::Captured { .. } => Input::PaymentCaptured,
            Self::CaptureFailed => Input::PaymentCaptureFailed,
            Self::Voided { .. } => Input::PaymentVoided,
            Self::Refunded { in_full: true, .. } => Input::PaymentRefundedInFull,
            Self::Refunded { in_full: false, .. } => Input::PaymentRefundedInPart,
            Self::RefundFailed { .. } => Input::PaymentRefundFailed,
            Self::Cancel { by_staff: true, .. } => Input::CancelByStaff,
            Self::Cancel {
                by_staff: false, ..
            } => Input::CancelByOwner,
            Self::DeadlinePassed => Input::DeadlinePassed,
            Self::PayByPassed => Input::PayByPassed,
            Self::Start { .. } => Input::Start,
            Self::MarkReady { .. } => Input::MarkReady,
            Self::Collect => Input::Collect,
            Self::CutOffPassed => Input::CutOffPassed,
            Self::Refund { .. } => Input::Refund,
        }
    }

    /// Whether the order keeps it, so that a repetition can be told from something new.
    pub(crate) const fn is_kept(&self) -> bool {
        match self {
            Self::Refund { .. } => false,
            // A new failure of money that was not asked for here is worth telling.
            Self::RefundFailed { was, .. } => was.is_some(),
            _ => true,
        }
    }

    pub(crate) const fn cancel_reason(&self) -> CancelReason {
        match self {
            Self::StockRefused { .. } => CancelReason::OutOfStock,
            Self::StockExpired => CancelReason::ReservationExpired,
            Self::Declined => CancelReason::PaymentDeclined,
            Self::CaptureFailed => CancelReason::CaptureFailed,
            Self::Voided { .. } => CancelReason::PaymentLapsed,
            Self::PayByPassed => CancelReason::NotPaid,
            Self::Cancel { by_staff: true, .. } => CancelReason::CancelledByStaff,
            Self::Cancel { .. } => CancelReason::CancelledByCustomer,
            _ => CancelReason::DeadlinePassed,
        }
    }

    /// What is told when the stage stays.
    pub(crate) fn recorded(self) -> Told {
        match self {
            Self::StockReserved => Told::StockReserved,
            Self::StockRefused { .. } => Told::StockRefused,
            Self::StockExpired => Told::StockExpired,
            Self::StockReleased => Told::StockReleased,
            Self::StockSold => Told::StockSold,
            Self::ActionRequired { action, expires_at } => {
                Told::ActionRequired { action, expires_at }
            }
            Self::Authorized | Self::Due => Told::PaymentAuthorized,
            Self::Declined => Told::PaymentDeclined,
            Self::Captured { .. } => Told::PaymentCaptured,
            Self::CaptureFailed => Told::PaymentCaptureFailed,
            Self::Voided { .. } => Told::PaymentVoided,
            Self::Refunded { .. } => Told::Refunded,
            Self::RefundFailed { .. } => Told::RefundFailed,
            Self::Refund {
                refund,
                amount,
                restock,
                reason,
            } => Told::RefundRequested {
                refund,
                amount,
                restock,
                reason,
            },
            Self::Cancel { .. }
            | Self::DeadlinePassed
            | Self::PayByPassed
            | Self::Start { .. }
            | Self::MarkReady { .. }
            | Self::Collect
            | Self::CutOffPassed => unreachable!("the table records none of these"),
        }
    }
}

impl Told {
    /// What is told when the stage changes: the stage, except for the two that are named for their cause.
    pub(crate) const fn moved(stage: Stage, fact: &Fact) -> Self {
        match stage {
            Stage::Placed | Stage::StockHeld => Self::StockReserved,
            Stage::MoneyHeld => match fact {
                Fact::Captured { .. } => Self::PaymentCaptured,
                _ => Self::PaymentAuthorized,
            },
            Stage::Secured => Self::Secured,
            Stage::Confirmed => Self::Confirmed,
            Stage::Preparing => Self::Preparing,
            Stage::Ready => Self::Ready,
            Stage::Collected => Self::Collected,
            Stage::Abandoned => Self::Abandoned,
            Stage::Cancelling => Self::Cancelling,
            Stage::Cancelled => Self::Cancelled,
        }
    }
}

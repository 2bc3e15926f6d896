//! The order process as one total table: what each input does in each stage.
//!
//! Pure. What an input brings along (amounts, reasons) and what a decision writes are `order.rs`.

use pasar_contracts::api::orders::OrderState;

/// How far an order is. The first four are one state on the wire: `placed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Placed,
    StockHeld,
    /// Money is authorised, due or captured.
    MoneyHeld,
    /// Stock and money are held; the money is not captured yet.
    Secured,
    Confirmed,
    Preparing,
    Ready,
    Collected,
    Abandoned,
    Cancelling,
    Cancelled,
}

/// What can happen to an order: other services' events, calls, and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    StockReserved,
    StockRefused,
    StockExpired,
    StockReleased,
    StockSold,
    PaymentRequiresAction,
    PaymentAuthorized,
    PaymentDue,
    PaymentDeclined,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentVoided,
    PaymentRefundedInPart,
    PaymentRefundedInFull,
    PaymentRefundFailed,
    CancelByOwner,
    CancelByStaff,
    DeadlinePassed,
    PayByPassed,
    Start,
    MarkReady,
    Collect,
    CutOffPassed,
    Refund,
}

/// What decides besides stage and input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The money was captured.
    pub paid: bool,
    /// It is paid at the counter.
    pub cash: bool,
    /// The location's kitchen starts unpaid orders.
    pub starts_unpaid: bool,
    /// While cancelling: nothing is held in stock any more.
    pub stock_answered: bool,
    /// While cancelling: no money is held any more.
    pub money_answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Move(Stage),
    /// The stage stays, what happened is recorded.
    Record,
    /// Nothing changes, and nobody is told.
    Ignore,
    /// The call asks for what was done already: its answer is the order as it stands.
    Same,
    /// The stage forbids the call.
    Forbid,
    /// This cannot happen unless something is broken.
    Impossible,
}

/// Who must answer before a cancelling order is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    Stock,
    Money,
}

/// The table: every stage, every input.
#[must_use]
pub const fn decide(stage: Stage, input: Input, facts: Facts) -> Decision {
    match row(input)[stage as usize] {
        Cell::Move(to) => Decision::Move(to),
        Cell::Record => Decision::Record,
        Cell::Same => Decision::Same,
        Cell::Never => Decision::Impossible,
        Cell::Nothing if input.is_call() => Decision::Forbid,
        Cell::Nothing => Decision::Ignore,
        Cell::Secure if facts.cash || facts.paid => Decision::Move(Stage::Confirmed),
        Cell::Secure => Decision::Move(Stage::Secured),
        Cell::RecordCash if facts.paid => Decision::Ignore,
        Cell::RecordCash if facts.cash => Decision::Record,
        Cell::RecordCash => Decision::Impossible,
        Cell::CancelUnlessPaidCash if facts.cash && facts.paid => Decision::Forbid,
        Cell::CancelUnlessPaidCash => Decision::Move(Stage::Cancelling),
        Cell::CancelIfUnpaid if facts.paid => Decision::Ignore,
        Cell::CancelIfUnpaid => Decision::Move(Stage::Cancelling),
        Cell::StartIfAllowed if facts.paid || facts.starts_unpaid => {
            Decision::Move(Stage::Preparing)
        }
        Cell::CollectIfPaid if facts.paid => Decision::Move(Stage::Collected),
        Cell::RefundIfPaid if facts.paid => Decision::Record,
        Cell::StartIfAllowed | Cell::CollectIfPaid | Cell::RefundIfPaid => Decision::Forbid,
        Cell::Answer => answer(input, facts),
    }
}

/// A leg's answer while cancelling; the second one ends it.
const fn answer(input: Input, facts: Facts) -> Decision {
    let (this, other) = match input.answers() {
        Some(Leg::Stock) => (facts.stock_answered, facts.money_answered),
        Some(Leg::Money) => (facts.money_answered, facts.stock_answered),
        None => return Decision::Impossible,
    };
    match (this, other) {
        (true, _) => Decision::Ignore,
        (false, true) => Decision::Move(Stage::Cancelled),
        (false, false) => Decision::Record,
    }
}

/// One cell of the table. The variants with a condition are its footnotes.
#[derive(Clone, Copy)]
enum Cell {
    /// Empty: an event or timer is ignored, a call refused.
    Nothing,
    Move(Stage),
    Record,
    Same,
    Answer,
    /// `!`
    Never,
    /// 1: cash, or what is captured already, needs no capture: it is confirmed at once.
    Secure,
    /// 3: money arrives this late only at the counter.
    RecordCash,
    /// 5: only staff can say that cash was handed back.
    CancelUnlessPaidCash,
    /// The row's own condition.
    CancelIfUnpaid,
    /// 6
    StartIfAllowed,
    /// 7
    CollectIfPaid,
    /// 8: only what was captured can be given back.
    RefundIfPaid,
}

const __: Cell = Cell::Nothing;
const PS: Cell = Cell::Move(Stage::StockHeld);
const PM: Cell = Cell::Move(Stage::MoneyHeld);
const S1: Cell = Cell::Secure;
const CF: Cell = Cell::Move(Stage::Confirmed);
const P6: Cell = Cell::StartIfAllowed;
const RD: Cell = Cell::Move(Stage::Ready);
const C7: Cell = Cell::CollectIfPaid;
const AB: Cell = Cell::Move(Stage::Abandoned);
const CG: Cell = Cell::Move(Stage::Cancelling);
const C5: Cell = Cell::CancelUnlessPaidCash;
const CU: Cell = Cell::CancelIfUnpaid;
const RE: Cell = Cell::Record;
const R3: Cell = Cell::RecordCash;
const R8: Cell = Cell::RefundIfPaid;
const AN: Cell = Cell::Answer;
const SA: Cell = Cell::Same;
const XX: Cell = Cell::Never;

#[rustfmt::skip]
const fn row(input: Input) -> [Cell; 11] {
    match input {
        //                             placed  money   confirmed ready  abandoned cancelled
        //                              |  stock|  secured| preparing| collected| cancelling|
        Input::StockReserved         => [PS, __, S1, __, __, __, __, __, __, RE, XX],
        Input::StockRefused          => [CG, XX, CG, XX, XX, XX, XX, XX, XX, AN, __],
        Input::StockExpired          => [XX, CG, XX, CG, XX, XX, XX, XX, XX, AN, __],
        Input::StockReleased         => [XX, XX, XX, XX, XX, XX, XX, XX, XX, AN, __],
        Input::StockSold             => [XX, XX, XX, XX, RE, RE, RE, RE, RE, RE, __],
        Input::PaymentRequiresAction => [RE, RE, __, __, __, __, __, __, __, __, __],
        Input::PaymentAuthorized
        | Input::PaymentDue          => [PM, S1, __, __, __, __, __, __, __, RE, XX],
        Input::PaymentDeclined       => [CG, CG, XX, XX, XX, XX, XX, XX, XX, AN, __],
        Input::PaymentCaptured       => [PM, CF, RE, CF, R3, R3, R3, __, RE, RE, XX],
        Input::PaymentCaptureFailed  => [XX, XX, XX, CG, XX, XX, XX, XX, XX, RE, __],
        Input::PaymentVoided         => [CG, CG, CG, CG, XX, XX, XX, XX, RE, AN, __],
        Input::PaymentRefundedInPart => [XX, XX, XX, XX, RE, RE, RE, RE, RE, RE, RE],
        Input::PaymentRefundedInFull => [XX, XX, XX, XX, RE, RE, RE, RE, RE, AN, RE],
        Input::PaymentRefundFailed   => [XX, XX, XX, XX, RE, RE, RE, RE, RE, RE, RE],
        Input::CancelByOwner         => [CG, CG, CG, CG, C5, __, __, __, __, SA, SA],
        Input::CancelByStaff         => [CG, CG, CG, CG, CG, CG, CG, __, __, SA, SA],
        Input::DeadlinePassed        => [CG, CG, CG, CG, __, __, __, __, __, __, __],
        Input::PayByPassed           => [__, __, __, __, CU, __, __, __, __, __, __],
        Input::Start                 => [__, __, __, __, P6, __, __, __, __, __, __],
        Input::MarkReady             => [__, __, __, __, __, RD, __, __, __, __, __],
        Input::Collect               => [__, __, __, __, __, __, C7, __, __, __, __],
        Input::CutOffPassed          => [__, __, __, __, __, __, AB, __, __, __, __],
        Input::Refund                => [__, __, __, __, R8, R8, R8, R8, R8, __, __],
    }
}

impl Stage {
    pub const ALL: [Self; 11] = [
        Self::Placed,
        Self::StockHeld,
        Self::MoneyHeld,
        Self::Secured,
        Self::Confirmed,
        Self::Preparing,
        Self::Ready,
        Self::Collected,
        Self::Abandoned,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::StockHeld => "stock_held",
            Self::MoneyHeld => "money_held",
            Self::Secured => "secured",
            Self::Confirmed => "confirmed",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Collected => "collected",
            Self::Abandoned => "abandoned",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state on the wire.
    #[must_use]
    pub const fn state(self) -> OrderState {
        match self {
            Self::Placed | Self::StockHeld | Self::MoneyHeld | Self::Secured => OrderState::Placed,
            Self::Confirmed => OrderState::Confirmed,
            Self::Preparing => OrderState::Preparing,
            Self::Ready => OrderState::Ready,
            Self::Collected => OrderState::Collected,
            Self::Abandoned => OrderState::Abandoned,
            Self::Cancelling => OrderState::Cancelling,
            Self::Cancelled => OrderState::Cancelled,
        }
    }

    #[must_use]
    pub const fn is_settled(self) -> bool {
        self.state().is_settled()
    }
}

impl Input {
    pub const ALL: [Self; 24] = [
        Self::StockReserved,
        Self::StockRefused,
        Self::StockExpired,
        Self::StockReleased,
        Self::StockSold,
        Self::PaymentRequiresAction,
        Self::PaymentAuthorized,
        Self::PaymentDue,
        Self::PaymentDeclined,
        Self::PaymentCaptured,
        Self::PaymentCaptureFailed,
        Self::PaymentVoided,
        Self::PaymentRefundedInPart,
        Self::PaymentRefundedInFull,
        Self::PaymentRefundFailed,
        Self::CancelByOwner,
        Self::CancelByStaff,
        Self::DeadlinePassed,
        Self::PayByPassed,
        Self::Start,
        Self::MarkReady,
        Self::Collect,
        Self::CutOffPassed,
        Self::Refund,
    ];

    /// Whether somebody asks for it and can be refused.
    #[must_use]
    pub const fn is_call(self) -> bool {
        matches!(
            self,
            Self::CancelByOwner
                | Self::CancelByStaff
                | Self::Start
                | Self::MarkReady
                | Self::Collect
                | Self::Refund
        )
    }

    /// The leg of which this says that it holds nothing (any more). What begins a cancellation counts
    /// as its own leg's answer.
    #[must_use]
    pub const fn answers(self) -> Option<Leg> {
        match self {
            Self::StockRefused | Self::StockExpired | Self::StockReleased => Some(Leg::Stock),
            Self::PaymentDeclined | Self::PaymentVoided | Self::PaymentRefundedInFull => {
                Some(Leg::Money)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;

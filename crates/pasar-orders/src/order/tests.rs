//! An order among an inventory, payments, people and a clock that do what they may do, in any order.
// tidy: long because it is one model: who acts, what they may do, and what must hold after each step.

use std::{
    cell::RefCell,
    collections::{BTreeSet, VecDeque},
};

use pasar_types::id::RefundId;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use super::*;

const TOTAL: i64 = 1_000;
const PAY_WITHIN: Duration = Duration::from_secs(900);

fn idr(minor: i64) -> Money {
    Money::new(minor, Currency::IDR)
}

fn placed() -> Order {
    Order {
        id: OrderId::from_bytes([1; 16]),
        version: 1,
        keyversion: 1,
        flow: FlowId::from_bytes([2; 16]),
        location: LocationId::from_bytes([3; 16]),
        number: 1,
        customer: None,
        stage: Stage::Placed,
        stock: StockState::Pending,
        payment: PaymentState::Pending,
        cash: false,
        stock_answered: false,
        money_answered: false,
        total: idr(TOTAL),
        captured: 0,
        refunded: 0,
        refunding: 0,
        next_action: None,
        cancellation: None,
        deadline: Some(Timestamp::from_micros(900)),
        settled_at: None,
        updated_at: Timestamp::default(),
    }
}

fn action() -> Fact {
    let expires_at = Timestamp::from_micros(800);
    Fact::ActionRequired {
        action: NextAction::Redirect {
            url: "https://pay.example".to_owned(),
            expires_at,
        },
        expires_at,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purse {
    /// The provider has not answered.
    Asked,
    Authorized,
    Due,
    Capturing,
    Captured,
    /// Declined or voided.
    None,
}

/// Everything that is not the order.
struct World {
    order: Order,
    /// What the order told and each of the others has not read yet.
    to_inventory: VecDeque<Told>,
    to_payments: VecDeque<Told>,
    /// What each of them told and the order has not read yet.
    from_inventory: VecDeque<Fact>,
    from_payments: VecDeque<Fact>,
    held: bool,
    sold: bool,
    money: Purse,
    method_is_cash: bool,
    cancel_wanted: bool,
    given_back: i64,
    refunds_asked: Vec<i64>,
    told: i64,
    impossible: Option<Impossible>,
    /// The cells of the table that changed the order.
    reached: BTreeSet<(usize, usize)>,
}

impl World {
    fn new(method_is_cash: bool) -> Self {
        Self {
            order: placed(),
            // The placing itself.
            to_inventory: VecDeque::from([Told::Ready]),
            to_payments: VecDeque::from([Told::Ready]),
            from_inventory: VecDeque::new(),
            from_payments: VecDeque::new(),
            held: false,
            sold: false,
            money: Purse::None,
            method_is_cash,
            cancel_wanted: false,
            given_back: 0,
            refunds_asked: Vec::new(),
            told: 1,
            impossible: None,
            reached: BTreeSet::new(),
        }
    }

    fn apply(&mut self, fact: Fact) {
        let before = self.order.clone();
        let cell = (before.stage as usize, fact.input() as usize);
        match self
            .order
            .apply(fact, Timestamp::from_micros(1), PAY_WITHIN)
        {
            Ok(Effect::Changed(told)) => {
                self.reached.insert(cell);
                self.told += 1;
                self.to_inventory.push_back(told.clone());
                self.to_payments.push_back(told);
            }
            Ok(Effect::Unchanged | Effect::Forbidden) => assert_eq!(self.order, before),
            Err(impossible) => {
                assert_eq!(self.order, before);
                self.impossible.get_or_insert(impossible);
            }
        }
        self.check();
    }

    fn check(&self) {
        let order = &self.order;
        assert_eq!(order.keyversion, self.told, "one event for each change");
        assert!(order.captured <= TOTAL && order.refunded + order.refunding <= order.captured);
        assert!(order.refunded >= 0 && order.refunding >= 0);
        assert_eq!(order.settled_at.is_some(), order.stage.is_settled());
        let timed = match order.stage.state() {
            pasar_contracts::api::orders::OrderState::Placed => true,
            pasar_contracts::api::orders::OrderState::Confirmed => !order.is_paid(),
            pasar_contracts::api::orders::OrderState::Ready => true,
            _ => false,
        };
        assert_eq!(order.timer().is_some(), timed, "{order:?}");
        assert_eq!(
            order.next_action.is_some(),
            order.payment == PaymentState::RequiresAction
        );
    }

    /// Inventory reads the next thing that the order told.
    fn inventory(&mut self, choice: u8, first: bool) {
        let Some(told) = self.to_inventory.pop_front() else {
            return;
        };
        let answer = match told {
            _ if first && choice.is_multiple_of(4) => Fact::StockRefused { shortages: vec![] },
            _ if first => {
                self.held = true;
                Fact::StockReserved
            }
            Told::Confirmed => {
                self.sold = true;
                Fact::StockSold
            }
            Told::Cancelling => {
                self.held = false;
                Fact::StockReleased
            }
            _ => return,
        };
        self.from_inventory.push_back(answer);
    }

    /// The reservation expires; only once the order has given up, as inventory waits for that.
    fn expire(&mut self) {
        if self.held && !self.sold && self.order.stage == Stage::Cancelling {
            self.held = false;
            self.from_inventory.push_back(Fact::StockExpired);
        }
    }

    /// Payments read the next thing that the order told.
    fn payments(&mut self, choice: u8, first: bool) {
        let Some(told) = self.to_payments.pop_front() else {
            return;
        };
        match told {
            _ if first && self.method_is_cash => {
                self.money = Purse::Due;
                self.from_payments.push_back(Fact::Due);
            }
            _ if first => self.money = Purse::Asked,
            Told::Secured if self.money == Purse::Authorized => self.money = Purse::Capturing,
            Told::Cancelling => {
                self.cancel_wanted = true;
                self.give_up();
            }
            Told::Abandoned if self.money == Purse::Due => self.void(VoidReason::Requested),
            Told::RefundRequested { amount, .. } => self.refund(amount.amount_minor, choice),
            _ => {}
        }
    }

    /// A provider answers, or somebody pays at the counter.
    fn provider(&mut self, choice: u8) {
        match self.money {
            Purse::Asked => match choice % 8 {
                0 => {
                    self.money = Purse::None;
                    self.from_payments.push_back(Fact::Declined);
                }
                1 => self.from_payments.push_back(action()),
                2 => self.capture(),
                3 => {
                    self.void(VoidReason::Lapsed);
                }
                _ => {
                    self.money = Purse::Authorized;
                    self.from_payments.push_back(Fact::Authorized);
                }
            },
            Purse::Authorized if choice.is_multiple_of(4) => self.void(VoidReason::Lapsed),
            Purse::Due => self.capture(),
            Purse::Capturing if choice.is_multiple_of(4) => {
                self.money = Purse::Authorized;
                self.from_payments.push_back(Fact::CaptureFailed);
            }
            Purse::Capturing => self.capture(),
            _ => return,
        }
        if self.cancel_wanted {
            self.give_up();
        }
    }

    fn capture(&mut self) {
        self.money = Purse::Captured;
        let amount = idr(TOTAL);
        self.from_payments.push_back(Fact::Captured { amount });
    }

    fn void(&mut self, reason: VoidReason) {
        self.money = Purse::None;
        self.from_payments.push_back(Fact::Voided { reason });
    }

    /// Undoes what is held, or answers that nothing is; waits for a provider that has not answered.
    fn give_up(&mut self) {
        match self.money {
            Purse::Asked | Purse::Capturing => {}
            Purse::Authorized | Purse::Due => self.void(VoidReason::Requested),
            Purse::Captured if self.given_back < TOTAL => {
                let rest = TOTAL - self.given_back;
                self.given_back = TOTAL;
                self.from_payments.push_back(Fact::Refunded {
                    amount: idr(rest),
                    in_full: true,
                    was: None,
                });
            }
            Purse::Captured | Purse::None => self.void(VoidReason::Nothing),
        }
    }

    fn refund(&mut self, amount: i64, choice: u8) {
        let was = Some(RefundState::Requested);
        let amount_back = idr(amount);
        self.from_payments.push_back(if choice.is_multiple_of(3) {
            Fact::RefundFailed {
                amount: amount_back,
                was,
            }
        } else {
            self.given_back += amount;
            Fact::Refunded {
                amount: amount_back,
                in_full: self.given_back == TOTAL,
                was,
            }
        });
    }

    fn people(&mut self, choice: u8) {
        let fact = match choice % 8 {
            0 => Fact::Cancel {
                by_staff: false,
                restock: false,
            },
            1 => Fact::Cancel {
                by_staff: true,
                restock: true,
            },
            2 => Fact::Collect,
            3..=5 if self.order.stage != Stage::Preparing => Fact::Start {
                starts_unpaid: choice % 16 < 8,
            },
            3..=6 => Fact::MarkReady {
                cut_off: Timestamp::from_micros(5_000),
            },
            _ => {
                let left = self.order.refundable().amount_minor;
                if left == 0 {
                    return;
                }
                let amount = if choice < 128 {
                    left
                } else {
                    (left / 2).max(1)
                };
                self.refunds_asked.push(amount);
                Fact::Refund {
                    refund: RefundId::from_bytes([9; 16]),
                    amount: idr(amount),
                    restock: vec![],
                    reason: "cold".to_owned(),
                }
            }
        };
        self.apply(fact);
    }

    fn clock(&mut self) {
        let fact = match self.order.timer().map(|timer| timer.kind) {
            Some(DEADLINE) => Fact::DeadlinePassed,
            Some(PAY_BY) => Fact::PayByPassed,
            Some(CUT_OFF) => Fact::CutOffPassed,
            _ => return,
        };
        self.apply(fact);
    }

    fn step(&mut self, what: u8, choice: u8) {
        let unread = self.told - i64::try_from(self.to_inventory.len()).unwrap();
        let unread_money = self.told - i64::try_from(self.to_payments.len()).unwrap();
        match what % 10 {
            0 | 1 => self.inventory(choice, unread == 0),
            2 | 3 => self.payments(choice, unread_money == 0),
            4 | 5 => {
                if let Some(fact) = self.from_inventory.pop_front() {
                    self.apply(fact);
                }
            }
            6 | 7 => {
                if let Some(fact) = self.from_payments.pop_front() {
                    self.apply(fact);
                }
            }
            8 => self.provider(choice),
            _ if choice % 16 == 15 => self.clock(),
            _ if choice % 16 == 14 => self.expire(),
            _ => self.people(choice),
        }
    }

    /// Everything is delivered and answered, and the clock ends what nobody ends.
    fn come_to_rest(&mut self) {
        for round in 0..200_u8 {
            for what in [0, 2, 4, 6, 8] {
                self.step(what, round | 1);
            }
            if round % 10 == 9 && !self.order.stage.is_settled() {
                self.clock();
            }
        }
        assert!(self.to_inventory.is_empty() && self.to_payments.is_empty());
        assert!(self.from_inventory.is_empty() && self.from_payments.is_empty());
    }

    fn check_at_rest(&self) {
        assert_eq!(self.impossible, None);
        assert!(self.order.stage.is_settled(), "{:?}", self.order);
        let holds_money = matches!(
            self.money,
            Purse::Authorized | Purse::Asked | Purse::Capturing
        ) || (self.money == Purse::Captured && self.given_back < TOTAL);
        if self.order.stage == Stage::Cancelled {
            assert!(!self.held, "stock is held for a cancelled order");
            assert!(!holds_money, "money is held for a cancelled order");
            assert!(self.order.stock_answered && self.order.money_answered);
        } else {
            assert!(self.held && self.sold, "{:?} without its goods", self.order);
            assert!(
                self.order.is_paid() || self.order.cash,
                "{:?} without money",
                self.order
            );
        }
        assert_eq!(self.order.refunded, self.given_back);
        assert_eq!(self.order.refunding, 0);
    }
}

/// Cells that can change an order and that no world here reaches: inventory expires nothing that it may
/// still sell, and payments answer a cancellation only once everything is given back.
const NOT_REACHED: [(Stage, Input); 5] = [
    (Stage::StockHeld, Input::StockExpired),
    (Stage::Secured, Input::StockExpired),
    (Stage::Cancelled, Input::PaymentRefundedInPart),
    (Stage::Cancelled, Input::PaymentRefundedInFull),
    (Stage::Cancelled, Input::PaymentRefundFailed),
];

#[test]
fn whatever_happens_in_whatever_order_an_order_settles_with_everything_in_its_place() {
    let reached = RefCell::new(BTreeSet::new());
    let steps = (any::<bool>(), vec(any::<(u8, u8)>(), 0..200));
    // Always the same worlds, as what they reach is judged too.
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(ProptestConfig::with_cases(20_000), random)
        .run(&steps, |(method_is_cash, steps)| {
            let mut world = World::new(method_is_cash);
            for (what, choice) in steps {
                world.step(what, choice);
            }
            world.come_to_rest();
            world.check_at_rest();
            reached.borrow_mut().extend(world.reached);
            Ok(())
        })
        .unwrap();
    let reached = reached.into_inner();
    let missed: Vec<_> = changing_cells()
        .filter(|(stage, input)| !reached.contains(&(*stage as usize, *input as usize)))
        .collect();
    assert_eq!(missed, NOT_REACHED, "{} cells were reached", reached.len());
}

/// Where the table lets something happen, for some facts.
fn changing_cells() -> impl Iterator<Item = (Stage, Input)> {
    let all = [false, true];
    Stage::ALL
        .into_iter()
        .flat_map(|stage| Input::ALL.into_iter().map(move |input| (stage, input)))
        .filter(move |(stage, input)| {
            all.into_iter()
                .flat_map(|paid| all.map(|cash| (paid, cash)))
                .any(|(paid, cash)| {
                    let facts = Facts {
                        paid,
                        cash,
                        ..Facts::default()
                    };
                    matches!(
                        decide(*stage, *input, facts),
                        Decision::Move(_) | Decision::Record
                    )
                })
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn facts_that_cannot_be_change_nothing(facts in vec(0..FACTS, 0..60)) {
        let mut order = placed();
        for fact in facts {
            let before = order.clone();
            match order.apply(any_fact(fact), Timestamp::from_micros(1), PAY_WITHIN) {
                Ok(Effect::Changed(_)) => prop_assert_eq!(order.keyversion, before.keyversion + 1),
                Ok(Effect::Unchanged | Effect::Forbidden) | Err(_) => {
                    prop_assert_eq!(&order, &before);
                }
            }
        }
    }
}

const FACTS: u8 = 24;

fn any_fact(number: u8) -> Fact {
    let amount = idr(TOTAL);
    let was = Some(RefundState::Requested);
    match number {
        0 => Fact::StockReserved,
        1 => Fact::StockRefused { shortages: vec![] },
        2 => Fact::StockExpired,
        3 => Fact::StockReleased,
        4 => Fact::StockSold,
        5 => action(),
        6 => Fact::Authorized,
        7 => Fact::Due,
        8 => Fact::Declined,
        9 => Fact::Captured { amount },
        10 => Fact::CaptureFailed,
        11 => Fact::Voided {
            reason: VoidReason::Nothing,
        },
        12 => Fact::Refunded {
            amount,
            in_full: true,
            was,
        },
        13 => Fact::RefundFailed { amount, was },
        14 => Fact::Cancel {
            by_staff: true,
            restock: false,
        },
        15 => Fact::Cancel {
            by_staff: false,
            restock: false,
        },
        16 => Fact::DeadlinePassed,
        17 => Fact::PayByPassed,
        18 => Fact::Start {
            starts_unpaid: true,
        },
        19 => Fact::Start {
            starts_unpaid: false,
        },
        20 => Fact::MarkReady {
            cut_off: Timestamp::from_micros(9),
        },
        21 => Fact::Collect,
        22 => Fact::CutOffPassed,
        _ => Fact::Refund {
            refund: RefundId::from_bytes([9; 16]),
            amount,
            restock: vec![],
            reason: "cold".to_owned(),
        },
    }
}

#[test]
fn goods_that_the_kitchen_has_begun_with_return_to_stock_only_if_told() {
    let restocks = |stage, told| {
        let fact = Fact::Cancel {
            by_staff: true,
            restock: told,
        };
        Cancelling::of(stage, &fact).restock
    };
    for stage in [Stage::Placed, Stage::Secured, Stage::Confirmed] {
        assert!(restocks(stage, false) && restocks(stage, true));
    }
    for stage in [Stage::Preparing, Stage::Ready] {
        assert!(!restocks(stage, false) && restocks(stage, true));
    }
}

#[test]
fn nothing_to_void_does_not_hide_what_became_of_the_money() {
    let after = |payment, reason| {
        let mut order = Order {
            payment,
            ..placed()
        };
        order.record_voided(reason);
        order.payment
    };
    use PaymentState::{Authorized, Declined, Pending, Refunded, Voided};
    assert_eq!(after(Declined, VoidReason::Nothing), Declined);
    assert_eq!(after(Refunded, VoidReason::Nothing), Refunded);
    assert_eq!(after(Pending, VoidReason::Nothing), Voided);
    assert_eq!(after(Authorized, VoidReason::Requested), Voided);
    assert_eq!(after(Authorized, VoidReason::Lapsed), Voided);
}

#[test]
fn a_fact_that_is_known_already_is_told_once() {
    let mut order = placed();
    for fact in [
        Fact::StockReserved,
        Fact::Authorized,
        Fact::Captured { amount: idr(TOTAL) },
    ] {
        let first = order
            .apply(fact.clone(), Timestamp::default(), PAY_WITHIN)
            .unwrap();
        assert!(matches!(first, Effect::Changed(_)));
        let again = order.apply(fact, Timestamp::default(), PAY_WITHIN).unwrap();
        assert_eq!(again, Effect::Unchanged);
    }
    for fact in [Fact::StockSold, Fact::StockReleased] {
        let mut order = Order {
            stage: if fact == Fact::StockSold {
                Stage::Confirmed
            } else {
                Stage::Cancelling
            },
            ..order.clone()
        };
        assert!(
            order
                .apply(fact.clone(), Timestamp::default(), PAY_WITHIN)
                .is_ok()
        );
        let again = order.apply(fact, Timestamp::default(), PAY_WITHIN).unwrap();
        assert_eq!(again, Effect::Unchanged);
    }
}

//! The table of DECISIONS.md, as text, against the code: every stage, input and combination of facts.

use std::collections::BTreeSet;

use super::*;

/// As it stands in the decisions. Empty: ignored (events, timers) or 409 (calls).
const TABLE: &str = "
| input | P0 | PS | PM | SE | CF | PR | RD | CO | AB | CG | CX |
|---|---|---|---|---|---|---|---|---|---|---|---|
| stock.reserved | PS | | SE¹ | | | | | | | rec | ! |
| stock.refused | CG | ! | CG | ! | ! | ! | ! | ! | ! | ans | |
| stock.expired | ! | CG | ! | CG | ! | ! | ! | ! | ! | ans | |
| stock.released | ! | ! | ! | ! | ! | ! | ! | ! | ! | ans | |
| stock.sold | ! | ! | ! | ! | rec | rec | rec | rec | rec | rec | |
| payment.requires_action | rec² | rec² | | | | | | | | | |
| payment.authorized, due | PM | SE¹ | | | | | | | | rec | ! |
| payment.declined | CG | CG | ! | ! | ! | ! | ! | ! | ! | ans | |
| payment.captured | PM | CF | rec | CF | rec³ | rec³ | rec³ | | rec | rec | ! |
| payment.capture_failed | ! | ! | ! | CG | ! | ! | ! | ! | ! | rec | |
| payment.voided (lapsed, or asked) | CG | CG | CG | CG | ! | ! | ! | ! | rec | ans | |
| payment.refunded | ! | ! | ! | ! | rec | rec | rec | rec | rec | ans⁴ | rec |
| payment.refund_failed | ! | ! | ! | ! | rec | rec | rec | rec | rec | rec | rec |
| CancelOrder, owner | CG | CG | CG | CG | CG⁵ | | | | | same | same |
| CancelOrder, staff | CG | CG | CG | CG | CG | CG | CG | | | same | same |
| deadline | CG | CG | CG | CG | | | | | | | |
| pay_by, unpaid | | | | | CG | | | | | | |
| start | | | | | PR⁶ | | | | | | |
| ready | | | | | | RD | | | | | |
| collect | | | | | | | CO⁷ | | | | |
| day's cut-off | | | | | | | AB | | | | |
| RefundOrder | | | | | rec⁸ | rec⁸ | rec⁸ | rec⁸ | rec⁸ | | |
";

fn inputs(name: &str) -> &'static [Input] {
    match name {
        "stock.reserved" => &[Input::StockReserved],
        "stock.refused" => &[Input::StockRefused],
        "stock.expired" => &[Input::StockExpired],
        "stock.released" => &[Input::StockReleased],
        "stock.sold" => &[Input::StockSold],
        "payment.requires_action" => &[Input::PaymentRequiresAction],
        "payment.authorized, due" => &[Input::PaymentAuthorized, Input::PaymentDue],
        "payment.declined" => &[Input::PaymentDeclined],
        "payment.captured" => &[Input::PaymentCaptured],
        "payment.capture_failed" => &[Input::PaymentCaptureFailed],
        "payment.voided (lapsed, or asked)" => &[Input::PaymentVoided],
        "payment.refunded" => &[Input::PaymentRefundedInPart, Input::PaymentRefundedInFull],
        "payment.refund_failed" => &[Input::PaymentRefundFailed],
        "CancelOrder, owner" => &[Input::CancelByOwner],
        "CancelOrder, staff" => &[Input::CancelByStaff],
        "deadline" => &[Input::DeadlinePassed],
        "pay_by, unpaid" => &[Input::PayByPassed],
        "start" => &[Input::Start],
        "ready" => &[Input::MarkReady],
        "collect" => &[Input::Collect],
        "day's cut-off" => &[Input::CutOffPassed],
        "RefundOrder" => &[Input::Refund],
        other => panic!("the table has an unknown input {other:?}"),
    }
}

fn stage(code: &str) -> Stage {
    match code {
        "P0" => Stage::Placed,
        "PS" => Stage::StockHeld,
        "PM" => Stage::MoneyHeld,
        "SE" => Stage::Secured,
        "CF" => Stage::Confirmed,
        "PR" => Stage::Preparing,
        "RD" => Stage::Ready,
        "CO" => Stage::Collected,
        "AB" => Stage::Abandoned,
        "CG" => Stage::Cancelling,
        "CX" => Stage::Cancelled,
        other => panic!("the table has an unknown stage {other:?}"),
    }
}

/// What a cell and its footnote ask for.
fn expected(cell: &str, input: Input, facts: Facts) -> Decision {
    let either = |condition, then, otherwise| if condition { then } else { otherwise };
    let Facts { paid, cash, .. } = facts;
    match cell {
        "" => either(input.is_call(), Decision::Forbid, Decision::Ignore),
        "!" => Decision::Impossible,
        "same" => Decision::Same,
        "rec" | "rec²" => Decision::Record,
        "rec³" if paid => Decision::Ignore,
        "rec³" => either(cash, Decision::Record, Decision::Impossible),
        "rec⁸" => either(paid, Decision::Record, Decision::Forbid),
        "ans⁴" if input == Input::PaymentRefundedInPart => Decision::Record,
        "ans" | "ans⁴" => {
            let stock = matches!(
                input,
                Input::StockRefused | Input::StockExpired | Input::StockReleased
            );
            let (this, other) = if stock {
                (facts.stock_answered, facts.money_answered)
            } else {
                (facts.money_answered, facts.stock_answered)
            };
            match (this, other) {
                (true, _) => Decision::Ignore,
                (false, true) => Decision::Move(Stage::Cancelled),
                (false, false) => Decision::Record,
            }
        }
        "SE¹" => either(
            cash || paid,
            Decision::Move(Stage::Confirmed),
            Decision::Move(Stage::Secured),
        ),
        "CG⁵" => either(
            cash && paid,
            Decision::Forbid,
            Decision::Move(Stage::Cancelling),
        ),
        "CG" if input == Input::PayByPassed && paid => Decision::Ignore,
        "PR⁶" => either(
            paid || facts.starts_unpaid,
            Decision::Move(Stage::Preparing),
            Decision::Forbid,
        ),
        "CO⁷" => either(paid, Decision::Move(Stage::Collected), Decision::Forbid),
        code => Decision::Move(stage(code)),
    }
}

fn all_facts() -> impl Iterator<Item = Facts> {
    (0..32).map(|bits: u8| Facts {
        paid: bits & 1 > 0,
        cash: bits & 2 > 0,
        starts_unpaid: bits & 4 > 0,
        stock_answered: bits & 8 > 0,
        money_answered: bits & 16 > 0,
    })
}

#[test]
fn every_stage_and_input_decides_as_the_table_says() {
    let mut rows = TABLE.trim().lines().map(|line| {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        cells.collect::<Vec<_>>()
    });
    let stages: Vec<Stage> = rows.next().unwrap()[1..].iter().map(|c| stage(c)).collect();
    assert_eq!(stages, Stage::ALL);
    let mut looked_at = BTreeSet::new();
    for row in rows.skip(1) {
        assert_eq!(row.len(), 12, "{row:?}");
        for &input in inputs(row[0]) {
            for (&stage, &cell) in stages.iter().zip(&row[1..]) {
                for facts in all_facts() {
                    assert_eq!(
                        decide(stage, input, facts),
                        expected(cell, input, facts),
                        "{input:?} in {stage:?} with {facts:?}, the table says {cell:?}"
                    );
                }
                looked_at.insert((input as usize, stage as usize));
            }
        }
    }
    assert_eq!(looked_at.len(), Input::ALL.len() * Stage::ALL.len());
}

#[test]
fn only_calls_are_refused_and_no_call_is_impossible() {
    for stage in Stage::ALL {
        for input in Input::ALL {
            for facts in all_facts() {
                match decide(stage, input, facts) {
                    Decision::Forbid | Decision::Same => assert!(input.is_call()),
                    Decision::Impossible | Decision::Ignore => assert!(!input.is_call()),
                    Decision::Move(_) | Decision::Record => {}
                }
            }
        }
    }
}

#[test]
fn nothing_leaves_a_final_stage() {
    for stage in Stage::ALL {
        for input in Input::ALL {
            for facts in all_facts() {
                if let Decision::Move(to) = decide(stage, input, facts) {
                    assert!(!stage.state().is_final(), "{stage:?} {input:?} -> {to:?}");
                    assert_ne!(stage, to);
                }
            }
        }
    }
}

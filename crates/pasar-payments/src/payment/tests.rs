//! The rules as tables: every state against every goal, and against every fact.

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::*;
use crate::testing::{FLOW, LOCATION, PAYMENT, idr};

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// A payment as it is when it has come to a state on the usual way.
fn in_state(state: PaymentState) -> Payment {
    let method = if state == PaymentState::Due {
        CASH
    } else {
        "sandbox"
    };
    let new = Payment::new(PAYMENT, LOCATION, FLOW, method.to_owned(), idr(100), NOW);
    let captured = matches!(
        state,
        PaymentState::Captured | PaymentState::PartiallyRefunded | PaymentState::Refunded
    );
    Payment {
        state,
        captured_minor: if captured { 100 } else { 0 },
        captured_at: captured.then_some(NOW),
        refunded_minor: match state {
            PaymentState::Refunded => 100,
            PaymentState::PartiallyRefunded => 40,
            _ => 0,
        },
        ..new
    }
}

fn table(columns: &[&str], cell: impl Fn(PaymentState, usize) -> String) -> String {
    let mut table = format!("{:20}", "");
    for column in columns {
        write!(table, "{column:20}").unwrap();
    }
    for state in PaymentState::ALL {
        write!(table, "\n{:20}", state.as_str()).unwrap();
        for index in 0..columns.len() {
            write!(table, "{:20}", cell(*state, index)).unwrap();
        }
    }
    let lines: Vec<_> = table.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn every_state_and_goal_says_what_to_ask_of_the_provider() {
    let table = table(&["hold", "capture", "undo"], |state, index| {
        let payment = Payment {
            goal: Goal::ALL[index],
            ..in_state(state)
        };
        match payment.next(NOW) {
            Next::Nothing => "-".to_owned(),
            next => format!("{next:?}"),
        }
    });
    assert_snapshot!(table, @r#"
                            hold                capture             undo
        pending             -                   -                   -
        requires_action     -                   -                   Void
        due                 -                   -                   -
        authorized          -                   Capture             Void
        captured            -                   -                   GiveBack
        partially_refunded  -                   -                   GiveBack
        refunded            -                   -                   -
        declined            -                   -                   -
        voided              -                   -                   -
        "#);
}

#[test]
fn every_state_takes_every_fact_or_passes_it_over() {
    type Fact = fn(&mut Payment) -> News;
    let facts: [(&str, Fact); 6] = [
        ("requires action", |payment| payment.require_action(NOW)),
        ("authorized", |payment| payment.authorize(NOW)),
        ("declined", |payment| payment.decline(String::new())),
        ("captured", |payment| payment.capture(NOW)),
        ("capture failed", |payment| {
            payment.fail_capture(String::new())
        }),
        ("voided", Payment::void),
    ];
    let names = facts.map(|(name, _)| name);
    let table = table(&names, |state, index| {
        let mut payment = in_state(state);
        match (facts[index].1)(&mut payment) {
            News::Old => "-".to_owned(),
            News::Changed => payment.state.to_string(),
            News::Late if payment.letting_go => "late: void".to_owned(),
            News::Late => "late: give back".to_owned(),
        }
    });
    assert_snapshot!(table, @r#"
                            requires action     authorized          declined            captured            capture failed      voided
        pending             requires_action     authorized          declined            captured            -                   voided
        requires_action     -                   authorized          declined            captured            -                   voided
        due                 -                   -                   -                   captured            -                   voided
        authorized          -                   -                   -                   captured            authorized          voided
        captured            -                   -                   -                   -                   -                   -
        partially_refunded  -                   -                   -                   -                   -                   -
        refunded            -                   -                   -                   -                   -                   -
        declined            -                   late: void          -                   late: give back     -                   -
        voided              -                   late: void          -                   late: give back     -                   -
        "#);
}

#[test]
fn while_something_is_in_flight_nothing_else_is_asked() {
    for state in PaymentState::ALL {
        for goal in Goal::ALL {
            let payment = Payment {
                goal: *goal,
                letting_go: true,
                in_flight: Some(Operation::Capture),
                ..in_state(*state)
            };
            assert_eq!(payment.next(NOW), Next::Nothing);
        }
    }
}

#[test]
fn refusals_are_asked_about_again_less_and_less_often() {
    let mut payment = in_state(PaymentState::Captured);
    payment.goal = Goal::Undo;
    let mut pauses = Vec::new();
    for _ in 0..7 {
        payment.refunding_minor = 100;
        let again = payment.fail_refund(100, NOW).unwrap();
        assert_eq!(payment.next(NOW), Next::Nothing);
        assert_eq!(payment.next(again), Next::GiveBack);
        pauses.push(again.since(NOW).as_secs() / 60);
    }
    assert_eq!(pauses, [1, 5, 30, 120, 360, 360, 360]);
    payment.goal = Goal::Capture;
    assert_eq!(payment.fail_refund(0, NOW), None);
}

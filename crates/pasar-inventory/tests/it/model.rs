//! Random commands, in groups of random size, against a simple model of what stock is.

mod paper;
mod shop;

use std::{cell::RefCell, collections::BTreeMap};

use pasar_store::fault::Fault;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use self::{paper::Model, shop::Shop};
use crate::system::assert_consistent;

const SKUS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Receive(usize, i64),
    Count(usize, i64),
    WriteOff(usize, i64),
    Track(usize, bool),
    Reserve(u8, Vec<(usize, i64)>),
    Sell(u8),
    Release(u8, bool),
    Expire(u8),
    Return(u8, u8, Vec<(usize, i64)>),
}

fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let sku = 0..SKUS.len();
    let lines = || prop::collection::vec((0..SKUS.len(), 1..4_i64), 1..4);
    let order = || 0..8_u8;
    let step = prop_oneof![
        4 => (sku.clone(), 1..6_i64).prop_map(|(sku, q)| Step::Receive(sku, q)),
        1 => (sku.clone(), 0..6_i64).prop_map(|(sku, n)| Step::Count(sku, n)),
        1 => (sku.clone(), 1..4_i64).prop_map(|(sku, q)| Step::WriteOff(sku, q)),
        1 => (sku, prop::bool::weighted(0.85)).prop_map(|(sku, on)| Step::Track(sku, on)),
        9 => (order(), lines()).prop_map(|(order, lines)| Step::Reserve(order, lines)),
        8 => order().prop_map(Step::Sell),
        2 => (order(), any::<bool>()).prop_map(|(order, restock)| Step::Release(order, restock)),
        2 => order().prop_map(Step::Expire),
        6 => (order(), 0..2_u8, lines()).prop_map(|(order, refund, lines)| Step::Return(order, refund, lines)),
    ];
    // The flag ends a group after the step.
    let begin = (0..SKUS.len()).map(|sku| (Step::Receive(sku, 12), true));
    let begin: Vec<_> = begin.collect();
    prop::collection::vec((step, any::<bool>()), 1..90)
        .prop_map(move |steps| begin.iter().cloned().chain(steps).collect())
}

/// What one step came to, in words that model and service share.
type Outcome = String;

/// Every committed state: after each group the service is where the model is.
fn check(steps: &[(Step, bool)], reached: &mut BTreeMap<String, u32>) {
    let service = Shop::new();
    let mut model = Model::default();
    let mut waiting = Vec::new();
    for (index, (step, ends_group)) in steps.iter().enumerate() {
        waiting.push((step, service.send(step)));
        if !ends_group && index + 1 < steps.len() {
            continue;
        }
        service.store.run_group(usize::MAX);
        for (step, answer) in waiting.drain(..) {
            let expected = model.run(step);
            if let (Step::Sell(order), "sold") = (step, expected.as_str())
                && model.orders[order].expired
            {
                *reached
                    .entry("sold again after it expired".to_owned())
                    .or_default() += 1;
            }
            let outcome = answer.wait().unwrap_or_else(|fault| {
                assert!(matches!(fault, Fault::Bug(_)), "{step:?}: {fault:?}");
                "fault".to_owned()
            });
            assert_eq!(outcome, expected, "{step:?}");
            *reached.entry(outcome).or_default() += 1;
        }
        let levels = service.levels();
        for (index, shelf) in &model.shelf {
            let level = levels.get(SKUS[*index]).copied().unwrap_or_default();
            assert_eq!(level, [shelf.on_hand(), shelf.reserved], "{}", SKUS[*index]);
            let promised = shelf.reserved + shelf.sold;
            assert!(0 <= promised && promised <= shelf.received - shelf.written_off);
        }
        assert_consistent(&service.store);
    }
}

/// What the random steps must have come to at least once; otherwise the test shows too little.
const RARE: [&str; 15] = [
    "already decided",
    "already released",
    "already returned",
    "already sold",
    "below reserved",
    "expired",
    "fault",
    "not counted",
    "not held",
    "nothing to return",
    "Nothing",
    "Reservation",
    "SaleKept",
    "SaleRestocked",
    "sold again after it expired",
];

#[test]
fn stock_is_where_a_simple_model_says_it_is() {
    let config = Config {
        cases: 192,
        failure_persistence: None,
        ..Config::default()
    };
    let reached = RefCell::new(BTreeMap::new());
    TestRunner::new(config)
        .run(&steps(), |steps| {
            check(&steps, &mut reached.borrow_mut());
            Ok(())
        })
        .unwrap();
    let reached = reached.into_inner();
    for outcome in RARE {
        assert!(reached.contains_key(outcome), "never reached: {outcome}");
    }
}

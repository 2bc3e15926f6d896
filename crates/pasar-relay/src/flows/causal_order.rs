//! Causes before their effects, else by time. Pure.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

use pasar_types::time::Timestamp;

/// What the order depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'s> {
    /// What others name as their cause; absent for what causes nothing.
    pub(crate) id: Option<&'s str>,
    pub(crate) cause: Option<&'s str>,
    pub(crate) at: Timestamp,
    /// Where times are the same.
    pub(crate) position: i64,
}

/// The indices of the places in their order. A cause that is not among them does not matter; what claims
/// to cause itself, over others or not, comes by its time.
pub(crate) fn causal_order(places: &[Place<'_>]) -> Vec<usize> {
    let rank = |index: usize| (places[index].at, places[index].position, index);
    let mut by_id = HashMap::new();
    for (index, place) in places.iter().enumerate() {
        if let Some(id) = place.id {
            by_id.entry(id).or_insert(index);
        }
    }
    let mut effects: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
    let mut ready = BinaryHeap::new();
    let mut waiting = BTreeSet::new();
    for (index, place) in places.iter().enumerate() {
        let cause = place.cause.and_then(|cause| by_id.get(cause));
        match cause.filter(|cause| **cause != index) {
            Some(cause) => {
                effects[*cause].push(index);
                waiting.insert(rank(index));
            }
            None => ready.push(Reverse(rank(index))),
        }
    }
    let mut order = Vec::with_capacity(places.len());
    while let Some((_, _, index)) = ready
        .pop()
        .map(|Reverse(next)| next)
        .or_else(|| waiting.pop_first())
    {
        order.push(index);
        for effect in effects[index].drain(..) {
            if waiting.remove(&rank(effect)) {
                ready.push(Reverse(rank(effect)));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(id: &'static str, cause: Option<&'static str>, at: i64) -> Place<'static> {
        Place {
            id: Some(id),
            cause,
            at: Timestamp::from_micros(at),
            position: at,
        }
    }

    #[test]
    fn an_effect_comes_after_its_cause_although_its_clock_was_behind() {
        let places = [
            place("effect", Some("cause"), 1),
            place("cause", Some("req_1"), 5),
            place("other", None, 3),
        ];
        assert_eq!(causal_order(&places), [2, 1, 0]);
    }

    #[test]
    fn what_claims_to_cause_each_other_comes_by_time() {
        let places = [
            place("b", Some("a"), 2),
            place("a", Some("b"), 1),
            place("self", Some("self"), 0),
        ];
        assert_eq!(causal_order(&places), [2, 1, 0]);
    }

    proptest! {
        #[test]
        fn each_place_comes_once_and_no_effect_before_its_cause(
            links in prop::collection::vec((0_usize..30, 0_i64..5), 1..30),
        ) {
            let ids: Vec<String> = (0..links.len()).map(|index| index.to_string()).collect();
            let places: Vec<Place<'_>> = links
                .iter()
                .enumerate()
                // Only earlier ones, so that there is no circle.
                .map(|(index, (cause, at))| Place {
                    id: Some(&ids[index]),
                    cause: (*cause < index).then(|| ids[*cause].as_str()),
                    at: Timestamp::from_micros(*at),
                    position: 0,
                })
                .collect();
            let order = causal_order(&places);
            let mut all = order.clone();
            all.sort_unstable();
            prop_assert_eq!(all, (0..links.len()).collect::<Vec<_>>());
            let at = |index: usize| order.iter().position(|each| *each == index).unwrap();
            for (index, (cause, _)) in links.iter().enumerate() {
                if *cause < index {
                    prop_assert!(at(*cause) < at(index));
                }
            }
        }
    }
}

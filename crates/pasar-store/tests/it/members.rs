//! Instances that share out work are known to each other by their beats.

use pasar_store::store::Store;

use crate::bench_db::{Bench, open_shared};

fn listed(store: &Store) -> Vec<(String, i64)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let members = runtime.unwrap().block_on(store.members()).unwrap();
    let members = members.into_iter();
    members.map(|member| (member.name, member.beat)).collect()
}

#[test]
fn each_is_listed_by_name_with_its_beats_until_it_is_forgotten_where_it_was_seen() {
    let bench = Bench::shared();
    let other = open_shared(&bench, 2);
    for (store, name) in [(&other, "b"), (&bench.store, "a"), (&other, "b")] {
        store.beat_member(name).wait().unwrap();
    }
    let known = [("a".to_owned(), 1), ("b".to_owned(), 2)];
    assert_eq!(listed(&bench.store), known);
    assert_eq!(listed(&other), known);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let seen = runtime.unwrap().block_on(other.members()).unwrap();
    // It lives after all.
    bench.store.beat_member("a").wait().unwrap();
    other.forget_members(seen).wait().unwrap();
    assert_eq!(listed(&other), [("a".to_owned(), 2)]);
}

//! Foreign events, followed and handed over directly.

use std::{panic, sync::Arc};

use pasar_contracts::{api::users::Role, event::Service, events::users::UserRegistered};
use pasar_feed::follower::{Reactions, follow};
use pasar_testkit::{feed::FakeFeed, host::TestHost, probe::soon, rows::Rows, store::TestStore};
use pasar_types::id::UserId;

use crate::thing::{MIGRATIONS, Users};

fn registered(number: u8, roles: &[Role]) -> UserRegistered {
    UserRegistered {
        user_id: UserId::from_bytes([number; 16]),
        roles: roles.to_vec(),
    }
}

#[test]
fn a_redelivered_event_changes_nothing() {
    let test = TestStore::open(Service::Inventory, MIGRATIONS);
    let reactions: Arc<dyn Reactions> = Arc::new(Users);
    let event = FakeFeed::new(Service::Users).event("usr", 1, &registered(1, &[Role::Staff]));
    let first = test.check_reaction(&reactions, Service::Users, &event);
    assert_eq!(first.changes.len(), 1, "{first}");
    let again = test.check_reaction(&reactions, Service::Users, &event);
    assert_eq!(again.changes, Vec::<String>::new());
}

#[tokio::test]
async fn a_followed_feed_reaches_the_service_and_may_repeat_itself() {
    let test = TestHost::new();
    test.watch(Service::Inventory, MIGRATIONS);
    let store = test
        .host
        .open_store(Service::Inventory, MIGRATIONS)
        .unwrap();
    let users = FakeFeed::new(Service::Users);
    let event = users.push("usr_a", 1, &registered(1, &[Role::Staff]));
    let follower = follow(
        &test.host.tasks,
        Service::Users,
        users.follow(),
        store.clone(),
        Arc::new(Users),
    );
    soon("the first event", follower.caught_up_to(1)).await;
    users.push("usr_b", 1, &registered(2, &[Role::Staff]));
    let again = users.push_again(&event);
    soon("the rest", follower.caught_up_to(again.sequence)).await;
    assert_eq!(Rows::of(&store).lines().len(), 2);
    test.drain().await;
}

#[tokio::test]
async fn a_parked_event_fails_the_test_that_did_not_expect_it() {
    let mut expecting = TestHost::new();
    expecting.expect_parked();
    let host = TestHost::new();
    for test in [&expecting, &host] {
        test.watch(Service::Inventory, MIGRATIONS);
        let store = test
            .host
            .open_store(Service::Inventory, MIGRATIONS)
            .unwrap();
        let users = FakeFeed::new(Service::Users);
        users.push("usr_a", 1, &registered(1, &[]));
        let (tasks, reactions) = (&test.host.tasks, Arc::new(Users));
        let follower = follow(tasks, Service::Users, users.follow(), store, reactions);
        soon("the event", follower.caught_up_to(1)).await;
        test.drain().await;
        assert_eq!(test.parked(Service::Inventory).len(), 1);
    }
    drop(expecting);
    let failed = panic::catch_unwind(panic::AssertUnwindSafe(|| drop(host)));
    assert!(failed.is_err());
}

//! Instances on one database share out what is cut into parts: evenly, anew when one comes or goes, each part at one of
//! them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pasar_chassis::duty::Duty;
use pasar_store::store::Store;
use tokio::sync::Semaphore;

use crate::host::{Machine, soon};

const LEASES: [&str; 4] = ["part.0", "part.1", "part.2", "part.3"];

/// How often the keepers look, and how long they trust and wait: see `pasar_chassis::duty`.
const LOOK: Duration = Duration::from_millis(250);
const TRUST: Duration = Duration::from_millis(2_500);
const SILENCE: Duration = Duration::from_secs(3);

struct Instance {
    machine: Machine,
    store: Store,
    duties: Vec<Duty>,
}

impl Instance {
    fn join(machine: Machine) -> Self {
        let store = machine.store();
        let duties = Duty::shared_out(&machine.host, &store, &LEASES);
        Self {
            machine,
            store,
            duties,
        }
    }

    fn held(&self) -> usize {
        self.duties.iter().filter(|duty| duty.is_on()).count()
    }
}

/// Moves the clocks of all a look at a time until they hold so many each, the most first, and nothing is held twice.
async fn until(instances: &[&Instance], wanted: &[usize]) {
    let held = async {
        loop {
            let mut held: Vec<_> = instances.iter().map(|it| it.held()).collect();
            held.sort_unstable_by(|a, b| b.cmp(a));
            assert!(held.iter().sum::<usize>() <= LEASES.len(), "{held:?}");
            if held == wanted {
                return;
            }
            advance(instances).await;
        }
    };
    soon(held).await;
}

async fn advance(instances: &[&Instance]) {
    for instance in instances {
        instance.machine.advance(LOOK);
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[tokio::test]
async fn who_has_a_database_alone_has_all_parts_at_once() {
    let instance = Instance::join(Machine::new());
    assert_eq!(instance.held(), 4);
    assert_eq!(instance.store.members().await.unwrap(), []);
}

#[tokio::test]
async fn parts_are_shared_out_evenly_and_anew_when_one_comes_or_ends() {
    let [first, second, third] = Machine::several();
    let mut first = Instance::join(first);
    until(&[&first], &[4]).await;
    let second = Instance::join(second);
    until(&[&first, &second], &[2, 2]).await;
    let third = Instance::join(third);
    until(&[&first, &second, &third], &[2, 1, 1]).await;
    // Nothing moves while nobody comes or goes.
    let before = [first.held(), second.held(), third.held()];
    for _ in 0..8 {
        advance(&[&first, &second, &third]).await;
        assert_eq!([first.held(), second.held(), third.held()], before);
    }
    let begun = second.machine.host.clock.now();
    first.machine.restart().await;
    assert_eq!(first.held(), 0);
    until(&[&second, &third], &[2, 2]).await;
    let took = second.machine.host.clock.now().since(begun);
    assert!(took < SILENCE, "{took:?}");
}

#[tokio::test]
async fn the_parts_of_who_falls_silent_are_taken_after_three_seconds_and_not_before() {
    let [first, second] = Machine::several();
    let (first, second) = (Instance::join(first), Instance::join(second));
    until(&[&first, &second], &[2, 2]).await;
    let begun = second.machine.host.clock.now();
    // The clock of the first stands still: it still believes that it holds its two.
    let taken = async {
        while second.held() < 4 {
            advance(&[&second]).await;
        }
    };
    soon(taken).await;
    assert!(second.machine.host.clock.now().since(begun) >= SILENCE);
    assert_eq!(first.held(), 2);
    first.machine.advance(TRUST);
    let lost = async {
        while first.held() > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(lost).await;
    // It lives, so it gets its part again.
    until(&[&first, &second], &[2, 2]).await;
}

#[tokio::test]
async fn what_is_under_way_ends_before_its_part_is_handed_over() {
    let [first, second] = Machine::several();
    let first = Instance::join(first);
    let (gate, left) = (
        Arc::new(Semaphore::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    for duty in &first.duties {
        let (gate, left, leaving) = (Arc::clone(&gate), Arc::clone(&left), duty.clone());
        duty.run("work", move |_| {
            let (gate, left, leaving) = (Arc::clone(&gate), Arc::clone(&left), leaving.clone());
            async move {
                leaving.leaving().await;
                left.store(true, Ordering::SeqCst);
                drop(gate.acquire().await);
            }
        });
    }
    until(&[&first], &[4]).await;
    let second = Instance::join(second);
    let told = async {
        while !left.load(Ordering::SeqCst) {
            advance(&[&first, &second]).await;
        }
    };
    soon(told).await;
    for _ in 0..8 {
        advance(&[&first, &second]).await;
        assert_eq!((first.held(), second.held()), (4, 0), "work was under way");
    }
    gate.add_permits(4);
    until(&[&first, &second], &[2, 2]).await;
}

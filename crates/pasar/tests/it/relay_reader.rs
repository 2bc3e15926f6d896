//! Reads the other end of a destination all the time and notes what came, by number and in order.

use std::{collections::HashSet, future::pending, time::Instant};

use pasar_testkit::{
    ends::End,
    probe::soon,
    receiver::{Receiver, Reply},
};
use tokio::{sync::watch, task::JoinHandle};

use crate::relay_alone::number_of;

/// It ends when it is dropped.
pub(crate) struct Reader {
    read: watch::Sender<Read>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Read {
    came: Vec<Came>,
    numbers: HashSet<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Came {
    pub(crate) number: usize,
    pub(crate) at: Instant,
}

impl Reader {
    /// Of a broker.
    pub(crate) fn of(mut end: impl End) -> Self {
        let read = watch::Sender::default();
        let noting = read.clone();
        let task = tokio::spawn(async move {
            loop {
                let got = end.next().await;
                note(&noting, got.id());
            }
        });
        Self { read, task }
    }

    /// A webhook that answers 200; with its address.
    pub(crate) async fn webhook() -> (Self, String) {
        let read = watch::Sender::default();
        let noting = read.clone();
        let receiver = Receiver::start(move |received| {
            note(&noting, received.json()["id"].as_str().unwrap());
            Reply::ok()
        })
        .await;
        let url = receiver.url("/");
        let task = tokio::spawn(async move {
            let _receiver = receiver;
            pending::<()>().await;
        });
        (Self { read, task }, url)
    }

    /// All that came, in order, repeats included.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.read.borrow().came.clone()
    }

    /// How many different messages came.
    pub(crate) fn arrived(&self) -> usize {
        self.read.borrow().numbers.len()
    }

    /// How many came that had come before.
    pub(crate) fn again(&self) -> usize {
        let read = self.read.borrow();
        read.came.len() - read.numbers.len()
    }

    /// Waits until so many different messages came.
    pub(crate) async fn wait_for(&self, wanted: usize) {
        let mut read = self.read.subscribe();
        let enough = read.wait_for(|read| read.numbers.len() >= wanted);
        drop(soon(&format!("arrival {wanted}"), enough).await);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(read: &watch::Sender<Read>, id: &str) {
    let number = number_of(id);
    let at = Instant::now();
    read.send_modify(|read| {
        read.came.push(Came { number, at });
        read.numbers.insert(number);
    });
}

/// What came, without repeats, in the order in which it came first.
pub(crate) fn first_times(came: &[Came]) -> Vec<Came> {
    let mut seen = HashSet::new();
    came.iter()
        .copied()
        .filter(|came| seen.insert(came.number))
        .collect()
}

/// Asserts that of each of so many keys, messages came first in the order in which they were posted.
pub(crate) fn assert_in_order(came: &[Came], keys: usize) {
    let mut newest = vec![None; keys];
    for came in first_times(came) {
        let before = newest[came.number % keys].replace(came.number);
        assert!(
            before < Some(came.number),
            "{} came first after {before:?}",
            came.number
        );
    }
}

/// So much of these took at most so long, in milliseconds.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let at = sorted.len() * percent / 100;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

//! One task follows the log and tells each new message to the groups of readers that want it.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use pasar_chassis::{host::Host, problem::Chain};
use pasar_contracts::api::relay::Start;
use pasar_store::fault::Fault;
use pasar_types::id::UserId;

use super::{
    KEPT_BYTES, KEPT_MESSAGES, STRETCH,
    cursor::Cursor,
    entry::{Encoding, Entry},
    group::{Bell, Group},
    interest::{Interest, ORDERS, customer_of},
};
use crate::{access::Reading, log::Log, message::Message, topic::Pattern};

/// All live readers of a log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Live(Arc<Inner>);

struct Inner {
    log: Log,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Everything up to here was told to the groups.
    told: i64,
    next_reader: u64,
    groups: HashMap<u64, Arc<Group>>,
    known: HashMap<(Interest, Encoding), u64>,
    index: Index,
    kept: VecDeque<(i64, usize)>,
    kept_bytes: usize,
    /// Groups were asked to let go of what lies up to here.
    forgotten: i64,
}

/// Groups by the topics that they want.
#[derive(Default)]
struct Index {
    exactly: HashMap<Box<str>, BTreeSet<u64>>,
    below: HashMap<Box<str>, BTreeSet<u64>>,
    all: BTreeSet<u64>,
    /// Of orders, those of one customer.
    own: HashMap<UserId, BTreeSet<u64>>,
}

/// After a fault of the log.
const PAUSE: Duration = Duration::from_secs(1);

impl Live {
    /// Follows the log from now on, until the host drains.
    pub(crate) fn start(host: &Host, log: Log) -> Self {
        let state = State {
            told: log.head(),
            ..State::default()
        };
        let live = Self(Arc::new(Inner {
            log,
            state: Mutex::new(state),
        }));
        let (following, host) = (live.clone(), host.clone());
        host.tasks.clone().spawn("live streams", async move {
            tokio::select! {
                () = following.follow(&host) => {}
                () = host.tasks.draining() => {}
            }
        });
        live
    }

    pub(crate) fn log(&self) -> &Log {
        &self.0.log
    }

    /// A reader from some place on. It is told of what comes from now on before its place is looked up, so
    /// that nothing falls in between.
    pub(crate) fn join(
        &self,
        interest: Interest,
        encoding: Encoding,
        start: Start,
        bell: Bell,
    ) -> Result<Cursor, Fault> {
        let mut state = self.0.state.lock();
        let reader = state.next_reader;
        state.next_reader += 1;
        let (number, group) = state.group(interest, encoding);
        group.enter(reader, bell);
        drop(state);
        metrics::gauge!("pasar_live_readers").increment(1.0);
        Cursor::new(self.clone(), group, (number, reader), start)
    }

    pub(super) fn leave(&self, group: u64, reader: u64) {
        metrics::gauge!("pasar_live_readers").decrement(1.0);
        let mut state = self.0.state.lock();
        let Some(left) = state.groups.get(&group).cloned() else {
            return;
        };
        if left.leave(reader) {
            state.groups.remove(&group);
            state
                .known
                .remove(&(left.interest.clone(), left.encoding.clone()));
            state.index.remove(group, &left.interest);
        }
    }

    async fn follow(&self, host: &Host) {
        let mut heads = self.0.log.heads();
        loop {
            heads.mark_unchanged();
            if let Err(fault) = self.catch_up().await {
                tracing::error!(fault = %Chain(&fault), "live streams cannot read the log");
                host.sleeper.sleep_until(host.clock.now() + PAUSE).await;
                continue;
            }
            if heads.changed().await.is_err() {
                return;
            }
        }
    }

    async fn catch_up(&self) -> Result<(), Fault> {
        loop {
            let told = self.0.state.lock().told;
            let messages = self.0.log.after(told, STRETCH)?;
            if messages.is_empty() {
                return Ok(());
            }
            let groups = self.0.state.lock().tell(&messages);
            for group in groups {
                group.ring().await;
            }
        }
    }
}

impl State {
    fn group(&mut self, interest: Interest, encoding: Encoding) -> (u64, Arc<Group>) {
        let key = (interest, encoding);
        if let Some(number) = self.known.get(&key)
            && let Some(group) = self.groups.get(number)
        {
            return (*number, Arc::clone(group));
        }
        let number = self.next_reader;
        self.next_reader += 1;
        let (interest, encoding) = key.clone();
        self.index.insert(number, &interest);
        self.known.insert(key, number);
        let group = Arc::new(Group::new(interest, encoding, self.told));
        self.groups.insert(number, Arc::clone(&group));
        (number, group)
    }

    /// Hands messages to the groups that want them; answers which those are.
    fn tell(&mut self, messages: &[Arc<Message>]) -> Vec<Arc<Group>> {
        let mut told: HashMap<u64, Vec<Arc<Entry>>> = HashMap::new();
        for message in messages {
            self.told = message.position;
            let wanting = self.index.find(message);
            let mut wanting = wanting.into_iter().filter(|number| {
                self.groups
                    .get(number)
                    .is_some_and(|group| group.interest.wants_type(&message.message_type))
            });
            let Some(first) = wanting.next() else {
                continue;
            };
            let entry = Arc::new(Entry::new(Arc::clone(message)));
            for number in std::iter::once(first).chain(wanting) {
                told.entry(number).or_default().push(Arc::clone(&entry));
            }
            self.kept.push_back((message.position, message.size()));
            self.kept_bytes += message.size();
        }
        let mut groups = Vec::with_capacity(told.len());
        for (number, entries) in told {
            if let Some(group) = self.groups.get(&number) {
                group.push(entries);
                groups.push(Arc::clone(group));
            }
        }
        self.forget();
        groups
    }

    /// Groups let go of the oldest messages now and then, all at once.
    fn forget(&mut self) {
        if self.kept.len() <= KEPT_MESSAGES && self.kept_bytes <= KEPT_BYTES {
            return;
        }
        while self.kept.len() > KEPT_MESSAGES / 2 || self.kept_bytes > KEPT_BYTES / 2 {
            let Some((position, bytes)) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes -= bytes;
            self.forgotten = position;
        }
        for group in self.groups.values() {
            group.forget(self.forgotten);
        }
    }
}

impl Index {
    /// The groups whose topics a message matches, each once.
    fn find(&self, message: &Message) -> Vec<u64> {
        let topic = &*message.topic;
        let mut found: Vec<u64> = self.all.iter().copied().collect();
        found.extend(self.exactly.get(topic).into_iter().flatten());
        if !self.below.is_empty() {
            let dots = topic.match_indices('.').map(|(at, _)| &topic[..=at]);
            for stem in dots {
                found.extend(self.below.get(stem).into_iter().flatten());
            }
        }
        if topic == ORDERS
            && !self.own.is_empty()
            && let Some(customer) = customer_of(message)
        {
            found.extend(self.own.get(&customer).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn insert(&mut self, group: u64, interest: &Interest) {
        for (topic, reading) in &interest.topics {
            let groups = match (topic, reading) {
                (_, Reading::OwnOrders(user)) => self.own.entry(*user).or_default(),
                (Pattern::Exactly(topic), Reading::All) => {
                    self.exactly.entry(topic.clone()).or_default()
                }
                (Pattern::Below(stem), Reading::All) => self.below.entry(stem.clone()).or_default(),
                (Pattern::All, Reading::All) => &mut self.all,
            };
            groups.insert(group);
        }
    }

    fn remove(&mut self, group: u64, interest: &Interest) {
        for (topic, reading) in &interest.topics {
            match (topic, reading) {
                (_, Reading::OwnOrders(user)) => take(&mut self.own, user, group),
                (Pattern::Exactly(topic), Reading::All) => take(&mut self.exactly, topic, group),
                (Pattern::Below(stem), Reading::All) => take(&mut self.below, stem, group),
                (Pattern::All, Reading::All) => {
                    self.all.remove(&group);
                }
            }
        }
    }
}

fn take<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<u64>>, key: &K, group: u64) {
    if let Some(groups) = map.get_mut(key) {
        groups.remove(&group);
        if groups.is_empty() {
            map.remove(key);
        }
    }
}

//! Who shares out a service's work, and how much of it falls to this instance: the same for all who see the same
//! members, so nobody has to decide.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use pasar_feed::tasks::Tasks;
use pasar_store::{clock::Clock, fault::Fault, member::Member, store::Store};

use super::{
    keeper::{BEAT, LOOK_EVERY, SILENCE},
    part::Part,
};
use crate::{host::Host, problem::Chain, sleeper::Sleeper};

/// An instance that has been silent for so long is taken off the list.
const FORGET: Duration = Duration::from_secs(60);

pub(super) struct Members {
    me: String,
    store: Store,
    part: Part,
    /// How many leases there are to share out.
    leases: usize,
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
    tasks: Tasks,
}

/// Since when, by this process's clock, a beat stands where it does.
#[derive(Default)]
struct Seen(BTreeMap<String, (i64, Duration)>);

impl Members {
    pub(super) fn new(host: &Host, store: Store, me: String, part: Part, leases: usize) -> Self {
        Self {
            me,
            store,
            part,
            leases,
            clock: Arc::clone(&host.clock),
            sleeper: Arc::clone(&host.sleeper),
            tasks: host.tasks.clone(),
        }
    }

    /// Until the host drains.
    pub(super) async fn run(self) {
        let mut seen = Seen::default();
        let mut next_beat = self.clock.monotonic();
        while !self.tasks.is_draining() {
            if self.clock.monotonic() >= next_beat {
                next_beat = self.clock.monotonic() + BEAT;
                self.told(self.store.beat_member(&self.me).await);
            }
            let looked = self.look(&mut seen).await;
            self.told(looked);
            tokio::select! {
                () = self.tasks.draining() => {}
                () = self.sleeper.sleep_until(self.clock.now() + LOOK_EVERY) => {}
            }
        }
        // What this instance still holds is given up by its keepers; the others need not wait for that.
        let left = self.leave().await;
        self.told(left);
    }

    async fn look(&self, seen: &mut Seen) -> Result<(), Fault> {
        let members = self.store.members().await?;
        let now = self.clock.monotonic();
        let silent = seen.note(&members, now);
        let live = members
            .iter()
            .filter(|member| member.name == self.me || seen.silent_for(member, now) < SILENCE)
            .map(|member| member.name.as_str());
        if let Some(quota) = quota(live, &self.me, self.leases) {
            self.part.set_quota(quota);
        }
        if !silent.is_empty() {
            self.store.forget_members(silent).await?;
        }
        Ok(())
    }

    async fn leave(&self) -> Result<(), Fault> {
        let members = self.store.members().await?;
        let me = members.into_iter().filter(|member| member.name == self.me);
        self.store.forget_members(me.collect()).await
    }

    /// What cannot be looked at stays as it was known last.
    fn told(&self, answer: Result<(), Fault>) {
        match answer {
            Ok(()) | Err(Fault::Closed) => {}
            Err(fault) => {
                tracing::debug!(service = %self.store.service(), fault = %Chain(&fault),
                    "the instances that share out work cannot be looked at");
            }
        }
    }
}

impl Seen {
    /// Answers those that have been silent for too long.
    fn note(&mut self, members: &[Member], now: Duration) -> Vec<Member> {
        self.0
            .retain(|name, _| members.iter().any(|member| member.name == *name));
        for Member { name, beat } in members {
            match self.0.entry(name.clone()) {
                Entry::Occupied(known) if known.get().0 == *beat => {}
                Entry::Occupied(mut known) => *known.get_mut() = (*beat, now),
                Entry::Vacant(new) => {
                    new.insert((*beat, now));
                }
            }
        }
        let silent = members
            .iter()
            .filter(|it| self.silent_for(it, now) >= FORGET);
        silent.cloned().collect()
    }

    fn silent_for(&self, member: &Member, now: Duration) -> Duration {
        let since = self.0.get(&member.name).map_or(now, |(_, since)| *since);
        now.saturating_sub(since)
    }
}

/// How many leases fall to one of the members, whose names are in order; `None` if it is not among them yet.
fn quota<'m>(live: impl Iterator<Item = &'m str>, me: &str, leases: usize) -> Option<usize> {
    let live: Vec<_> = live.collect();
    let place = live.iter().position(|name| *name == me)?;
    Some(leases / live.len() + usize::from(place < leases % live.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_leases_fall_to_somebody_and_evenly() {
        for instances in 1..=6 {
            let names: Vec<_> = (0..instances).map(|number| number.to_string()).collect();
            let parts: Vec<_> = names
                .iter()
                .map(|me| quota(names.iter().map(String::as_str), me, 4).unwrap())
                .collect();
            assert_eq!(parts.iter().sum::<usize>(), 4, "{parts:?}");
            let (least, most) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
            assert!(most - least <= 1, "{parts:?}");
        }
        assert_eq!(quota(["a"].into_iter(), "b", 4), None);
    }

    #[test]
    fn one_is_silent_since_its_beat_was_first_seen_where_it_stands() {
        let member = |beat| Member {
            name: "a".to_owned(),
            beat,
        };
        let mut seen = Seen::default();
        let at = Duration::from_secs;
        assert_eq!(seen.note(&[member(7)], at(100)), []);
        assert_eq!(seen.note(&[member(7)], at(110)), []);
        assert_eq!(seen.silent_for(&member(7), at(110)), at(10));
        assert_eq!(seen.note(&[member(8)], at(120)), []);
        assert_eq!(seen.silent_for(&member(8), at(121)), at(1));
        assert_eq!(seen.note(&[member(8)], at(180)), [member(8)]);
    }
}

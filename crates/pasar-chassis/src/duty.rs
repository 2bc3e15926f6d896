//! Background work that one instance of a service does at a time: followers, timers, effects, upkeep.
//!
//! A duty is on while its lease is held. Where no other process can have the database it is on from the start and
//! costs nothing. All instances serve requests, on duty or not.

mod keeper;
mod members;
mod part;

use std::{future::Future, sync::Arc};

use pasar_contracts::event::Service;
use pasar_feed::{
    follow::Follow,
    follower::{Follower, Following, Reactions},
    tasks::Tasks,
};
use pasar_store::{fault::Fault, lease::Lease, store::Store};
use tokio::sync::watch;

use self::{
    keeper::{Keeper, Signals},
    members::Members,
    part::Part,
};
use crate::host::Host;

/// Whether this process is on duty. Cheap to clone.
#[derive(Clone)]
pub struct Duty(Arc<Inner>);

struct Inner {
    held: watch::Receiver<Option<Lease>>,
    leaving: watch::Receiver<bool>,
    /// Where nobody keeps a lease, this keeps it held. It lives as long as the work, whose tasks hold the duty.
    _sole: Option<Signals>,
    at_work: watch::Sender<usize>,
    store: Store,
    tasks: Tasks,
}

/// The lease of all of a service's background work.
const BACKGROUND: &str = "background";

impl Duty {
    /// The background work of a store's service. The lease is given up at the drain, once the work has ended.
    #[must_use]
    pub fn start(host: &Host, store: &Store) -> Self {
        Self::of(host, store, BACKGROUND, holder(host), Part::whole())
    }

    /// Whether any instance ever did the background work on a store's database.
    pub async fn was_ever_held(store: &Store) -> Result<bool, Fault> {
        Ok(store.lease(BACKGROUND).await?.is_some())
    }

    /// Work that is cut into parts with a lease each: the instances on a database share them out, evenly, and anew when
    /// one comes or goes. A process that has its database for itself does all of them.
    #[must_use]
    pub fn shared_out(host: &Host, store: &Store, leases: &'static [&'static str]) -> Vec<Self> {
        let (me, part) = (holder(host), Part::new(0));
        let duties = leases
            .iter()
            .map(|lease| Self::of(host, store, lease, me.clone(), part.clone()))
            .collect();
        if store.is_shared() {
            let members = Members::new(host, store.clone(), me, part, leases.len());
            host.tasks.spawn("members", members.run());
        }
        duties
    }

    fn of(host: &Host, store: &Store, lease: &'static str, holder: String, part: Part) -> Self {
        let at_work = watch::Sender::new(0);
        let initially = (!store.is_shared()).then(|| Lease::sole(lease));
        let signals = Signals {
            held: watch::Sender::new(initially),
            leaving: watch::Sender::new(false),
            at_work: at_work.subscribe(),
        };
        let (held, leaving) = (signals.held.subscribe(), signals.leaving.subscribe());
        let sole = if store.is_shared() {
            let keeper = Keeper::new(host, store.clone(), lease, holder, part, signals);
            host.tasks.spawn("duty", keeper.run());
            None
        } else {
            Some(signals)
        };
        Self(Arc::new(Inner {
            held,
            leaving,
            _sole: sole,
            at_work,
            store: store.clone(),
            tasks: host.tasks.clone(),
        }))
    }

    /// Runs work whenever this process is on duty. What `work` makes is dropped at once when it is not any more,
    /// and made anew later. It has to end by itself when the host drains, and may end when it finds that the lease
    /// was lost.
    pub fn run<W, F>(&self, name: &'static str, work: W)
    where
        W: Fn(Lease) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let duty = Arc::clone(&self.0);
        self.0.tasks.spawn(name, async move {
            let (mut held, tasks) = (duty.held.clone(), &duty.tasks);
            loop {
                let lease = tokio::select! {
                    biased;
                    () = tasks.draining() => return,
                    lease = taken(&mut held) => lease,
                };
                let working = AtWork::begin(&duty.at_work);
                let over = tokio::select! {
                    () = work(lease.clone()) => false,
                    () = lost(&mut held, &lease) => true,
                };
                drop(working);
                if over {
                    continue;
                }
                tokio::select! {
                    () = tasks.draining() => return,
                    () = lost(&mut held, &lease) => {}
                }
            }
        });
    }

    /// Follows a feed while on duty. The follower tells how far it is followed by whoever is.
    pub fn follow(
        &self,
        publisher: Service,
        feed: Arc<dyn Follow>,
        reactions: Arc<dyn Reactions>,
    ) -> Follower {
        let (following, follower) = Following::new(
            &self.0.tasks,
            publisher,
            feed,
            self.0.store.clone(),
            reactions,
        );
        let (following, tasks) = (Arc::new(following), self.0.tasks.clone());
        self.run("follower", move |_| {
            let (following, tasks) = (Arc::clone(&following), tasks.clone());
            async move {
                tokio::select! {
                    () = following.run() => {}
                    () = tasks.draining() => {}
                }
            }
        });
        follower
    }

    /// Resolves once the work shall end here, as it falls to another instance. It is waited for.
    pub async fn leaving(&self) {
        let mut leaving = self.0.leaving.clone();
        if leaving.wait_for(|leaving| *leaving).await.is_err() {
            // Nobody keeps the lease any more.
            std::future::pending::<()>().await;
        }
    }

    /// Whether this process is on duty now.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.held.borrow().is_some()
    }
}

/// What a process is called where leases are held. Only ever compared.
fn holder(host: &Host) -> String {
    host.ids.uuid_v7(host.clock.now()).to_string()
}

/// Counts work that goes on, however it ends.
struct AtWork<'w>(&'w watch::Sender<usize>);

impl<'w> AtWork<'w> {
    fn begin(count: &'w watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Resolves once the lease is held.
async fn taken(held: &mut watch::Receiver<Option<Lease>>) -> Lease {
    if let Ok(held) = held.wait_for(Option::is_some).await
        && let Some(lease) = &*held
    {
        return lease.clone();
    }
    std::future::pending().await
}

/// Resolves once a lease is not held any more, or at another term.
async fn lost(held: &mut watch::Receiver<Option<Lease>>, lease: &Lease) {
    // Without a keeper nobody holds anything.
    let _ = held.wait_for(|held| held.as_ref() != Some(lease)).await;
}

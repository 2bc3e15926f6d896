//! What one process runs: everything, or some of the services, which then find the others over HTTP.

use std::collections::BTreeSet;

use pasar_contracts::event::Service;

/// All services there are, in the order in which they are named.
pub(crate) const ALL: [Service; 5] = [
    Service::Users,
    Service::Inventory,
    Service::Orders,
    Service::Payments,
    Service::Relay,
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) services: BTreeSet<Service>,
    pub(super) gateway: bool,
    /// Nothing that is needed runs elsewhere, and nobody elsewhere needs what runs here.
    pub(super) is_whole: bool,
}

impl Set {
    /// The named ones, or all if none is named. The relay is worth running without a shop: named alone it
    /// brings what it needs for keys, unless it is one of several processes.
    pub(super) fn of(names: &[Service], is_one_of_several: bool) -> Self {
        let mut services: BTreeSet<Service> = names.iter().copied().collect();
        let gateway = services.remove(&Service::Gateway);
        let all = BTreeSet::from(ALL);
        if names.is_empty() || (gateway && services == all) {
            return Self::whole(all);
        }
        if names == [Service::Relay] && !is_one_of_several {
            return Self::whole([Service::Users, Service::Relay].into());
        }
        Self {
            services,
            gateway,
            is_whole: false,
        }
    }

    const fn whole(services: BTreeSet<Service>) -> Self {
        Self {
            services,
            gateway: true,
            is_whole: true,
        }
    }

    /// The feeds that are followed from here and whose publishers run elsewhere.
    pub(super) fn feeds_from_elsewhere(&self) -> BTreeSet<Service> {
        if self.is_whole {
            return BTreeSet::new();
        }
        let of_gateway = self.gateway.then_some(Service::Users);
        let followed = self.services.iter().flat_map(|service| follows(*service));
        followed
            .copied()
            .chain(of_gateway)
            .filter(|publisher| !self.services.contains(publisher))
            .collect()
    }

    /// The services that the gateway routes to and that run elsewhere.
    pub(super) fn routed_elsewhere(&self) -> Vec<Service> {
        if self.is_whole || !self.gateway {
            return Vec::new();
        }
        let elsewhere = ALL.into_iter();
        elsewhere
            .filter(|service| !self.services.contains(service))
            .collect()
    }

    /// For people: `orders, payments`.
    pub(super) fn names(&self) -> String {
        let gateway = self.gateway.then_some(Service::Gateway);
        let all = gateway.into_iter().chain(self.services.iter().copied());
        all.map(Service::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// Whose feeds a service follows.
pub(crate) fn follows(service: Service) -> &'static [Service] {
    match service {
        Service::Inventory | Service::Payments => &[Service::Orders],
        Service::Orders => &[Service::Inventory, Service::Payments],
        Service::Relay => &ALL,
        Service::Users | Service::Gateway => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_everything_runs() {
        let all = Set::of(&[], false);
        assert!(all.is_whole && all.gateway && all.services == ALL.into());
        assert!(all.feeds_from_elsewhere().is_empty() && all.routed_elsewhere().is_empty());
    }

    #[test]
    fn the_relay_runs_alone_with_what_it_needs_for_keys_unless_it_is_one_of_several() {
        let alone = Set::of(&[Service::Relay], false);
        assert_eq!(
            alone.services,
            BTreeSet::from([Service::Users, Service::Relay])
        );
        assert!(alone.gateway && alone.is_whole);
        let one = Set::of(&[Service::Relay], true);
        assert_eq!(one.services, BTreeSet::from([Service::Relay]));
        assert!(!one.gateway);
        assert_eq!(one.feeds_from_elsewhere().len(), 4);
    }

    #[test]
    fn what_is_not_here_is_looked_for_elsewhere() {
        let orders = Set::of(&[Service::Orders, Service::Payments], false);
        assert_eq!(
            orders.feeds_from_elsewhere(),
            BTreeSet::from([Service::Inventory])
        );
        let gateway = Set::of(&[Service::Gateway], false);
        assert_eq!(gateway.routed_elsewhere(), ALL);
        assert_eq!(
            gateway.feeds_from_elsewhere(),
            BTreeSet::from([Service::Users])
        );
        let users = Set::of(&[Service::Gateway, Service::Users], false);
        assert!(users.feeds_from_elsewhere().is_empty());
    }
}

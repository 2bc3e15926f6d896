//! Which services one process runs. A set is closed: it holds everything that its members follow or need.

use std::collections::BTreeSet;

use anyhow::bail;
use pasar_contracts::event::Service;

/// All services there are, in the order in which they are named.
pub(super) const ALL: [Service; 5] = [
    Service::Users,
    Service::Inventory,
    Service::Orders,
    Service::Payments,
    Service::Relay,
];

/// What must run in the same process. The gateway is in every process and checks credentials with users.
fn needs(service: Service) -> &'static [Service] {
    match service {
        Service::Inventory => &[Service::Users, Service::Orders],
        Service::Orders => &[Service::Users, Service::Inventory, Service::Payments],
        Service::Payments => &[Service::Users, Service::Orders],
        Service::Relay => &[Service::Users],
        Service::Users | Service::Gateway => &[],
    }
}

/// The named services, or all if none is named; refuses a set that lacks something and says what.
pub(super) fn closed(names: &[Service]) -> anyhow::Result<BTreeSet<Service>> {
    if names.is_empty() {
        return Ok(ALL.into());
    }
    let mut set: BTreeSet<Service> = names.iter().copied().collect();
    // The relay is worth running alone; the accounts that it needs for keys come with it.
    if set.contains(&Service::Relay) {
        set.insert(Service::Users);
    }
    if let Some(stranger) = set.iter().find(|service| !ALL.contains(service)) {
        bail!("{stranger} cannot be named; name some of {}", listed(&ALL));
    }
    let needed: BTreeSet<Service> = set.iter().copied().flat_map(needs).copied().collect();
    let missing: Vec<Service> = needed.difference(&set).copied().collect();
    if missing.is_empty() {
        return Ok(set);
    }
    let named: Vec<Service> = set.into_iter().collect();
    bail!(
        "{} cannot run here without {}, whose events they follow or whose keys they need; name those too, or \
         run `pasar up` for all",
        listed(&named),
        listed(&missing)
    )
}

fn listed(services: &[Service]) -> String {
    let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_everything_runs() {
        assert_eq!(closed(&[]).unwrap(), BTreeSet::from(ALL));
        assert_eq!(closed(&ALL).unwrap(), BTreeSet::from(ALL));
    }

    #[test]
    fn users_run_alone() {
        assert_eq!(
            closed(&[Service::Users]).unwrap(),
            BTreeSet::from([Service::Users])
        );
    }

    #[test]
    fn the_relay_runs_alone_with_what_it_needs_for_keys() {
        assert_eq!(
            closed(&[Service::Relay]).unwrap(),
            BTreeSet::from([Service::Users, Service::Relay])
        );
    }

    #[test]
    fn a_set_that_lacks_something_is_refused_and_says_what() {
        let refusal = closed(&[Service::Users, Service::Orders])
            .unwrap_err()
            .to_string();
        assert!(refusal.contains("without inventory, payments"), "{refusal}");
        let refusal = closed(&[Service::Gateway]).unwrap_err().to_string();
        assert!(
            refusal.contains("users, inventory, orders, payments, relay"),
            "{refusal}"
        );
    }
}

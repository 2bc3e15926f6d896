//! Where a request came from, coarse enough to be kept: the network, never the whole address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pasar_chassis::identity::ClientAddress;
use sha2::{Digest, Sha256};

/// Where a request came from, as far as it is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// `203.0.113.0/24` or `2001:db8:7::/48`; absent when nobody knows.
    pub(crate) source: Option<String>,
    pub(crate) user_agent: Option<String>,
}

const MAX_USER_AGENT_CHARS: usize = 200;

impl Origin {
    pub(crate) fn new(address: ClientAddress, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.map(|text| {
            text.chars()
                .filter(|c| !c.is_control())
                .take(MAX_USER_AGENT_CHARS)
                .collect()
        });
        Self {
            source: address.0.map(network),
            user_agent,
        }
    }
}

/// The network of an address: /24 of IPv4, /48 of IPv6.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// What attempts from one source are counted under: the address, of IPv6 its /64, which one party holds.
pub(crate) fn counted_as(address: ClientAddress) -> [u8; 32] {
    let mut hash = Sha256::new();
    match address.0.map(|address| address.to_canonical()) {
        None => hash.update(b"unknown"),
        Some(IpAddr::V4(v4)) => hash.update(v4.octets()),
        Some(IpAddr::V6(v6)) => hash.update(&v6.octets()[..8]),
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> ClientAddress {
        ClientAddress(Some(address.parse().unwrap()))
    }

    #[test]
    fn only_the_network_is_kept() {
        let source = |address| Origin::new(of(address), None).source.unwrap();
        assert_eq!(source("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(source("::ffff:203.0.113.77"), "203.0.113.0/24");
        assert_eq!(source("2001:db8:7:8:9::1"), "2001:db8:7::/48");
        assert_eq!(Origin::new(ClientAddress(None), None), Origin::default());
    }

    #[test]
    fn addresses_of_one_ipv6_customer_are_counted_together() {
        assert_eq!(counted_as(of("2001:db8::1")), counted_as(of("2001:db8::2")));
        assert_ne!(
            counted_as(of("2001:db8::1")),
            counted_as(of("2001:db8:0:1::1"))
        );
        assert_ne!(counted_as(of("203.0.113.1")), counted_as(of("203.0.113.2")));
        assert_eq!(
            counted_as(of("::ffff:203.0.113.1")),
            counted_as(of("203.0.113.1"))
        );
    }

    #[test]
    fn a_user_agent_is_cut_and_cleaned() {
        let agent = format!("a\u{7}{}", "b".repeat(300));
        let kept = Origin::new(ClientAddress(None), Some(&agent))
            .user_agent
            .unwrap();
        assert_eq!(kept.chars().count(), MAX_USER_AGENT_CHARS);
        assert!(kept.starts_with("abb"));
    }
}

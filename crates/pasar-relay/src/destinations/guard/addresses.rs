//! Which addresses are public. What is not known to be is not.
//!
//! Sources: the special-purpose address registries of IANA for IPv4 and IPv6 (RFC 6890 and its updates),
//! IANA's IPv6 address space (only 2000::/3 is global unicast), and the RFCs named beside each row.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address leads to the Internet, whatever form it is written in: an address that carries an
/// IPv4 address inside is judged by that one.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

/// First address and length of a prefix.
type V4 = ([u8; 4], u32);
type V6 = ([u16; 8], u32);

const NOT_PUBLIC_V4: &[V4] = &[
    ([0, 0, 0, 0], 8),       // this network, unspecified (RFC 791, 1122)
    ([10, 0, 0, 0], 8),      // private (RFC 1918)
    ([100, 64, 0, 0], 10),   // shared by carrier-grade NAT (RFC 6598)
    ([127, 0, 0, 0], 8),     // loopback (RFC 1122)
    ([169, 254, 0, 0], 16),  // link-local, metadata of clouds (RFC 3927)
    ([172, 16, 0, 0], 12),   // private (RFC 1918)
    ([192, 0, 0, 0], 24), // protocol assignments, DS-Lite, NAT64 discovery (RFC 6890, 6333, 7050)
    ([192, 0, 2, 0], 24), // documentation (RFC 5737)
    ([192, 88, 99, 0], 24), // relays of 6to4, deprecated (RFC 7526)
    ([192, 168, 0, 0], 16), // private (RFC 1918)
    ([198, 18, 0, 0], 15), // benchmarks (RFC 2544)
    ([198, 51, 100, 0], 24), // documentation (RFC 5737)
    ([203, 0, 113, 0], 24), // documentation (RFC 5737)
    ([224, 0, 0, 0], 4),  // multicast (RFC 1112)
    ([240, 0, 0, 0], 4),  // reserved, and broadcast (RFC 1112, 8190)
];

/// All else is no global unicast: loopback, unspecified, IPv4-compatible, unique local (fc00::/7),
/// link-local (fe80::/10), site-local (fec0::/10), multicast (ff00::/8), discard (100::/64), local NAT64
/// (64:ff9b:1::/48), segment routing (5f00::/16).
const GLOBAL_UNICAST: V6 = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const NOT_PUBLIC_V6: &[V6] = &[
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments: Teredo, benchmarks, ORCHID (RFC 2928, 4380, 5180)
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation (RFC 3849)
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation (RFC 9637)
];

const MAPPED: V6 = ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96); // RFC 4291
const NAT64: V6 = ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96); // RFC 6052
const SIX_TO_FOUR: V6 = ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16); // RFC 3056

/// The IPv4 address that a packet to this one would be sent on to.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    if within_v6(address, &MAPPED) || within_v6(address, &NAT64) {
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    let [_, _, a, b, c, d, ..] = address.octets();
    within_v6(address, &SIX_TO_FOUR).then(|| Ipv4Addr::new(a, b, c, d))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|(first, length)| {
        let mask = u32::MAX << (32 - length);
        address.to_bits() & mask == Ipv4Addr::from(*first).to_bits()
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    within_v6(address, &GLOBAL_UNICAST)
        && !NOT_PUBLIC_V6
            .iter()
            .any(|prefix| within_v6(address, prefix))
}

fn within_v6(address: Ipv6Addr, (first, length): &V6) -> bool {
    let mask = u128::MAX << (128 - length);
    address.to_bits() & mask == Ipv6Addr::from(*first).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn every_range_that_is_not_public_is_refused_from_its_first_to_its_last_address() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
        ] {
            for text in [first, last] {
                assert!(!public(text), "{text}");
                assert!(!public(&format!("::ffff:{text}")), "::ffff:{text}");
                assert!(!public(&format!("64:ff9b::{text}")), "64:ff9b::{text}");
                assert!(!public(&format!("::{text}")), "::{text}");
                let [a, b, c, d] = text.parse::<Ipv4Addr>().unwrap().octets();
                let within = format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1");
                assert!(!public(&within), "{within}");
            }
        }
        for text in [
            "::",
            "::1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:2::1",
            "2001:10::1",
            "2001:1ff:ffff::",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn the_addresses_beside_those_ranges_are_public() {
        for text in [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe:ffff::1",
        ] {
            assert!(public(text), "{text}");
        }
    }
}

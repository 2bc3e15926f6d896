//! Who the client is when proxies stand between, and which headers only the gateway may say.

use std::net::{IpAddr, SocketAddr};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE, FORWARDED},
};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Identity and the like, as services of one installation tell it to each other.
const OWN_PREFIX: &str = "x-pasar-";
/// What proxies tell of the client. Services ask the typed value instead.
const FORWARDING_PREFIX: &str = "x-forwarded-";
const FORWARDING: [&str; 6] = [
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
];

/// The networks of proxies whose word is taken.
pub(crate) struct Proxies(Vec<IpNet>);

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) address: IpAddr,
    /// Nobody stands between, as far as the headers tell.
    pub(crate) direct: bool,
}

impl Proxies {
    pub(crate) fn new(trusted: &[IpNet]) -> Self {
        Self(trusted.to_vec())
    }

    /// The right-most address that no trusted proxy vouches away. What an untrusted peer claims is
    /// ignored: it can write what it likes.
    pub(crate) fn origin(&self, peer: SocketAddr, headers: &HeaderMap) -> Origin {
        let claimed = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
        let values = headers.get_all(X_FORWARDED_FOR).iter();
        self.origin_of(peer, claimed, values.map(HeaderValue::as_bytes))
    }

    /// The same by the values of `X-Forwarded-For`; `claimed` tells whether anything is said of a client elsewhere.
    pub(crate) fn origin_of<'v>(
        &self,
        peer: SocketAddr,
        claimed: bool,
        forwarded_for: impl DoubleEndedIterator<Item = &'v [u8]>,
    ) -> Origin {
        let peer = peer.ip().to_canonical();
        if !claimed || !self.trusts(peer) {
            return Origin {
                address: peer,
                direct: !claimed,
            };
        }
        let mut address = peer;
        for value in forwarded_for.rev() {
            for hop in str::from_utf8(value).unwrap_or_default().rsplit(',') {
                let Ok(hop) = hop.trim().parse::<IpAddr>() else {
                    return Origin {
                        address,
                        direct: false,
                    };
                };
                address = hop.to_canonical();
                if !self.trusts(address) {
                    return Origin {
                        address,
                        direct: false,
                    };
                }
            }
        }
        Origin {
            address,
            direct: false,
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Takes away what a client must not say, and the credentials, which end here.
pub(crate) fn strip(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    headers.remove(COOKIE);
    while let Some(name) = headers
        .keys()
        .find(|name| is_reserved(name.as_str().as_bytes()))
        .cloned()
    {
        headers.remove(name);
    }
}

/// Whether only the gateway may say it. The case of letters does not count.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    let begins = |prefix: &str| {
        let begin = name.get(..prefix.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    begins(OWN_PREFIX) || begins(FORWARDING_PREFIX) || FORWARDING.iter().any(|other| is(other))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(peer: &str, forwarded_for: &[&'static str], expected: &str) {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in forwarded_for {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let origin = proxies.origin(SocketAddr::new(peer.parse().unwrap(), 1), &headers);
        assert_eq!(
            origin.address,
            expected.parse::<IpAddr>().unwrap(),
            "{forwarded_for:?}"
        );
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_claims() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("203.0.113.9", &[], "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_only_the_nearest_untrusted_hop_counts() {
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check(
            "10.0.0.1",
            &["6.6.6.6, 198.51.100.1, 10.0.0.2"],
            "198.51.100.1",
        );
        check("10.0.0.1", &["6.6.6.6", "198.51.100.1"], "198.51.100.1");
        check("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["6.6.6.6, nonsense"], "10.0.0.1");
    }

    #[test]
    fn a_claim_by_an_untrusted_peer_is_not_direct() {
        let mut headers = HeaderMap::new();
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(Proxies::new(&[]).origin(peer, &headers).direct);
        headers.insert(FORWARDED, HeaderValue::from_static("for=198.51.100.1"));
        assert!(!Proxies::new(&[]).origin(peer, &headers).direct);
    }

    #[test]
    fn identity_forwarding_and_credentials_are_taken_away_and_nothing_else() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-pasar-identity",
            "x-pasar-user",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-real-ip",
            "authorization",
            "cookie",
            "x-http-method-override",
            "idempotency-key",
            "prefer",
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("a"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("b"));
        }
        strip(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["idempotency-key", "prefer"]);
    }
}

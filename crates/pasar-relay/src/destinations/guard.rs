//! Which addresses deliveries may connect to. Asked with the addresses that a socket is about to connect to,
//! after names were resolved, so that a name server that changes its answer changes nothing.

mod addresses;
mod resolver;

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use ipnet::IpNet;
use tokio::net::TcpStream;

pub use self::resolver::Resolve;
use self::resolver::{SystemResolver, literal};

/// Cheap to clone.
#[derive(Clone)]
pub struct Guard(Arc<Rules>);

struct Rules {
    /// Everything may be reached: the demo on a laptop.
    open: bool,
    allowed: Vec<IpNet>,
    resolver: Arc<dyn Resolve>,
}

/// Why there is no connection. Names no address: a subscription's owner may read it, and must not learn what
/// a name means inside the network that the relay runs in.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "connect: the address is not public; the operator can allow its network with relay.allowed_networks"
    )]
    NotAllowed,
    #[error("connect: the host's name cannot be resolved; check its spelling")]
    Unresolved(#[source] io::Error),
    #[error("connect: {}", .0.kind())]
    Io(#[source] io::Error),
    #[error("connect: no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
}

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;
/// How long one address is waited for before the next is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);
/// How long a name is looked up at most.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

impl Guard {
    /// Refuses what is not public, but for these networks.
    #[must_use]
    pub fn closed(allowed: Vec<IpNet>) -> Self {
        Self(Arc::new(Rules {
            open: false,
            allowed,
            resolver: Arc::new(SystemResolver::default()),
        }))
    }

    /// Refuses nothing.
    #[must_use]
    pub fn open() -> Self {
        Self(Arc::new(Rules {
            open: true,
            allowed: Vec::new(),
            resolver: Arc::new(SystemResolver::default()),
        }))
    }

    /// The same rules with names looked up in another way.
    #[must_use]
    pub fn with_resolver(&self, resolver: Arc<dyn Resolve>) -> Self {
        Self(Arc::new(Rules {
            open: self.0.open,
            allowed: self.0.allowed.clone(),
            resolver,
        }))
    }

    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        // An IPv4 address in IPv6 clothes is the IPv4 address.
        let address = address.to_canonical();
        let rules = &self.0;
        rules.open
            || rules
                .allowed
                .iter()
                .any(|network| network.contains(&address))
            || addresses::is_public(address)
    }

    /// Connects to a host, by name or address (an IPv6 address with or without brackets), at an address that
    /// was checked, and that address only. Without Nagle's delay.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        timeout: Duration,
    ) -> Result<TcpStream, ConnectError> {
        let connecting = async {
            let addresses = self.resolve(host, port).await?;
            let stream = first_to_answer(addresses).await.map_err(ConnectError::Io)?;
            stream.set_nodelay(true).map_err(ConnectError::Io)?;
            Ok(stream)
        };
        tokio::time::timeout(timeout, connecting)
            .await
            .unwrap_or(Err(ConnectError::Timeout(timeout)))
    }

    /// The addresses of a host that may be connected to, at least one. For libraries that connect by
    /// themselves: give them an address from here, never the name.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = match literal(host) {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => tokio::time::timeout(LOOKUP_TIMEOUT, self.0.resolver.resolve(host))
                .await
                .unwrap_or_else(|elapsed| Err(elapsed.into()))
                .map_err(ConnectError::Unresolved)?,
        };
        if found.is_empty() {
            return Err(ConnectError::Unresolved(io::ErrorKind::NotFound.into()));
        }
        let mut allowed: Vec<_> = found
            .iter()
            .copied()
            .filter(|address| self.allows(address.ip()))
            .take(MAX_ADDRESSES)
            .collect();
        if allowed.is_empty() {
            tracing::debug!(host, ?found, "the guard refused to connect");
            return Err(ConnectError::NotAllowed);
        }
        for address in &mut allowed {
            address.set_port(port);
        }
        Ok(allowed)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("open", &self.0.open)
            .field("allowed", &self.0.allowed)
            .finish_non_exhaustive()
    }
}

/// Tries one address after the other; a slow one does not hold up the next.
async fn first_to_answer(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut failure = None;
    loop {
        trying.extend(waiting.next().map(TcpStream::connect));
        tokio::select! {
            answered = trying.next() => match answered {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => failure = Some(error),
                None => return Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into())),
            },
            () = tokio::time::sleep(HEAD_START), if waiting.len() > 0 => {}
        }
    }
}

//! Looking names up. A trait, so that a test can be a name server that changes its answer.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// As the machine is set up (`getaddrinfo`). Those who ask for the same name at the same time share one
/// lookup: a slow name server holds one thread, however many wait for it.
#[derive(Default)]
pub(super) struct SystemResolver {
    lookups: Arc<Mutex<HashMap<String, Lookup>>>,
}

type Lookup = Shared<BoxFuture<'static, Result<Arc<[SocketAddr]>, Arc<io::Error>>>>;

/// Names that are looked up at once; each holds a thread.
const MAX_LOOKUPS: usize = 128;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let mut lookups = self.lookups.lock();
        let lookup = match lookups.get(host) {
            Some(lookup) => lookup.clone(),
            None if lookups.len() >= MAX_LOOKUPS => {
                let full = io::Error::other("too many names are being looked up");
                return std::future::ready(Err(full)).boxed();
            }
            None => {
                let lookup = look_up(host.to_owned(), Arc::clone(&self.lookups));
                lookups.insert(host.to_owned(), lookup.clone());
                lookup
            }
        };
        drop(lookups);
        lookup
            .map(|found| match found {
                Ok(addresses) => Ok(addresses.to_vec()),
                Err(error) => Err(io::Error::new(error.kind(), error)),
            })
            .boxed()
    }
}

fn look_up(host: String, lookups: Arc<Mutex<HashMap<String, Lookup>>>) -> Lookup {
    let thread = tokio::task::spawn_blocking(move || {
        let found = (host.as_str(), 0)
            .to_socket_addrs()
            .map(Iterator::collect::<Vec<_>>);
        lookups.lock().remove(&host);
        found
    });
    async move {
        match thread.await {
            Ok(Ok(addresses)) => Ok(addresses.into()),
            Ok(Err(error)) => Err(Arc::new(error)),
            Err(ended) => Err(Arc::new(io::Error::other(ended))),
        }
    }
    .boxed()
    .shared()
}

/// An address that is written as such, in any of the forms that a URL may have: dotted, one number, octal,
/// hexadecimal, IPv6 in brackets or not (WHATWG URL, host parsing).
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    match url::Host::parse(host) {
        Ok(url::Host::Ipv4(address)) => Some(address.into()),
        Ok(url::Host::Ipv6(address)) => Some(address.into()),
        Ok(url::Host::Domain(_)) | Err(_) => None,
    }
}

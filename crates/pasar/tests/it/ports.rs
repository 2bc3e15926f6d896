//! Ports for processes that must know of each other before they start.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering::Relaxed},
};

/// Below those that systems give to outgoing connections, so that none of them takes one in between.
const FIRST: u16 = 12_000;
const PORTS: u16 = 20_000;

/// Ports that were free a moment ago and that no other test of this process gets.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes beside this one begin elsewhere.
    let offset = std::process::id().wrapping_mul(97);
    std::array::from_fn(|_| {
        loop {
            let step = u32::from(NEXT.fetch_add(1, Relaxed));
            let port = FIRST + u16::try_from(offset.wrapping_add(step) % u32::from(PORTS)).unwrap();
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    })
}

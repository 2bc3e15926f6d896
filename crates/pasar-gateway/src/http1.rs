//! HTTP/1.1 on the wire, as far as the gateway reads and writes it itself (RFC 9112). It is strict: what a
//! sender should not write is not read.

pub(crate) mod chunks;
pub(crate) mod date;
pub(crate) mod fields;

//! What clients send, read into messages: our own JSON, CloudEvents, and lines of both. Pure rules: nothing
//! here reads a socket or a row, and whatever cannot be read is a problem that names the field.

pub(crate) mod binary;
pub(crate) mod cloudevent;
pub(crate) mod data;
pub(crate) mod draft;
mod extensions;
pub(crate) mod lines;
pub(crate) mod media_type;
pub(crate) mod plain;

pub(crate) use draft::Terms;

#[cfg(test)]
mod properties;

//! Reading requests. Whatever cannot be read is a problem that names the field, never a 500.
//!
//! Texts with NUL characters are refused here, as not every engine can store them.

mod body;
mod conditions;
mod idempotent;
mod json;
mod objects;
mod params;
mod prefer;
mod wording;

pub use body::{BodyLimit, DEFAULT_BODY_LIMIT, read as read_body};
pub use conditions::{IfMatch, IfNoneMatch, LastEventId};
pub use idempotent::{Idempotent, Key, idempotency_key};
pub use json::{Json, parse as parse_json};
pub use objects::Objects;
pub use params::{Path, Query};
pub use prefer::{MAX_WAIT, Prefer};
pub use wording::reworded;

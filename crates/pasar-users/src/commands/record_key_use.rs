//! Writes down that an API key was used: at most once a minute, and no event tells of it.

use std::time::Duration;

use pasar_store::{context::Context, fault::Fault};
use pasar_types::{id::ApiKeyId, time::Timestamp};

use crate::tables::api_keys;

/// How exact the time of the last use is.
const PRECISION: Duration = Duration::from_secs(60);

/// Whether a use at this time is worth writing down.
pub(crate) fn is_news(last_used_at: Option<Timestamp>, now: Timestamp) -> bool {
    last_used_at.is_none_or(|last| now.since(last) >= PRECISION)
}

pub(crate) fn record_key_use(ctx: &mut Context<'_>, key: ApiKeyId) -> Result<(), Fault> {
    api_keys::touch(ctx, key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::Given;

    #[test]
    fn a_use_is_written_down_once_a_minute() {
        let given = Given::nothing();
        let sari = given.registered("sari");
        let key = given.key(sari, "till 2").id;
        given.events();
        given.run(move |ctx| record_key_use(ctx, key));
        let row = given
            .store
            .read_now(|tx| api_keys::find(tx, key))
            .unwrap()
            .unwrap();
        assert_eq!(row.last_used_at, Some(given.now()));
        assert!(is_news(None, given.now()));
        assert!(!is_news(
            row.last_used_at,
            given.now() + Duration::from_secs(59)
        ));
        assert!(is_news(row.last_used_at, given.now() + PRECISION));
        assert_eq!(given.events(), "");
    }
}

//! How deliveries are shared out among instances: by subscription, into shares that are fixed when the database is
//! made; and `watermark` and rows of `share`, the place in each that all have who are attached.

use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::id::SubscriptionId;

/// Which of so many shares a subscription is in. The end of its id is random, so all get about as many.
pub(crate) fn of(id: SubscriptionId, count: i64) -> i64 {
    let [.., last] = *id.as_bytes();
    i64::from(last) % count
}

pub(crate) fn count(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one("SELECT 1 + COUNT(*) FROM share", &[], |row| row.get(0))
}

/// Cuts a database that has no subscriptions yet into several.
pub(crate) fn cut(tx: &Tx<'_>, count: i64) -> Result<(), Fault> {
    let place = watermark(tx, 0)?;
    for number in 1..count {
        tx.execute(
            "INSERT INTO share (number, watermark) VALUES (?1, ?2)",
            &[&number, &place],
        )?;
    }
    Ok(())
}

pub(crate) fn watermark(tx: &Tx<'_>, share: i64) -> Result<i64, Fault> {
    if share == 0 {
        return tx.query_one("SELECT position FROM watermark", &[], |row| row.get(0));
    }
    tx.query_one(
        "SELECT watermark FROM share WHERE number = ?1",
        &[&share],
        |row| row.get(0),
    )
}

/// Of the share that is furthest behind.
pub(crate) fn lowest_watermark(tx: &Tx<'_>) -> Result<i64, Fault> {
    let lowest = tx.query_one("SELECT MIN(watermark) FROM share", &[], |row| {
        row.get::<Option<i64>>(0)
    })?;
    let first = watermark(tx, 0)?;
    Ok(lowest.map_or(first, |lowest| lowest.min(first)))
}

/// It only grows.
pub(crate) fn raise_watermark(tx: &Tx<'_>, share: i64, position: i64) -> Result<(), Fault> {
    if share == 0 {
        tx.execute(
            "UPDATE watermark SET position = ?1 WHERE position < ?1",
            &[&position],
        )?;
    } else {
        tx.execute(
            "UPDATE share SET watermark = ?1 WHERE number = ?2 AND watermark < ?1",
            &[&position, &share],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{
        tables::{flows, progress},
        testing::{Bench, input},
    };

    /// Subscriptions in each of four shares, all attached; one of each, by share.
    fn cut_in_four(bench: &Bench) -> BTreeMap<i64, SubscriptionId> {
        bench.given(|ctx| cut(ctx, 4));
        let mut ids = BTreeMap::new();
        while ids.len() < 4 {
            bench.create(input(json!({"kind": "probe", "to": "a"})));
            let sql = "SELECT share, subscription FROM progress";
            let all = bench
                .store
                .read_now(|tx| tx.query_all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?))));
            ids = all.unwrap().into_iter().collect();
        }
        bench.given(|ctx| ctx.execute("UPDATE progress SET attached = 1", &[]));
        ids
    }

    #[test]
    fn an_attached_subscription_is_as_far_as_its_own_share_and_keeps_that_place() {
        let bench = Bench::new();
        let ids = cut_in_four(&bench);
        bench.given(|ctx| {
            for share in 0..4 {
                raise_watermark(ctx, share, 10 * (share + 1))?;
            }
            raise_watermark(ctx, 2, 5)
        });
        for (share, id) in ids {
            let place = bench.given(move |ctx| progress::detach(ctx, id));
            assert_eq!(place, Some(10 * (share + 1)));
        }
    }

    #[test]
    fn the_log_is_kept_for_the_share_that_is_furthest_behind() {
        let bench = Bench::new();
        let lowest = || bench.store.read_now(lowest_watermark).unwrap();
        bench.given(|ctx| raise_watermark(ctx, 0, 7));
        assert_eq!(lowest(), 7);
        bench.given(|ctx| cut(ctx, 4));
        bench.given(|ctx| raise_watermark(ctx, 0, 9));
        assert_eq!(lowest(), 7);
        bench.given(|ctx| (1..4).try_for_each(|share| raise_watermark(ctx, share, 12)));
        assert_eq!(lowest(), 9);
    }

    #[test]
    fn who_is_behind_is_known_by_share_however_many_others_are_not() {
        let bench = Bench::new();
        cut_in_four(&bench);
        bench.given(|ctx| {
            [0, 1, 3]
                .iter()
                .try_for_each(|it| raise_watermark(ctx, *it, 8))
        });
        bench.given(|ctx| raise_watermark(ctx, 2, 3));
        let behind = bench.store.read_now(|tx| flows::behind(tx, 8, 1)).unwrap();
        let found: Vec<_> = behind
            .iter()
            .map(|row| (bench.progress(row.id).share, row.position))
            .collect();
        assert_eq!(found, [(2, 3)]);
    }
}

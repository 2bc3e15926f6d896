//! Into how many shares the deliveries of a database are cut, so that several instances have some each.

use pasar_chassis::{duty::Duty, host::Host};
use pasar_store::{
    cause::{Actor, Cause},
    fault::Fault,
    lane::{Class, LaneKey},
    store::Store,
};
use pasar_types::id::FlowId;

use crate::tables::shares;

/// A lease for each share of a database that several processes may have. More instances than these add nothing.
const LEASES: [&str; 4] = [
    "deliveries.0",
    "deliveries.1",
    "deliveries.2",
    "deliveries.3",
];

/// The duties of the shares that there are. A database is cut before any instance works on it, never later: one of an
/// earlier version knows one share, which stands under the lease of `all` background work.
pub async fn duties(host: &Host, store: &Store, all: &Duty) -> Result<Vec<Duty>, Fault> {
    match store.read(shares::count).await? {
        1 => Ok(vec![all.clone()]),
        _ => Ok(Duty::shared_out(host, store, &LEASES)),
    }
}

/// Cuts a database that is new. Call it before there is a duty.
pub async fn cut(host: &Host, store: &Store) -> Result<(), Fault> {
    if !store.is_shared() || Duty::was_ever_held(store).await? {
        return Ok(());
    }
    let flow = FlowId::from_uuid(host.ids.uuid_v7(host.clock.now()));
    let cause = Cause::new(Actor::Service(store.service()), flow);
    let cutting = store.write(LaneKey::ZERO, Class::Internal, cause, |ctx| {
        match shares::count(ctx)? {
            // Another instance may have done it by now.
            1 => shares::cut(ctx, i64::try_from(LEASES.len()).unwrap_or(1)),
            _ => Ok(()),
        }
    });
    cutting.await
}

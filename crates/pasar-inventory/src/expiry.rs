//! The late safety net for reservations. Whether one is really forgotten only the orders feed can tell,
//! so a reservation that is due waits until that feed was followed up to its head of that time.

use std::{sync::Arc, time::Duration};

use pasar_chassis::{
    effects::{Done, EffectWorker, Running},
    host::Host,
};
use pasar_feed::{follow::Follow, follower::Follower};
use pasar_store::{
    context::Context,
    effect::Effect,
    fault::Fault,
    lane::{Class, LaneKey},
    lease::Lease,
    store::Store,
};
use pasar_types::{
    id::{LocationId, OrderId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    commands::expire_reservation::{self, ExpireReservation, expire_reservation},
    tables::reservations::Reservation,
};

/// Reservations whose expiry is looked into at the same time.
pub(crate) const MOST_IN_FLIGHT: usize = 32;
/// After a boot the net waits: orders decides its own deadlines within half of this time.
const BOOT_GRACE: Duration = Duration::from_secs(60);
/// How long the feed may take to be followed before the effect is put off.
const CATCH_UP: Duration = Duration::from_secs(30);
const PUT_OFF: Duration = Duration::from_secs(30);

const KIND: &str = "expire_reservation";

/// Follows the orders feed up to its head before it lets a reservation expire.
pub(crate) struct ExpiryWorker {
    host: Host,
    store: Store,
    orders: Arc<dyn Follow>,
    follower: Follower,
    not_before: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    order: OrderId,
    location: LocationId,
}

/// Asks whether a reservation that is due may expire. One question an order at a time.
pub(crate) fn enqueue(ctx: &mut Context<'_>, reservation: &Reservation) -> Result<(), Fault> {
    let payload = Payload {
        order: reservation.order,
        location: reservation.location,
    };
    ctx.enqueue_effect(&reservation.order.to_string(), KIND, &payload)
}

impl ExpiryWorker {
    pub(crate) fn new(
        host: &Host,
        store: Store,
        orders: Arc<dyn Follow>,
        follower: Follower,
    ) -> Self {
        Self {
            host: host.clone(),
            store,
            orders,
            follower,
            not_before: host.clock.now() + BOOT_GRACE,
        }
    }

    async fn expire(&self, effect: Effect, lease: Lease) -> Result<Done, Fault> {
        let payload: Payload = effect.decode()?;
        while self.host.clock.now() < self.not_before {
            self.host.sleeper.sleep_until(self.not_before).await;
        }
        if let Err(reason) = self.catch_up().await {
            return self.put_off(&effect, payload.location, reason, lease).await;
        }
        let command = ExpireReservation {
            order: payload.order,
        };
        let lane = LaneKey::of(payload.location.as_bytes());
        let id = effect.id;
        let outcome = self
            .store
            .write(lane, Class::Internal, effect.cause(), move |ctx| {
                ctx.holding(&lease)?;
                if !ctx.finish_effect(id)? {
                    return Ok(expire_reservation::Outcome::NotHeld);
                }
                expire_reservation(ctx, command)
            })
            .await?;
        if outcome == expire_reservation::Outcome::Expired {
            metrics::counter!("pasar_stock_reservations_total", "outcome" => "expired")
                .increment(1);
            tracing::warn!(
                order = %payload.order, flow = %effect.flow,
                "a reservation outlived its order's deadline and was taken back"
            );
        }
        Ok(Done::Finished)
    }

    /// Everything that orders has told by now was taken.
    async fn catch_up(&self) -> Result<(), &'static str> {
        let head = self
            .orders
            .head()
            .await
            .map_err(|_| "the orders feed cannot be reached")?;
        let give_up = self.host.clock.now() + CATCH_UP;
        let too_long = async {
            while self.host.clock.now() < give_up {
                self.host.sleeper.sleep_until(give_up).await;
            }
        };
        tokio::select! {
            () = self.follower.caught_up_to(head.sequence) => Ok(()),
            () = too_long => Err("the orders feed is not followed to its head yet"),
        }
    }

    async fn put_off(
        &self,
        effect: &Effect,
        location: LocationId,
        reason: &'static str,
        lease: Lease,
    ) -> Result<Done, Fault> {
        let id = effect.id;
        let due = self.host.clock.now() + PUT_OFF;
        let lane = LaneKey::of(location.as_bytes());
        let kept = self
            .store
            .write(lane, Class::Internal, effect.cause(), move |ctx| {
                ctx.holding(&lease)?;
                ctx.retry_effect(id, due, reason)
            })
            .await?;
        Ok(if kept { Done::Retry } else { Done::Finished })
    }
}

impl EffectWorker for ExpiryWorker {
    fn run(&self, effect: Effect, lease: Lease) -> Running<'_> {
        Box::pin(async move {
            tokio::select! {
                done = self.expire(effect, lease) => done,
                () = self.host.tasks.draining() => Err(Fault::Closed),
            }
        })
    }
}

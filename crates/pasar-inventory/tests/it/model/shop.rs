//! The service's own commands for each step, on a store that runs on the test's thread.

use std::{collections::BTreeMap, sync::Arc};

use pasar_contracts::event::Service;
use pasar_inventory::{
    MIGRATIONS,
    commands::{
        adjust_stock::{self, AdjustStock, adjust_stock},
        ensure_default_location::{EnsureDefaultLocation, ensure_default_location},
        expire_reservation::{self, ExpireReservation, expire_reservation},
        put_product::{PutProduct, put_product},
        receive_stock::{self, ReceiveStock, receive_stock},
        release_stock::{self, ReleaseStock, release_stock},
        reserve_stock::{self, ReserveStock, reserve_stock},
        return_stock::{self, ReturnStock, return_stock},
        sell_stock::{self, SellStock, sell_stock},
    },
    location::LocationDetails,
    product::ProductDetails,
    stock::{Adjustment, Line},
};
use pasar_store::{
    cause::{Actor, Cause},
    clock::ManualClock,
    context::Context,
    fault::Fault,
    ids::SeededIds,
    lane::{Answer, Class, LaneKey},
    store::{Executor, Store, StoreOptions},
};
use pasar_testkit::fresh::Folder;
use pasar_types::{
    id::{FlowId, LocationId, OrderId, RefundId},
    money::Currency,
    quantity::Quantity,
    sku::Sku,
    time::Timestamp,
};

use super::{Outcome, SKUS, Step};

pub(super) struct Shop {
    pub(super) store: Store,
    here: LocationId,
    _folder: Folder,
}

impl Shop {
    pub(super) fn new() -> Self {
        let folder = Folder::new();
        let store = Store::open(StoreOptions {
            executor: Executor::Inline,
            ..StoreOptions::at(
                Service::Inventory,
                folder.place(Service::Inventory),
                MIGRATIONS,
                Arc::new(ManualClock::default()),
                Arc::new(SeededIds::new(1)),
            )
        })
        .unwrap();
        let mut service = Self {
            store,
            here: LocationId::from_bytes([0; 16]),
            _folder: folder,
        };
        let command = EnsureDefaultLocation {
            details: LocationDetails {
                name: "Kemang".to_owned(),
                time_zone: "UTC".to_owned(),
                cut_off_minutes: 0,
                currency: Currency::IDR,
                starts_unpaid: false,
            },
        };
        let made = service.write(move |ctx| ensure_default_location(ctx, &command));
        service.store.run_group(1);
        service.here = made.wait().unwrap();
        for sku in 0..SKUS.len() {
            let put = service.send(&Step::Track(sku, true));
            service.store.run_group(1);
            put.wait().unwrap();
        }
        service
    }

    fn write<T: Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        let cause = Cause::new(Actor::Operator, FlowId::from_bytes([7; 16]));
        self.store
            .write(LaneKey::ZERO, Class::Internal, cause, command)
    }

    pub(super) fn send(&self, step: &Step) -> Answer<Outcome> {
        let (here, step) = (self.here, step.clone());
        self.write(move |ctx| run(ctx, here, &step))
    }

    /// `[on_hand, reserved]` of each SKU.
    pub(super) fn levels(&self) -> BTreeMap<String, [i64; 2]> {
        self.store
            .read_now(|tx| {
                tx.query_all("SELECT sku, on_hand, reserved FROM stock", &[], |row| {
                    Ok((row.get::<String>(0)?, [row.get(1)?, row.get(2)?]))
                })
            })
            .unwrap()
            .into_iter()
            .collect()
    }
}

fn sku(index: usize) -> Sku {
    SKUS[index].parse().unwrap()
}

fn lines_of(lines: &[(usize, i64)]) -> Vec<Line> {
    let line = |(index, quantity): &(usize, i64)| Line {
        sku: sku(*index),
        quantity: *quantity,
    };
    lines.iter().map(line).collect()
}

fn order(n: u8) -> OrderId {
    OrderId::from_bytes([n + 1; 16])
}

fn run(ctx: &mut Context<'_>, here: LocationId, step: &Step) -> Result<Outcome, Fault> {
    match step {
        Step::Receive(index, quantity) => {
            let command = ReceiveStock {
                location: here,
                sku: sku(*index),
                quantity: Quantity::new(*quantity).unwrap(),
                note: None,
            };
            Ok(match receive_stock(ctx, &command)? {
                receive_stock::Outcome::Received(movement) => {
                    format!("on hand {}", movement.on_hand)
                }
                receive_stock::Outcome::NotCounted => "not counted".into(),
                other => format!("{other:?}"),
            })
        }
        Step::Count(index, count) => adjust(ctx, here, *index, Adjustment::Count(*count)),
        Step::WriteOff(index, quantity) => {
            let quantity = Quantity::new(*quantity).unwrap();
            adjust(ctx, here, *index, Adjustment::WriteOff(quantity))
        }
        Step::Track(index, on) => {
            let product = serde_json::json!({
                "name": "Tea", "price": { "amount_minor": 100, "currency": "IDR" }, "track_stock": on,
            });
            let command = PutProduct {
                sku: sku(*index),
                details: ProductDetails::new(&serde_json::from_value(product).unwrap()).unwrap(),
                if_match: Default::default(),
            };
            put_product(ctx, &command).map(|_| "put".into())
        }
        Step::Reserve(n, lines) => {
            let command = ReserveStock {
                order: order(*n),
                location: here,
                lines: lines_of(lines),
                expires_at: Timestamp::from_micros(i64::MAX),
            };
            Ok(match reserve_stock(ctx, &command)? {
                reserve_stock::Outcome::Reserved => "reserved".into(),
                reserve_stock::Outcome::AlreadyDecided => "already decided".into(),
                reserve_stock::Outcome::Insufficient(shortages) => {
                    let short: Vec<String> = shortages
                        .iter()
                        .map(|s| format!("{} {}>{}", s.sku, s.requested, s.available))
                        .collect();
                    format!("short {}", short.join(","))
                }
            })
        }
        Step::Sell(n) => Ok(match sell_stock(ctx, SellStock { order: order(*n) })? {
            sell_stock::Outcome::Sold => "sold".into(),
            sell_stock::Outcome::AlreadySold => "already sold".into(),
        }),
        Step::Release(n, restock) => {
            let command = ReleaseStock {
                order: order(*n),
                location: here,
                restock: *restock,
            };
            Ok(match release_stock(ctx, command)? {
                release_stock::Outcome::Released(undone) => format!("{undone:?}"),
                release_stock::Outcome::AlreadyReleased => "already released".into(),
            })
        }
        Step::Expire(n) => {
            let command = ExpireReservation { order: order(*n) };
            Ok(match expire_reservation(ctx, command)? {
                expire_reservation::Outcome::Expired => "expired".into(),
                expire_reservation::Outcome::NotHeld => "not held".into(),
            })
        }
        Step::Return(n, refund, lines) => {
            let command = ReturnStock {
                order: order(*n),
                refund: RefundId::from_bytes([*refund; 16]),
                lines: lines_of(lines),
            };
            Ok(match return_stock(ctx, &command)? {
                return_stock::Outcome::Returned(lines) => {
                    format!(
                        "returned {}",
                        lines.iter().map(|line| line.quantity).sum::<i64>()
                    )
                }
                return_stock::Outcome::AlreadyReturned => "already returned".into(),
                return_stock::Outcome::NothingToReturn => "nothing to return".into(),
            })
        }
    }
}

fn adjust(
    ctx: &mut Context<'_>,
    here: LocationId,
    index: usize,
    adjustment: Adjustment,
) -> Result<Outcome, Fault> {
    let command = AdjustStock {
        location: here,
        sku: sku(index),
        adjustment,
        reason: "test".to_owned(),
    };
    Ok(match adjust_stock(ctx, &command)? {
        adjust_stock::Outcome::Adjusted(movement) => format!("on hand {}", movement.on_hand),
        adjust_stock::Outcome::NotCounted => "not counted".into(),
        adjust_stock::Outcome::BelowReserved { .. } => "below reserved".into(),
        other => format!("{other:?}"),
    })
}

//! A small counter for command tests: a store on the test's thread, a clock that stands still, two
//! locations and some products. What it shows of rows and events leaves out ids, so that snapshots read
//! as sentences.

use std::{cell::Cell, fmt::Write as _, sync::Arc, time::Duration};

use pasar_contracts::{
    api::orders::OrderLineInput,
    event::Service,
    events::inventory::{LocationChanged, ProductChanged},
};
use pasar_store::{
    cause::{Actor, Cause},
    clock::{Clock, ManualClock},
    context::Context,
    fault::Fault,
    feed::FeedEvent,
    idempotency::Fingerprint,
    ids::SeededIds,
    lane::{Class, LaneKey},
    store::{Executor, Store, StoreOptions},
};
use pasar_testkit::fresh::Folder;
use pasar_types::{
    id::{FlowId, LocationId, OrderId, PaymentId, RefundId, UserId},
    money::{Currency, Money, TaxRate},
    quantity::Quantity,
    time::Timestamp,
};
use serde_json::Value;

use crate::{
    MIGRATIONS,
    commands::{
        Moved,
        cancel_order::{CancelOrder, cancel_order},
        move_order::{MoveOrder, Step, move_order},
        place_order::{self, PlaceOrder, place_order},
        record_fact::{Desk, record_fact},
    },
    fact::Fact,
    order::{Effect, Order},
    process::Stage,
    tables::{catalogue, orders},
    timers,
};

pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    told: Cell<i64>,
    keys: Cell<u32>,
    _folder: Folder,
}

pub(crate) const PAY_WITHIN: Duration = Duration::from_secs(900);

/// In Jakarta; its kitchen starts paid orders only, its day ends at four in the morning.
pub(crate) fn here() -> LocationId {
    LocationId::from_bytes([1; 16])
}

/// In Auckland; its kitchen starts unpaid orders, its day ends at midnight.
pub(crate) fn there() -> LocationId {
    LocationId::from_bytes([2; 16])
}

pub(crate) fn ann() -> UserId {
    UserId::from_bytes([11; 16])
}

pub(crate) fn order(n: u8) -> OrderId {
    OrderId::from_bytes([n; 16])
}

pub(crate) fn refund(n: u8) -> RefundId {
    RefundId::from_bytes([n; 16])
}

pub(crate) fn payment() -> PaymentId {
    PaymentId::from_bytes([5; 16])
}

pub(crate) fn idr(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::IDR)
}

pub(crate) fn line(sku: &str, quantity: i64) -> OrderLineInput {
    OrderLineInput {
        sku: sku.parse().unwrap(),
        quantity: Quantity::new(quantity).unwrap(),
    }
}

pub(crate) fn product(sku: &str, price: i64) -> ProductChanged {
    ProductChanged {
        sku: sku.parse().unwrap(),
        name: sku.to_owned(),
        names: std::collections::BTreeMap::new(),
        price: idr(price),
        tax_rate: TaxRate::from_basis_points(1100).unwrap(),
        category: None,
        track_stock: true,
        orderable: true,
        sold_out_at: Vec::new(),
    }
}

pub(crate) fn location(id: LocationId, zone: &str, cut_off_minutes: u16) -> LocationChanged {
    LocationChanged {
        location_id: id,
        name: zone.to_owned(),
        time_zone: zone.to_owned(),
        cut_off_minutes,
        currency: Currency::IDR,
        starts_unpaid: false,
        is_default: false,
    }
}

/// Two teas and a bun, by card, without an account.
pub(crate) fn usual(n: u8) -> PlaceOrder {
    PlaceOrder {
        id: order(n),
        lines: vec![line("tea", 2), line("bun", 1)],
        method: "sandbox".to_owned(),
        token: Some("tok_ok".to_owned()),
        location: here(),
        expected_total: None,
        note: None,
        customer: None,
        most_unsettled: None,
        deadline: Duration::from_secs(900),
        catalogue_is_current: false,
    }
}

/// What the usual order costs.
pub(crate) const USUAL_TOTAL: i64 = 5_000_000;

impl Shop {
    pub(crate) fn open() -> Self {
        let folder = Folder::new();
        let clock = Arc::new(ManualClock::new("2026-11-20T02:00:00Z".parse().unwrap()));
        let store = Store::open(StoreOptions {
            executor: Executor::Inline,
            ..StoreOptions::at(
                Service::Orders,
                folder.place(Service::Orders),
                MIGRATIONS,
                Arc::clone(&clock) as Arc<dyn Clock>,
                Arc::new(SeededIds::new(1)),
            )
        })
        .unwrap();
        let shop = Self {
            store,
            clock,
            told: Cell::new(0),
            keys: Cell::new(0),
            _folder: folder,
        };
        shop.write(|ctx| {
            catalogue::put_product(ctx, 1, &product("tea", 1_500_000))?;
            catalogue::put_product(ctx, 1, &product("bun", 2_000_000))?;
            let jakarta = LocationChanged {
                is_default: true,
                ..location(here(), "Asia/Jakarta", 240)
            };
            let auckland = LocationChanged {
                starts_unpaid: true,
                ..location(there(), "Pacific/Auckland", 0)
            };
            catalogue::put_location(ctx, 1, &jakarta)?;
            catalogue::put_location(ctx, 1, &auckland)
        });
        shop
    }

    /// Runs a command that must not fault.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> T {
        self.try_write(command).unwrap()
    }

    pub(crate) fn try_write<T: Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.write_as(Actor::Anonymous, command)
    }

    pub(crate) fn write_as<T: Send + 'static>(
        &self,
        actor: Actor,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let cause = Cause::new(actor, FlowId::from_bytes([9; 16]));
        let answer = self.store.write(LaneKey::ZERO, Class::New, cause, command);
        self.store.run_group(1);
        answer.wait()
    }

    /// Places an order under a key of its own.
    pub(crate) fn place(&self, command: PlaceOrder) -> place_order::Outcome {
        self.keys.set(self.keys.get() + 1);
        self.place_with(&format!("key-{}", self.keys.get()), command)
    }

    pub(crate) fn place_with(&self, key: &str, command: PlaceOrder) -> place_order::Outcome {
        let key = key.parse().unwrap();
        let fingerprint = Fingerprint::of(&[command.method.as_bytes()]);
        self.write(move |ctx| place_order(ctx, &command, &key, fingerprint))
    }

    pub(crate) fn fact(&self, order: OrderId, fact: Fact) -> Effect {
        self.try_fact(order, fact).unwrap()
    }

    pub(crate) fn try_fact(&self, order: OrderId, fact: Fact) -> Result<Effect, Fault> {
        self.try_write(move |ctx| {
            record_fact(ctx, &mut Desk::default(), order, fact.clone(), PAY_WITHIN)
        })
    }

    pub(crate) fn step(&self, order: OrderId, step: Step) -> Moved {
        let command = MoveOrder {
            order,
            step,
            if_match: pasar_chassis::extract::IfMatch::default(),
            pay_within: PAY_WITHIN,
        };
        self.write(move |ctx| move_order(ctx, &command))
    }

    pub(crate) fn cancel(&self, order: OrderId, by_staff: bool, restock: bool) -> Moved {
        let command = CancelOrder {
            order,
            by_staff,
            restock,
            if_match: pasar_chassis::extract::IfMatch::default(),
            pay_within: PAY_WITHIN,
        };
        self.write(move |ctx| cancel_order(ctx, &command))
    }

    /// Fires what is due by now, as the timers' runner does.
    pub(crate) fn fire_timers(&self) -> usize {
        let due = self.store.due_timers(self.clock.now(), 100).unwrap();
        for timer in due.clone() {
            self.write(move |ctx| {
                assert!(ctx.cancel_timer(&timer.kind, &timer.key, timer.due)?);
                timers::fire(ctx, &timer.kind, &timer.key, timer.due, PAY_WITHIN)
            });
        }
        due.len()
    }

    /// A usual order that has come to a stage, paid by card.
    pub(crate) fn at(&self, n: u8, stage: Stage) -> OrderId {
        self.place(usual(n));
        self.lead(order(n), stage);
        assert_eq!(self.row(order(n)).stage, stage);
        self.events();
        order(n)
    }

    /// The same for one that is paid in cash.
    pub(crate) fn cash_at(&self, n: u8, location: LocationId, paid: bool) -> OrderId {
        self.place(PlaceOrder {
            method: "cash".to_owned(),
            token: None,
            location,
            ..usual(n)
        });
        self.fact(order(n), Fact::StockReserved);
        self.fact(order(n), Fact::Due);
        if paid {
            self.fact(order(n), captured());
        }
        self.events();
        order(n)
    }

    pub(crate) fn lead(&self, id: OrderId, stage: Stage) {
        let facts: &[Fact] = match stage {
            Stage::Placed => &[],
            Stage::StockHeld => &[Fact::StockReserved],
            Stage::MoneyHeld => &[Fact::Authorized],
            Stage::Secured => &[Fact::StockReserved, Fact::Authorized],
            Stage::Cancelling => &[Fact::DeadlinePassed],
            Stage::Cancelled => &[Fact::StockRefused { shortages: vec![] }, Fact::Declined],
            _ => &[Fact::StockReserved, Fact::Authorized, captured()],
        };
        for fact in facts {
            self.fact(id, fact.clone());
        }
        let steps: &[Step] = match stage {
            Stage::Preparing => &[Step::Start],
            Stage::Ready | Stage::Abandoned => &[Step::Start, Step::Ready],
            Stage::Collected => &[Step::Start, Step::Ready, Step::Collect],
            _ => &[],
        };
        for step in steps {
            assert_eq!(self.step(id, *step), Moved::Done);
        }
        if stage == Stage::Abandoned {
            self.fact(id, Fact::CutOffPassed);
        }
    }

    pub(crate) fn row(&self, id: OrderId) -> Order {
        self.store
            .read_now(|tx| orders::read(tx, id))
            .unwrap()
            .expect("the order is there")
    }

    /// What was told since it was last asked, without ids.
    pub(crate) fn events(&self) -> String {
        let mut text = String::new();
        for event in self.new_events() {
            let mut data: Value = serde_json::from_str(&event.data).unwrap();
            hide_ids(&mut data);
            write!(text, "{} v{} {data}", event.event_type, event.keyversion).unwrap();
            if let Some(private) = &event.private {
                write!(text, " private {private}").unwrap();
            }
            text.push('\n');
        }
        text
    }

    pub(crate) fn new_events(&self) -> Vec<Arc<FeedEvent>> {
        let events = self.store.events_after(self.told.get(), 10_000).unwrap();
        if let Some(last) = events.last() {
            self.told.set(last.sequence);
        }
        events
    }

    /// What the order's row says, and its timer.
    pub(crate) fn shown(&self, id: OrderId) -> String {
        let order = self.row(id);
        let mut text = format!(
            "{} stock={} payment={} captured={} refunded={} refunding={}",
            order.stage.as_str(),
            order.stock.as_str(),
            order.payment.as_str(),
            order.captured,
            order.refunded,
            order.refunding
        );
        for (flag, name) in [
            (order.cash, "cash"),
            (order.stock_answered, "stock_answered"),
            (order.money_answered, "money_answered"),
            (order.settled_at.is_some(), "settled"),
        ] {
            if flag {
                write!(text, " {name}").unwrap();
            }
        }
        if let Some(cancellation) = &order.cancellation {
            let cancellation = serde_json::to_string(cancellation).unwrap();
            write!(text, "\ncancellation {cancellation}").unwrap();
        }
        for timer in self.timers(id) {
            write!(text, "\n{timer}").unwrap();
        }
        text
    }

    fn timers(&self, id: OrderId) -> Vec<String> {
        let far = Timestamp::from_micros(i64::MAX);
        let all = self.store.due_timers(far, 1_000).unwrap();
        let of_order = all
            .into_iter()
            .filter(|timer| timer.key.starts_with(&id.to_string()));
        of_order
            .map(|timer| format!("timer {} {}", timer.kind, timer.due))
            .collect()
    }
}

pub(crate) fn captured() -> Fact {
    Fact::Captured {
        amount: idr(USUAL_TOTAL),
    }
}

fn hide_ids(data: &mut Value) {
    if let Value::Object(members) = data {
        members.retain(|name, _| !name.ends_with("_id"));
        members.values_mut().for_each(hide_ids);
    }
}

//! A small shop for command tests: one location, a store on the test's thread, a clock that stands
//! still. What it shows of rows and events leaves out ids, so that snapshots read as sentences.

use std::{cell::Cell, collections::BTreeMap, fmt::Write as _, sync::Arc};

use pasar_contracts::event::Service;
use pasar_store::{
    cause::{Actor, Cause},
    clock::ManualClock,
    context::Context,
    fault::Fault,
    feed::FeedEvent,
    ids::SeededIds,
    lane::{Class, LaneKey},
    store::{Executor, Store, StoreOptions},
    tx::Row,
};
use pasar_testkit::fresh::Folder;
use pasar_types::{
    id::{FlowId, LocationId, OrderId, RefundId},
    money::{Currency, Money, TaxRate},
    quantity::Quantity,
    time::Timestamp,
};

use crate::{
    MIGRATIONS,
    commands::{
        create_location::{self, CreateLocation, create_location},
        ensure_default_location::{EnsureDefaultLocation, ensure_default_location},
        expire_reservation::{self, ExpireReservation, expire_reservation},
        mark_sold_out::{MarkSoldOut, mark_sold_out},
        put_product::{PutProduct, put_product},
        receive_stock::{ReceiveStock, receive_stock},
        release_stock::{self, ReleaseStock, release_stock},
        reserve_stock::{self, ReserveStock, reserve_stock},
        return_stock::{self, ReturnStock, return_stock},
        sell_stock::{self, SellStock, sell_stock},
    },
    location::LocationDetails,
    product::ProductDetails,
    stock::Line,
};

pub(crate) struct Shop {
    pub(crate) store: Store,
    /// The default location.
    pub(crate) here: LocationId,
    told: Cell<i64>,
    _folder: Folder,
}

pub(crate) fn order(n: u8) -> OrderId {
    OrderId::from_bytes([n; 16])
}

pub(crate) fn refund(n: u8) -> RefundId {
    RefundId::from_bytes([n; 16])
}

pub(crate) fn details() -> LocationDetails {
    LocationDetails {
        name: "Kemang".to_owned(),
        time_zone: "Asia/Jakarta".to_owned(),
        cut_off_minutes: 240,
        currency: Currency::IDR,
        starts_unpaid: false,
    }
}

pub(crate) fn product(track_stock: bool) -> ProductDetails {
    ProductDetails {
        name: "Tea".to_owned(),
        names: BTreeMap::new(),
        price: Money::new(1_500_000, Currency::IDR),
        tax_rate: TaxRate::default(),
        category: None,
        track_stock,
        withdrawn: false,
    }
}

impl Shop {
    /// Without a location.
    pub(crate) fn empty() -> Self {
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
        Self {
            store,
            here: LocationId::from_bytes([0; 16]),
            told: Cell::new(0),
            _folder: folder,
        }
    }

    pub(crate) fn open() -> Self {
        let mut shop = Self::empty();
        let command = EnsureDefaultLocation { details: details() };
        shop.here = shop.run(move |ctx| ensure_default_location(ctx, &command));
        shop
    }

    /// Runs a command that must not fault.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> T {
        self.try_run(command).unwrap()
    }

    pub(crate) fn try_run<T: Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.run_in_flow(7, command)
    }

    fn run_in_flow<T: Send + 'static>(
        &self,
        flow: u8,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let cause = Cause::new(Actor::Operator, FlowId::from_bytes([flow; 16]));
        let answer = self.store.write(LaneKey::ZERO, Class::New, cause, command);
        while self.store.run_group(64) > 0 {}
        answer.wait()
    }

    pub(crate) fn location(&self, details: LocationDetails) -> LocationId {
        let command = CreateLocation { details };
        match self.run(move |ctx| create_location(ctx, &command)) {
            create_location::Outcome::Created(id) => id,
            create_location::Outcome::TooMany => panic!("too many locations"),
        }
    }

    pub(crate) fn product(&self, sku: &str, track_stock: bool) {
        let command = PutProduct {
            sku: sku.parse().unwrap(),
            details: product(track_stock),
            if_match: Default::default(),
        };
        self.run(move |ctx| put_product(ctx, &command));
    }

    /// A counted product with so many units.
    pub(crate) fn stocked(&self, sku: &str, units: i64) {
        self.product(sku, true);
        let Ok(quantity) = Quantity::new(units) else {
            return;
        };
        let command = ReceiveStock {
            location: self.here,
            sku: sku.parse().unwrap(),
            quantity,
            note: None,
        };
        self.run(move |ctx| receive_stock(ctx, &command));
    }

    pub(crate) fn sold_out(&self, sku: &str) {
        let command = MarkSoldOut {
            sku: sku.parse().unwrap(),
            location: self.here,
        };
        self.run(move |ctx| mark_sold_out(ctx, &command));
    }

    pub(crate) fn reserve(&self, order: OrderId, lines: &[(&str, i64)]) -> reserve_stock::Outcome {
        let command = ReserveStock {
            order,
            location: self.here,
            lines: lines_of(lines),
            expires_at: "2026-01-01T00:25:00Z".parse::<Timestamp>().unwrap(),
        };
        self.run(move |ctx| reserve_stock(ctx, &command))
    }

    pub(crate) fn sell(&self, order: OrderId) -> sell_stock::Outcome {
        self.run(move |ctx| sell_stock(ctx, SellStock { order }))
    }

    pub(crate) fn release(&self, order: OrderId, restock: bool) -> release_stock::Outcome {
        let command = ReleaseStock {
            order,
            location: self.here,
            restock,
        };
        self.run(move |ctx| release_stock(ctx, command))
    }

    pub(crate) fn return_stock(
        &self,
        order: OrderId,
        refund: RefundId,
        lines: &[(&str, i64)],
    ) -> return_stock::Outcome {
        let command = ReturnStock {
            order,
            refund,
            lines: lines_of(lines),
        };
        self.run(move |ctx| return_stock(ctx, &command))
    }

    pub(crate) fn expire(&self, order: OrderId) -> expire_reservation::Outcome {
        // A timer begins a flow of its own.
        self.run_in_flow(8, move |ctx| {
            expire_reservation(ctx, ExpireReservation { order })
        })
        .unwrap()
    }

    /// What was told since the last look.
    pub(crate) fn events(&self) -> String {
        let events = self.store.events_after(self.told.get(), 1_000).unwrap();
        let mut text = String::new();
        for event in &events {
            self.told.set(event.sequence);
            let (key, data) = (self.plain(&event.key), self.plain(&event.data));
            writeln!(
                text,
                "{} {key} v{} {data}",
                event.event_type, event.keyversion
            )
            .unwrap();
        }
        text
    }

    pub(crate) fn last_event(&self) -> Arc<FeedEvent> {
        self.store
            .events_after(self.store.head() - 1, 1)
            .unwrap()
            .remove(0)
    }

    /// Stock, ledger and reservations.
    pub(crate) fn rows(&self) -> String {
        let mut text = self.stock_rows();
        text += &self.table(
            "SELECT sku, number, kind, change, on_hand, COALESCE(reason, '-'), COALESCE(actor, '-')
             FROM movement ORDER BY sku, number",
            |row| {
                Ok(format!(
                    "movement {} #{} {} {:+} -> {} {} by {}",
                    row.get::<String>(0)?,
                    row.get::<i64>(1)?,
                    row.get::<String>(2)?,
                    row.get::<i64>(3)?,
                    row.get::<i64>(4)?,
                    row.get::<String>(5)?,
                    row.get::<String>(6)?
                ))
            },
        );
        text += &self.table(
            "SELECT order_id, state, lines, keyversion FROM reservation ORDER BY order_id",
            |row| {
                Ok(format!(
                    "reservation of {} {} v{} {}",
                    row.get::<OrderId>(0)?,
                    row.get::<String>(1)?,
                    row.get::<i64>(3)?,
                    row.get::<String>(2)?
                ))
            },
        );
        text
    }

    pub(crate) fn stock_rows(&self) -> String {
        self.table(
            "SELECT sku, on_hand, reserved, moved FROM stock ORDER BY sku",
            |row| {
                Ok(format!(
                    "stock {} on_hand {} reserved {} moved {}",
                    row.get::<String>(0)?,
                    row.get::<i64>(1)?,
                    row.get::<i64>(2)?,
                    row.get::<i64>(3)?
                ))
            },
        )
    }

    pub(crate) fn timers(&self) -> String {
        let never = Timestamp::from_micros(i64::MAX);
        let timers = self.store.due_timers(never, 1_000).unwrap();
        let mut text = String::new();
        for timer in timers {
            writeln!(
                text,
                "{} {} at {}",
                timer.kind,
                self.plain(&timer.key),
                timer.due
            )
            .unwrap();
        }
        text
    }

    fn table(&self, sql: &'static str, line: impl Fn(&Row<'_>) -> Result<String, Fault>) -> String {
        let lines = self
            .store
            .read_now(|tx| tx.query_all(sql, &[], line))
            .unwrap();
        let mut text = String::new();
        for line in lines {
            writeln!(text, "{}", self.plain(&line)).unwrap();
        }
        text
    }

    /// Ids by what they are in this shop.
    fn plain(&self, text: &str) -> String {
        let mut text = text.replace(&self.here.to_string(), "here");
        for n in 1..=9 {
            text = text.replace(&order(n).to_string(), &format!("order-{n}"));
            text = text.replace(&refund(n).to_string(), &format!("refund-{n}"));
        }
        for prefix in ["loc_", "rsv_"] {
            while let Some(at) = text.find(prefix) {
                text.replace_range(at..at + prefix.len() + 26, &prefix[..3]);
            }
        }
        text
    }
}

fn lines_of(lines: &[(&str, i64)]) -> Vec<Line> {
    let line = |(sku, quantity): &(&str, i64)| Line {
        sku: sku.parse().unwrap(),
        quantity: *quantity,
    };
    lines.iter().map(line).collect()
}

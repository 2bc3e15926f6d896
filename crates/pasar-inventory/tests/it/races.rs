//! Many at once for the same few units, on the real store with its threads.

use std::sync::Arc;

use pasar_contracts::event::Service;
use pasar_inventory::{
    MIGRATIONS,
    commands::{
        ensure_default_location::{EnsureDefaultLocation, ensure_default_location},
        expire_reservation::{ExpireReservation, expire_reservation},
        put_product::{PutProduct, put_product},
        receive_stock::{ReceiveStock, receive_stock},
        reserve_stock::{Outcome, ReserveStock, reserve_stock},
        sell_stock::{SellStock, sell_stock},
    },
    config::DefaultLocation,
    location::LocationDetails,
    product::ProductDetails,
    queries,
    stock::Line,
};
use pasar_store::{
    cause::{Actor, Cause},
    clock::SystemClock,
    context::Context,
    fault::Fault,
    ids::SystemIds,
    lane::{Answer, Class, LaneKey},
    store::{Store, StoreOptions},
};
use pasar_testkit::fresh::Folder;
use pasar_types::{
    id::{FlowId, LocationId, OrderId},
    quantity::Quantity,
    sku::Sku,
    time::Timestamp,
};

use crate::system::assert_consistent;

const FAR: Timestamp = Timestamp::from_micros(i64::MAX);

fn open(folder: &Folder) -> Store {
    let options = StoreOptions::at(
        Service::Inventory,
        folder.place(Service::Inventory),
        MIGRATIONS,
        Arc::new(SystemClock),
        Arc::new(SystemIds::default()),
    );
    Store::open(options).unwrap()
}

fn write<T: Send + 'static>(
    store: &Store,
    command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
) -> Answer<T> {
    let cause = Cause::new(Actor::Operator, FlowId::from_bytes([7; 16]));
    store.write(LaneKey::ZERO, Class::Internal, cause, command)
}

fn location(store: &Store) -> LocationId {
    let DefaultLocation {
        name,
        time_zone,
        currency,
        ..
    } = DefaultLocation::default();
    let details = LocationDetails {
        name,
        time_zone,
        cut_off_minutes: 240,
        currency,
        starts_unpaid: false,
    };
    let command = EnsureDefaultLocation { details };
    write(store, move |ctx| ensure_default_location(ctx, &command))
        .wait()
        .unwrap()
}

fn stocked(store: &Store, here: LocationId, sku: &str, units: i64) {
    let sku: Sku = sku.parse().unwrap();
    let product = serde_json::json!({
        "name": "Tea",
        "price": { "amount_minor": 100, "currency": "IDR" },
    });
    let details = ProductDetails::new(&serde_json::from_value(product).unwrap()).unwrap();
    let put = PutProduct {
        sku: sku.clone(),
        details,
        if_match: Default::default(),
    };
    write(store, move |ctx| put_product(ctx, &put))
        .wait()
        .unwrap();
    let quantity = Quantity::new(units).unwrap();
    let receive = ReceiveStock {
        location: here,
        sku,
        quantity,
        note: None,
    };
    write(store, move |ctx| receive_stock(ctx, &receive))
        .wait()
        .unwrap();
}

fn order(n: usize) -> OrderId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&(n as u64).to_be_bytes());
    OrderId::from_bytes(bytes)
}

fn reserve(store: &Store, here: LocationId, n: usize, skus: &[&str]) -> Answer<Outcome> {
    let line = |sku: &&str| Line {
        sku: sku.parse().unwrap(),
        quantity: 1,
    };
    let command = ReserveStock {
        order: order(n),
        location: here,
        lines: skus.iter().map(line).collect(),
        expires_at: FAR,
    };
    write(store, move |ctx| reserve_stock(ctx, &command))
}

fn level(store: &Store, here: LocationId, sku: &str) -> (i64, i64) {
    let sku = sku.parse().unwrap();
    let level = store
        .read_now(|tx| queries::stock_level(tx, &sku, here))
        .unwrap()
        .unwrap();
    (level.on_hand, level.reserved)
}

/// Runs a client a thread, all started at once; every other one on another store of the same database.
fn race<T: Send>(
    stores: [&Store; 2],
    clients: usize,
    client: impl Fn(&Store, usize) -> T + Sync,
) -> Vec<T> {
    let start = std::sync::Barrier::new(clients);
    std::thread::scope(|scope| {
        let run = |n: usize| {
            let (start, client) = (&start, &client);
            let store = stores[n % 2];
            scope.spawn(move || {
                start.wait();
                client(store, n)
            })
        };
        let threads: Vec<_> = (0..clients).map(run).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn of_200_clients_for_the_last_unit_exactly_one_gets_it_and_199_are_told_why() {
    let folder = Folder::new();
    let (first, second) = (open(&folder), open(&folder));
    let here = location(&first);
    stocked(&first, here, "tea", 1);
    let outcomes = race([&first, &second], 200, |store, n| {
        reserve(store, here, n, &["tea"]).wait().unwrap()
    });
    let won = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Reserved)
        .count();
    let told = outcomes.iter().filter(|outcome| match outcome {
        Outcome::Insufficient(shortages) => {
            shortages.len() == 1 && shortages[0].requested == 1 && shortages[0].available == 0
        }
        Outcome::Reserved | Outcome::AlreadyDecided => false,
    });
    assert_eq!((won, told.count()), (1, 199));
    assert_eq!(level(&first, here, "tea"), (1, 1));
    assert_consistent(&first);
}

#[test]
fn crossed_orders_for_scarce_stock_share_it_out_without_a_deadlock_or_a_loss() {
    let folder = Folder::new();
    let (first, second) = (open(&folder), open(&folder));
    let here = location(&first);
    stocked(&first, here, "a", 10);
    stocked(&first, here, "b", 10);
    let outcomes = race([&first, &second], 60, |store, n| {
        let skus: &[&str] = if n % 2 == 0 { &["a", "b"] } else { &["b", "a"] };
        reserve(store, here, n, skus).wait().unwrap()
    });
    let won = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Reserved)
        .count();
    assert_eq!(won, 10);
    assert_eq!(level(&first, here, "a"), (10, 10));
    assert_eq!(level(&first, here, "b"), (10, 10));
    assert_consistent(&first);
}

#[test]
fn the_same_order_from_many_followers_is_decided_once() {
    let folder = Folder::new();
    let (first, second) = (open(&folder), open(&folder));
    let here = location(&first);
    stocked(&first, here, "tea", 50);
    let outcomes = race([&first, &second], 40, |store, _| {
        reserve(store, here, 1, &["tea"]).wait().unwrap()
    });
    let won = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Reserved)
        .count();
    assert_eq!(won, 1);
    assert_eq!(level(&first, here, "tea"), (50, 1));
    assert_consistent(&first);
}

/// Whoever is first, the unit is sold once: what expired first is taken again by the sale.
#[test]
fn a_sale_and_an_expiry_at_the_same_moment_never_lose_or_double_a_unit() {
    let folder = Folder::new();
    let (first, second) = (open(&folder), open(&folder));
    let here = location(&first);
    let orders = 40_u8;
    stocked(&first, here, "tea", orders.into());
    for n in 0..orders.into() {
        reserve(&first, here, n, &["tea"]).wait().unwrap();
    }
    race([&first, &second], 2 * usize::from(orders), |store, n| {
        let order = order(n / 2);
        if n % 2 == 0 {
            write(store, move |ctx| {
                sell_stock(ctx, SellStock { order }).map(drop)
            })
            .wait()
            .unwrap();
        } else {
            let command = ExpireReservation { order };
            write(store, move |ctx| expire_reservation(ctx, command).map(drop))
                .wait()
                .unwrap();
        }
    });
    assert_eq!(level(&first, here, "tea"), (0, 0));
    assert_consistent(&first);
}

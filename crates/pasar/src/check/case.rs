//! One order as all services see it: its rows, read from each database.

use pasar_store::{fault::Fault, timer::Timer};
use pasar_types::id::{OrderId, PaymentId};

use super::{
    databases::Shop,
    tables::{
        feed,
        inventory::{self, Reservation},
        orders::{self, Order},
        payments::{self, Payment},
        sandbox::{self, Charge},
    },
};

/// The rows about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) id: OrderId,
    pub(super) order: Option<Order>,
    /// Whether the timer stands that the order's deadline asks for.
    pub(super) timer: bool,
    pub(super) reservation: Option<Reservation>,
    pub(super) payment: Option<Payment>,
    pub(super) charge: Option<Charge>,
    /// Whether the provider's books could be read at all.
    pub(super) with_books: bool,
}

pub(super) const fn payment_of(order: OrderId) -> PaymentId {
    PaymentId::from_uuid(order.uuid())
}

impl Case {
    pub(super) fn read(shop: &Shop, id: OrderId) -> Result<Self, Fault> {
        let (order, timer) = shop.orders.read(|tx| {
            let order = orders::order(tx, id)?;
            let timer = match order.as_ref().and_then(|order| timer_of(id, order)) {
                Some(Timer { due, kind, key }) => feed::has_timer(tx, due, &kind, &key)?,
                None => false,
            };
            Ok((order, timer))
        })?;
        let payment = payment_of(id);
        let charge = match &shop.books {
            Some(books) => books.read(|tx| sandbox::charge(tx, payment))?,
            None => None,
        };
        Ok(Self {
            id,
            order,
            timer,
            reservation: shop.inventory.read(|tx| inventory::reservation(tx, id))?,
            payment: shop.payments.read(|tx| payments::payment(tx, payment))?,
            charge,
            with_books: shop.books.is_some(),
        })
    }
}

/// The timer that moves an order as it is.
pub(super) fn timer_of(id: OrderId, order: &Order) -> Option<Timer> {
    let kind = match order.stage.as_str() {
        "placed" | "stock_held" | "money_held" | "secured" => pasar_orders::order::DEADLINE,
        "confirmed" => pasar_orders::order::PAY_BY,
        "ready" => pasar_orders::order::CUT_OFF,
        _ => return None,
    };
    order.deadline.map(|due| Timer {
        due,
        kind: kind.to_owned(),
        key: pasar_orders::commands::timer_key(id, order.location),
    })
}

//! What an order's flow still waits for, by what has happened. Pure; the order process in short.

use pasar_contracts::{
    api::flows::{WaitingEvent, WaitingFrom},
    event::Event,
    events::{inventory as stock, orders as order, payments as payment},
};
use pasar_types::time::Timestamp;

use crate::tables::flows::EventRow;

/// Types of events that a leg answers with.
type Types = &'static [&'static str];

const STOCK_ANSWERS: Types = &[stock::StockReserved::TYPE, stock::StockRefused::TYPE];
const STOCK_DECIDED: Types = &[
    stock::StockReserved::TYPE,
    stock::StockRefused::TYPE,
    stock::StockExpired::TYPE,
    stock::StockReleased::TYPE,
];
const MONEY_ANSWERS: Types = &[
    payment::PaymentAuthorized::TYPE,
    payment::PaymentDue::TYPE,
    payment::PaymentCaptured::TYPE,
    payment::PaymentDeclined::TYPE,
];
const MONEY_DECIDED: Types = &[
    payment::PaymentAuthorized::TYPE,
    payment::PaymentDue::TYPE,
    payment::PaymentCaptured::TYPE,
    payment::PaymentDeclined::TYPE,
    payment::PaymentVoided::TYPE,
];
const CAPTURE_ANSWERS: Types = &[
    payment::PaymentCaptured::TYPE,
    payment::PaymentCaptureFailed::TYPE,
];
const STOCK_UNDONE: Types = &[
    stock::StockReleased::TYPE,
    stock::StockRefused::TYPE,
    stock::StockExpired::TYPE,
    stock::StockReturned::TYPE,
];
const MONEY_UNDONE: Types = &[
    payment::PaymentVoided::TYPE,
    payment::PaymentDeclined::TYPE,
    payment::PaymentRefunded::TYPE,
];
const REFUND_ANSWERS: Types = &[
    payment::PaymentRefunded::TYPE,
    payment::PaymentRefundFailed::TYPE,
];
const SECURED: Types = &[order::OrderSecured::TYPE, order::OrderCancelling::TYPE];
const CONFIRMED: Types = &[order::OrderConfirmed::TYPE, order::OrderCancelling::TYPE];
/// Events that change an order's state; the others record what happened to it.
const STATES: Types = &[
    order::OrderPlaced::TYPE,
    order::OrderSecured::TYPE,
    order::OrderConfirmed::TYPE,
    order::OrderCancelling::TYPE,
    order::OrderCancelled::TYPE,
    order::OrderPreparing::TYPE,
    order::OrderReady::TYPE,
    order::OrderCollected::TYPE,
    order::OrderAbandoned::TYPE,
];

/// What is still to come of the orders among these events.
pub(crate) fn awaited(events: &[EventRow]) -> Vec<WaitingEvent> {
    let mut keys: Vec<&str> = Vec::new();
    for event in events.iter().filter(|event| event.topic == "orders") {
        if !keys.contains(&event.key.as_str()) {
            keys.push(&event.key);
        }
    }
    keys.into_iter()
        .flat_map(|key| Told::new(key, events).awaited())
        .collect()
}

/// What was told of one order.
struct Told<'e> {
    key: &'e str,
    events: Vec<&'e EventRow>,
    waiting: Vec<WaitingEvent>,
}

impl<'e> Told<'e> {
    fn new(key: &'e str, events: &'e [EventRow]) -> Self {
        Self {
            key,
            events: events.iter().filter(|event| event.key == key).collect(),
            waiting: Vec::new(),
        }
    }

    fn awaited(mut self) -> Vec<WaitingEvent> {
        let Some(state) = self.state() else {
            return self.waiting;
        };
        let since = state.time;
        match state.event_type.as_str() {
            order::OrderPlaced::TYPE => self.placed(since),
            order::OrderSecured::TYPE if self.is_cash() || self.any(CAPTURE_ANSWERS) => {
                self.wait(WaitingFrom::Orders, CONFIRMED, since);
            }
            order::OrderSecured::TYPE => self.wait(WaitingFrom::Payments, CAPTURE_ANSWERS, since),
            order::OrderConfirmed::TYPE => {
                self.wait(WaitingFrom::Staff, &[order::OrderPreparing::TYPE], since);
            }
            order::OrderPreparing::TYPE => {
                self.wait(WaitingFrom::Staff, &[order::OrderReady::TYPE], since);
            }
            order::OrderReady::TYPE => {
                self.wait(WaitingFrom::Staff, &[order::OrderCollected::TYPE], since);
            }
            order::OrderCancelling::TYPE => self.cancelling(since),
            _ => {}
        }
        if matches!(
            state.event_type.as_str(),
            order::OrderConfirmed::TYPE | order::OrderPreparing::TYPE | order::OrderReady::TYPE
        ) {
            self.unless_told(WaitingFrom::Inventory, &[stock::StockSold::TYPE], since);
            if self.is_cash() {
                // Cash is taken at the counter.
                self.unless_told(WaitingFrom::Staff, &[payment::PaymentCaptured::TYPE], since);
            }
        }
        self.refunds();
        self.waiting
    }

    fn placed(&mut self, since: Timestamp) {
        if !self.any(STOCK_DECIDED) {
            self.wait(WaitingFrom::Inventory, STOCK_ANSWERS, since);
        }
        let asks = self.last(&[payment::PaymentRequiresAction::TYPE]);
        let is_decided = self.any(MONEY_DECIDED);
        match asks {
            _ if is_decided => {}
            Some(asks) => self.wait(WaitingFrom::Customer, MONEY_ANSWERS, asks.time),
            None => self.wait(WaitingFrom::Payments, MONEY_ANSWERS, since),
        }
        if self.waiting.is_empty() {
            self.wait(WaitingFrom::Orders, SECURED, since);
        }
    }

    fn cancelling(&mut self, since: Timestamp) {
        let is_undone = |types: Types, by: &str| {
            self.events
                .iter()
                .any(|event| event.topic == by && types.contains(&event.event_type.as_str()))
        };
        let stock = is_undone(STOCK_UNDONE, "inventory");
        let money = is_undone(MONEY_UNDONE, "payments");
        if !stock {
            self.wait(WaitingFrom::Inventory, STOCK_UNDONE, since);
        }
        if !money {
            self.wait(WaitingFrom::Payments, MONEY_UNDONE, since);
        }
        if stock && money {
            self.wait(WaitingFrom::Orders, &[order::OrderCancelled::TYPE], since);
        }
    }

    fn refunds(&mut self) {
        let asked = self.count(&[order::OrderRefundRequested::TYPE]);
        if asked <= self.count(REFUND_ANSWERS) {
            return;
        }
        if let Some(last) = self.last(&[order::OrderRefundRequested::TYPE]) {
            self.wait(WaitingFrom::Payments, REFUND_ANSWERS, last.time);
        }
    }

    /// The newest event that says in which state the order is.
    fn state(&self) -> Option<&'e EventRow> {
        self.events
            .iter()
            .filter(|event| STATES.contains(&event.event_type.as_str()))
            .max_by_key(|event| event.keyversion)
            .copied()
    }

    fn is_cash(&self) -> bool {
        self.any(&[payment::PaymentDue::TYPE])
    }

    fn unless_told(&mut self, from: WaitingFrom, one_of: Types, since: Timestamp) {
        if !self.any(one_of) {
            self.wait(from, one_of, since);
        }
    }

    fn wait(&mut self, from: WaitingFrom, one_of: Types, since: Timestamp) {
        self.waiting.push(WaitingEvent {
            key: self.key.to_owned(),
            from,
            one_of: one_of.iter().map(|name| (*name).to_owned()).collect(),
            since,
        });
    }

    fn any(&self, types: Types) -> bool {
        self.count(types) > 0
    }

    fn count(&self, types: Types) -> usize {
        self.events
            .iter()
            .filter(|event| types.contains(&event.event_type.as_str()))
            .count()
    }

    fn last(&self, types: Types) -> Option<&'e EventRow> {
        self.events
            .iter()
            .rev()
            .find(|event| types.contains(&event.event_type.as_str()))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events of one order as `service type`, each a second after the one before.
    fn after(told: &str) -> Vec<String> {
        let mut versions = std::collections::BTreeMap::new();
        let events: Vec<EventRow> = told
            .split_whitespace()
            .enumerate()
            .map(|(at, name)| {
                let topic = match name.split('.').next().unwrap() {
                    "order" => "orders",
                    "stock" => "inventory",
                    _ => "payments",
                };
                let version = versions.entry(topic).or_insert(0);
                *version += 1;
                EventRow {
                    topic: topic.to_owned(),
                    event_type: format!("{name}.v1"),
                    key: "ord_1".to_owned(),
                    keyversion: *version,
                    time: Timestamp::from_micros(i64::try_from(at).unwrap() * 1_000_000),
                }
            })
            .collect();
        awaited(&events)
            .into_iter()
            .map(|waiting| format!("{:?}: {}", waiting.from, waiting.one_of[0]))
            .collect()
    }

    #[test]
    fn a_placed_order_waits_for_both_legs_and_then_for_orders() {
        let stock = "Inventory: stock.reserved.v1";
        let money = "Payments: payment.authorized.v1";
        assert_eq!(after("order.placed"), [stock, money]);
        assert_eq!(
            after("order.placed payment.initiated stock.reserved"),
            [money]
        );
        assert_eq!(after("order.placed payment.authorized"), [stock]);
        assert_eq!(
            after("order.placed stock.reserved payment.authorized order.stock_reserved"),
            ["Orders: order.secured.v1"]
        );
        assert_eq!(
            after("order.placed stock.reserved payment.requires_action order.action_required"),
            ["Customer: payment.authorized.v1"]
        );
    }

    #[test]
    fn a_secured_order_waits_for_the_capture_and_cash_for_nothing_of_payments() {
        let card = "order.placed stock.reserved payment.authorized order.secured";
        assert_eq!(after(card), ["Payments: payment.captured.v1"]);
        assert_eq!(
            after(&format!("{card} payment.captured")),
            ["Orders: order.confirmed.v1"]
        );
        assert_eq!(
            after("order.placed stock.reserved payment.due order.secured"),
            ["Orders: order.confirmed.v1"]
        );
    }

    #[test]
    fn a_confirmed_order_waits_for_staff_until_it_is_collected() {
        let confirmed = "order.placed stock.reserved payment.authorized order.secured \
                         payment.captured order.confirmed stock.sold order.stock_sold";
        assert_eq!(after(confirmed), ["Staff: order.preparing.v1"]);
        let ready = format!("{confirmed} order.preparing order.ready");
        assert_eq!(after(&ready), ["Staff: order.collected.v1"]);
        assert_eq!(after(&format!("{ready} order.collected")), [""; 0]);
    }

    #[test]
    fn unpaid_cash_is_still_to_come() {
        assert_eq!(
            after("order.placed stock.reserved payment.due order.secured order.confirmed"),
            [
                "Staff: order.preparing.v1",
                "Inventory: stock.sold.v1",
                "Staff: payment.captured.v1"
            ]
        );
    }

    #[test]
    fn a_cancelling_order_waits_for_both_legs_to_undo() {
        let cancelling = "order.placed stock.reserved payment.authorized order.cancelling";
        let money = "Payments: payment.voided.v1";
        assert_eq!(after(cancelling), ["Inventory: stock.released.v1", money]);
        assert_eq!(after(&format!("{cancelling} stock.released")), [money]);
        let undone = format!("{cancelling} stock.released payment.voided");
        assert_eq!(after(&undone), ["Orders: order.cancelled.v1"]);
        assert_eq!(after(&format!("{undone} order.cancelled")), [""; 0]);
        assert_eq!(
            after("order.placed stock.refused order.cancelling"),
            [money]
        );
    }

    #[test]
    fn a_refund_waits_for_payments() {
        let asked = "order.placed stock.reserved payment.authorized order.secured payment.captured \
                     order.confirmed stock.sold order.preparing order.ready order.collected \
                     order.refund_requested";
        assert_eq!(after(asked), ["Payments: payment.refunded.v1"]);
        assert_eq!(after(&format!("{asked} payment.refunded")), [""; 0]);
    }

    #[test]
    fn what_is_no_order_waits_for_nothing() {
        assert_eq!(after("stock.received"), [""; 0]);
        assert_eq!(after(""), [""; 0]);
    }
}

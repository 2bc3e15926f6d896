//! Places one ticket as an order and waits until it is settled.

use std::time::Duration;

use pasar_contracts::api::orders::{OrderInput, OrderPaymentInput, OrderState};
use pasar_types::id::OrderId;
use serde::Deserialize;
use tokio::time::Instant;

use super::tickets::Ticket;
use crate::client::{Call, CallError, Client, Waits};

/// One `Prefer: wait`; a settled order answers long before.
const WAIT: Duration = Duration::from_secs(20);

/// What all orders of a replay share.
#[derive(Debug)]
pub(super) struct Placer {
    pub(super) client: Client,
    pub(super) file_hash: String,
    pub(super) method: String,
    pub(super) token: Option<String>,
    pub(super) patience: Duration,
}

/// What became of one ticket.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) ticket: String,
    pub(super) fate: Fate,
    /// From sending to settled, waits included.
    pub(super) took: Duration,
    pub(super) waits: Waits,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Confirmed,
    /// With its reason.
    Cancelled(String),
    /// Placed, but not settled in time; with its state.
    Unsettled(String),
    /// Not placed: the problem's name, and what it says.
    Refused(String, String),
    /// Whether it was placed is not known.
    Failed(String),
}

/// The part of an order that says how far it is.
#[derive(Debug, Deserialize)]
struct Order {
    id: OrderId,
    state: OrderState,
    #[serde(default)]
    cancellation: Option<Cancelled>,
}

#[derive(Debug, Deserialize)]
struct Cancelled {
    reason: String,
}

impl Placer {
    pub(super) async fn place(&self, ticket: &Ticket) -> Placed {
        let start = Instant::now();
        let mut waits = Waits::default();
        let fate = match self.settle(ticket, start, &mut waits).await {
            Ok(fate) => fate,
            Err(CallError::Refused(problem)) => Fate::Refused(problem.slug(), problem.in_words()),
            Err(CallError::Failed(error)) => Fate::Failed(format!("{error:#}")),
        };
        Placed {
            ticket: ticket.name.clone(),
            fate,
            took: start.elapsed(),
            waits,
        }
    }

    async fn settle(
        &self,
        ticket: &Ticket,
        start: Instant,
        waits: &mut Waits,
    ) -> Result<Fate, CallError> {
        let request = OrderInput {
            lines: ticket.lines.clone(),
            payment: OrderPaymentInput {
                method: self.method.clone(),
                token: self.token.clone(),
            },
            location: None,
            expected_total: None,
            note: None,
        };
        let key = ticket.idempotency_key(&self.file_hash);
        let call = Call::post("/v1/orders", key, &request).wait(WAIT);
        let mut order: Order = self.client.call(&call, waits).await?;
        loop {
            if let Some(fate) = order.fate() {
                return Ok(fate);
            }
            if start.elapsed() > self.patience {
                return Ok(Fate::Unsettled(order.state.to_string()));
            }
            let again = Call::get(format!("/v1/orders/{}", order.id)).wait(WAIT);
            let asked = Instant::now();
            order = self.client.call(&again, waits).await?;
            // A long poll may answer at once, with the state as it stands.
            if order.fate().is_none() && asked.elapsed() < Duration::from_millis(50) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Order {
    /// `None` while stock or money are still in flight.
    fn fate(&self) -> Option<Fate> {
        if self.state == OrderState::Cancelled {
            let reason = self
                .cancellation
                .as_ref()
                .map(|cancelled| cancelled.reason.clone());
            return Some(Fate::Cancelled(
                reason.unwrap_or_else(|| "no reason given".to_owned()),
            ));
        }
        self.state.is_settled().then_some(Fate::Confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(json: &str) -> Order {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_order_is_settled_once_it_is_confirmed_or_later_or_cancelled() {
        let fate = |state: &str| {
            order(&format!(
                r#"{{"id":"ord_01h455vb4pex5vsknk084sn02q","state":"{state}","number":7}}"#
            ))
            .fate()
        };
        assert_eq!(fate("placed"), None);
        assert_eq!(fate("cancelling"), None);
        assert_eq!(fate("confirmed"), Some(Fate::Confirmed));
        assert_eq!(fate("collected"), Some(Fate::Confirmed));
        let cancelled = r#"{"id":"ord_01h455vb4pex5vsknk084sn02q","state":"cancelled","cancellation":{"reason":"out_of_stock","shortages":[]}}"#;
        assert_eq!(
            order(cancelled).fate(),
            Some(Fate::Cancelled("out_of_stock".to_owned()))
        );
    }
}

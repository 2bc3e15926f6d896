//! The one event of a change.

use pasar_contracts::events::orders::{
    OrderAbandoned, OrderActionRequired, OrderCancelled, OrderCancelling, OrderCollected,
    OrderConfirmed, OrderPaymentAuthorized, OrderPaymentCaptureFailed, OrderPaymentCaptured,
    OrderPaymentDeclined, OrderPaymentVoided, OrderPreparing, OrderReady, OrderRefundFailed,
    OrderRefundRequested, OrderRefunded, OrderSecured, OrderStockExpired, OrderStockRefused,
    OrderStockReleased, OrderStockReserved, OrderStockSold,
};
use pasar_store::{context::Context, fault::Fault};

use crate::{
    fact::Told,
    order::{Cancelling, Order},
};

/// Appends the event that tells of the order's newest version.
pub(crate) fn announce(ctx: &mut Context<'_>, order: &Order, told: Told) -> Result<(), Fault> {
    let key = order.id.to_string();
    let version = order.keyversion;
    let reference = order.reference();
    macro_rules! plain {
        ($event:ident) => {
            ctx.emit(&key, version, &$event { order: reference })
        };
    }
    match told {
        Told::StockReserved => plain!(OrderStockReserved),
        Told::StockRefused => plain!(OrderStockRefused),
        Told::StockExpired => plain!(OrderStockExpired),
        Told::StockReleased => plain!(OrderStockReleased),
        Told::StockSold => plain!(OrderStockSold),
        Told::PaymentAuthorized => plain!(OrderPaymentAuthorized),
        Told::PaymentDeclined => plain!(OrderPaymentDeclined),
        Told::PaymentCaptured => plain!(OrderPaymentCaptured),
        Told::PaymentCaptureFailed => plain!(OrderPaymentCaptureFailed),
        Told::PaymentVoided => plain!(OrderPaymentVoided),
        Told::Refunded => plain!(OrderRefunded),
        Told::RefundFailed => plain!(OrderRefundFailed),
        Told::Secured => plain!(OrderSecured),
        Told::Preparing => plain!(OrderPreparing),
        Told::Ready => plain!(OrderReady),
        Told::Collected => plain!(OrderCollected),
        Told::Abandoned => plain!(OrderAbandoned),
        Told::Confirmed => {
            let event = OrderConfirmed {
                order: reference,
                paid: order.is_paid(),
            };
            ctx.emit(&key, version, &event)
        }
        Told::ActionRequired { action, expires_at } => {
            let event = OrderActionRequired {
                order: reference,
                expires_at,
            };
            ctx.emit_private(&key, version, &event, &action)
        }
        Told::RefundRequested {
            refund,
            amount,
            restock,
            reason,
        } => {
            let event = OrderRefundRequested {
                order: reference,
                refund_id: refund,
                amount,
                restock,
                reason,
            };
            ctx.emit(&key, version, &event)
        }
        Told::Cancelling => {
            let Cancelling {
                reason,
                restock,
                by_staff,
                ..
            } = *cancellation(order)?;
            let event = OrderCancelling {
                order: reference,
                reason,
                restock,
                by_staff,
            };
            ctx.emit(&key, version, &event)
        }
        Told::Cancelled => {
            let cancellation = cancellation(order)?;
            let event = OrderCancelled {
                order: reference,
                reason: cancellation.reason,
                shortages: cancellation.shortages.clone(),
            };
            ctx.emit(&key, version, &event)
        }
    }
}

fn cancellation(order: &Order) -> Result<&Cancelling, Fault> {
    order
        .cancellation
        .as_ref()
        .ok_or_else(|| Fault::Corrupt(format!("order {} is cancelled without a reason", order.id)))
}

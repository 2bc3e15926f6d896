//! What a provider tells without being asked: verified, once, in any order, early and late.

use std::sync::Arc;

use pasar_chassis::signature::{self, Secret};
use pasar_contracts::api::payments::{Operation, PaymentState, ProviderAnswer, ProviderNotice};
use pasar_types::id::PaymentId;
use tokio::sync::Semaphore;

use crate::{
    fake_provider::{Trick, declined},
    system::{FAKE, System, TOTAL_MINOR, order, secret},
};

fn notice(reference: PaymentId, answer: ProviderAnswer) -> ProviderNotice {
    ProviderNotice {
        reference,
        refund_id: None,
        answer,
    }
}

#[tokio::test]
async fn a_notice_before_the_response_twice_and_late_counts_once() {
    let (system, order) = (System::start(), order(1));
    let permits = Arc::new(Semaphore::new(0));
    let trick = Trick::HoldAnswer(Arc::clone(&permits));
    system.provider.trick(Operation::Authorize, trick);
    system.place(order, "tok_ok");
    system.caught_up().await;
    let authorized = notice(order.payment, ProviderAnswer::Authorized);
    for id in ["n1", "n1", "n2"] {
        system.notify(id, &authorized).await.expect(204);
    }
    assert_eq!(system.events(order), ["initiated", "authorized"]);
    // Secured by now: the capture waits for the effect in flight.
    system.secure(order);
    system.caught_up().await;
    assert_eq!(system.provider.calls(order.payment), [Operation::Authorize]);
    permits.add_permits(1);
    system.reach(order, PaymentState::Captured).await;
    system.notify("n3", &authorized).await.expect(204);
    assert_eq!(
        system.events(order),
        ["initiated", "authorized", "captured"]
    );
    assert_eq!(system.provider.charge(order.payment).capture_keys.len(), 1);
}

#[tokio::test]
async fn notices_in_the_wrong_order_do_not_take_a_payment_back() {
    let (system, order) = (System::start(), order(1));
    system.captured(order).await;
    for (id, answer) in [
        ("n1", ProviderAnswer::Captured),
        ("n2", ProviderAnswer::Authorized),
        ("n3", declined("card_declined")),
        ("n4", ProviderAnswer::Voided),
    ] {
        let told = notice(order.payment, answer);
        system.notify(id, &told).await.expect(204);
    }
    assert_eq!(system.events(order).len(), 3);
    assert_eq!(system.balances().await["sales"], -TOTAL_MINOR);
}

#[tokio::test]
async fn money_that_is_taken_after_we_gave_up_goes_back() {
    let (system, order) = (System::start(), order(1));
    system.place(order, "tok_declined");
    system.reach(order, PaymentState::Declined).await;
    system.provider.change(order.payment, |charge| {
        charge.capture_keys.insert("late".to_owned());
    });
    let captured = notice(order.payment, ProviderAnswer::Captured);
    system.notify("n1", &captured).await.expect(204);
    system.reach(order, PaymentState::Refunded).await;
    let charge = system.provider.charge(order.payment);
    assert_eq!(charge.refunded_minor(), TOTAL_MINOR);
    assert_eq!(system.events(order), ["initiated", "declined", "refunded"]);
    assert_eq!(system.balances().await["provider:fake"], 0);
}

#[tokio::test]
async fn a_capture_told_while_the_void_is_on_its_way_is_given_back() {
    let (system, order) = (System::start(), order(1));
    system.place(order, "tok_ok");
    system.reach(order, PaymentState::Authorized).await;
    system.provider.change(order.payment, |charge| {
        charge.held = false;
        charge.capture_keys.insert("by hand".to_owned());
    });
    let permits = Arc::new(Semaphore::new(0));
    let trick = Trick::HoldAnswer(Arc::clone(&permits));
    system.provider.trick(Operation::Void, trick);
    system.cancel(order, false);
    system.caught_up().await;
    let captured = notice(order.payment, ProviderAnswer::Captured);
    system.notify("n1", &captured).await.expect(204);
    permits.add_permits(1);
    system.reach(order, PaymentState::Refunded).await;
    let charge = system.provider.charge(order.payment);
    assert_eq!(charge.captured_minor() - charge.refunded_minor(), 0);
}

#[tokio::test]
async fn nobody_without_the_secret_is_the_provider() {
    let (system, order) = (System::start(), order(1));
    system.place(order, "tok_action");
    system.reach(order, PaymentState::RequiresAction).await;
    let body = serde_json::to_vec(&notice(order.payment, ProviderAnswer::Captured)).unwrap();
    let now = system.orders.now();
    let path = format!("/v1/payments/webhooks/{FAKE}");
    let send = |secret: Secret, body: Vec<u8>, signed: &[u8], path: &str| {
        let signature = signature::sign(&secret, "n1", now, signed);
        system
            .client
            .post(path)
            .header(signature::ID, "n1")
            .header(signature::TIMESTAMP, &signature::seconds(now).to_string())
            .header(signature::SIGNATURE, &signature)
            .body(body)
            .send()
    };
    let forger = Secret::from_bytes(&[9; 32]).unwrap();
    let forged = send(forger, body.clone(), &body, &path).await;
    assert_eq!(forged.expect(401).problem(), "unauthenticated");
    let mut changed = body.clone();
    changed.push(b' ');
    send(secret(), changed, &body, &path).await.expect(401);
    system
        .client
        .post(&path)
        .body(body.clone())
        .send()
        .await
        .expect(401);
    let unknown = "/v1/payments/webhooks/nobody";
    send(secret(), body.clone(), &body, unknown)
        .await
        .expect(404);
    let cash = "/v1/payments/webhooks/cash";
    send(secret(), body.clone(), &body, cash).await.expect(404);
    send(secret(), b"{}".to_vec(), b"{}", &path)
        .await
        .expect(400);
    assert_eq!(system.events(order), ["initiated", "requires_action"]);
    let longest = vec![b'x'; 64 * 1024 + 1];
    send(secret(), longest.clone(), &longest, &path)
        .await
        .expect(413);
}

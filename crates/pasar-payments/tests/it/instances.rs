//! Two instances on one database, one of which is stopped in the middle of asking the provider.

use std::sync::Arc;

use pasar_contracts::api::payments::{Operation, PaymentDetail, PaymentState};
use pasar_testkit::probe::soon;
use tokio::sync::Semaphore;

use crate::{
    fake_provider::Trick,
    system::{Order, System, TOTAL_MINOR, order},
};

/// The first was stopped while it authorised; the second took over and asks the same. Permits let each have its
/// answer.
async fn both_ask(order: Order) -> ([System; 2], [Arc<Semaphore>; 2]) {
    let [first, second] = System::two().await;
    let answers = [(), ()].map(|()| Arc::new(Semaphore::new(0)));
    for answer in &answers {
        let trick = Trick::HoldAnswer(Arc::clone(answer));
        first.provider.trick(Operation::Authorize, trick);
    }
    first.place(order, "tok_ok");
    let asked = async |times| {
        while first.provider.calls(order.payment).len() < times {
            tokio::task::yield_now().await;
        }
    };
    soon("the first asks", asked(1)).await;
    second.passing(soon("the second asks", asked(2))).await;
    ([first, second], answers)
}

#[tokio::test]
async fn what_a_stopped_instance_learned_stands_and_the_other_one_goes_on() {
    let order = order(1);
    let ([_first, second], [stale, fresh]) = both_ask(order).await;
    stale.add_permits(1);
    // The clock stands still meanwhile: the second must not run out of patience and look the payment up.
    let authorised = async {
        let shown = format!("/v1/payments/{}", order.payment);
        while second
            .get(&shown)
            .await
            .json::<PaymentDetail>()
            .payment
            .state
            != PaymentState::Authorized
        {
            tokio::task::yield_now().await;
        }
    };
    soon("authorised", authorised).await;
    let in_flight = second.store.effects_after(0, 10).unwrap();
    assert_eq!(in_flight.len(), 1, "the effect ends by whoever is on duty");
    fresh.add_permits(1);
    second.reach(order, PaymentState::Authorized).await;
    second.secure(order);
    second.reach(order, PaymentState::Captured).await;
    let charge = second.provider.charge(order.payment);
    assert_eq!(charge.captured_minor(), TOTAL_MINOR);
    assert_eq!(charge.authorize_keys.len(), 1);
    assert_eq!(
        second.events(order),
        ["initiated", "authorized", "captured"]
    );
}

#[tokio::test]
async fn an_answer_that_comes_to_a_stopped_instance_last_changes_nothing() {
    let order = order(2);
    let ([first, second], [stale, fresh]) = both_ask(order).await;
    fresh.add_permits(1);
    second.reach(order, PaymentState::Authorized).await;
    second.secure(order);
    second.reach(order, PaymentState::Captured).await;
    let head = stored_head(&second);
    stale.add_permits(1);
    // Its work ends once it has heard that it is relieved.
    first.test.drain().await;
    assert_eq!(stored_head(&second), head);
    assert_eq!(
        second.events(order),
        ["initiated", "authorized", "captured"]
    );
}

fn stored_head(system: &System) -> i64 {
    let head = system
        .store
        .read_now(|tx| tx.query_one("SELECT head FROM feed_head", &[], |row| row.get(0)));
    head.unwrap()
}

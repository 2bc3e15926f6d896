use std::{sync::Arc, time::Duration};

use pasar_contracts::{
    event::Service,
    events::orders::{OrderCancelling, OrderConfirmed},
};
use pasar_feed::follow::{Follow, Reply};
use pasar_store::{fault::Fault, feed::FeedEvent, follower::Position};

use crate::counter::{Counter, ann, feeds, tea, with};

/// A feed that does not answer.
struct Unreachable;

impl Follow for Unreachable {
    fn head(&self) -> Reply<'_, Result<Position, Fault>> {
        Box::pin(std::future::pending())
    }

    fn after(&self, _: i64, _: usize) -> Reply<'_, Result<Vec<Arc<FeedEvent>>, Fault>> {
        Box::pin(std::future::pending())
    }

    fn grown(&self, _: i64) -> Reply<'_, ()> {
        Box::pin(std::future::pending())
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn what_happened_in_time_counts_although_the_service_was_down_at_the_deadline() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let counter = counter.restart(None).await;
    counter.host.drain().await;
    counter.reserve(id);
    counter.pay(id);
    let mut counter = counter.restart_after(HOUR, None).await;
    counter.next::<OrderConfirmed>(id).await;
    assert_eq!(counter.state(id).await, "confirmed captured");
}

#[tokio::test]
async fn a_deadline_that_passed_while_the_service_was_down_is_kept_after_the_boot() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let mut counter = counter.restart_after(HOUR, None).await;
    counter.next::<OrderCancelling>(id).await;
}

#[tokio::test]
async fn deadlines_wait_for_a_feed_that_cannot_be_reached_but_not_for_ever() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let all = feeds(&counter.inventory, &counter.payments);
    let without_payments = with(all, Service::Payments, Unreachable);
    let mut counter = counter.restart_after(HOUR, Some(without_payments)).await;
    counter.a_while().await;
    counter.host.advance(Duration::from_secs(29));
    counter.a_while().await;
    assert_eq!(counter.state(id).await, "placed pending");
    counter.host.advance(Duration::from_secs(1));
    counter.next::<OrderCancelling>(id).await;
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    counter.reserve(id);
    let counter = counter.restart(None).await;
    counter.pay(id);
    let mut counter = counter.restart(None).await;
    counter.next::<OrderConfirmed>(id).await;
    let second = counter.post_order(ann(), &tea()).await.expect(201);
    assert_eq!(second.value()["number"], 2);
}

#[tokio::test]
async fn a_service_does_not_start_without_what_it_follows_or_with_a_nonsensical_limit() {
    let host = pasar_testkit::host::TestHost::new();
    let store = pasar_orders::open(&host.host).unwrap();
    let config = pasar_orders::config::Config::default();
    let none = std::collections::BTreeMap::new();
    let started = pasar_orders::start(&host.host, store.clone(), &none, config.clone()).await;
    assert_eq!(
        started.err().unwrap().to_string(),
        "orders follows inventory, which does not run in this process; say where it does: \
         [services.inventory] urls = [\"http://..\"]"
    );
    let config = pasar_orders::config::Config {
        deadline_s: 0,
        ..config
    };
    let started = pasar_orders::start(&host.host, store, &none, config).await;
    assert_eq!(
        started.err().unwrap().to_string(),
        "orders.deadline_s: expected 1 to 86400"
    );
}

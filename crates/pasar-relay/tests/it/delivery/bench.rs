//! The delivery on a database of its own, which can be restarted and crashed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use pasar_chassis::duty::Duty;
use pasar_contracts::{
    api::relay::{Attempt, DeadLetter, ReplayInput, Subscription, SubscriptionState},
    event::Service,
};
use pasar_relay::{
    MIGRATIONS,
    commands::{
        append_messages::{AppendMessages, Appended, Flows, NewMessage, append_messages},
        change_subscription::{self, ChangeSubscription, change_subscription},
        create_subscription::{self, CreateSubscription, create_subscription},
        pause_subscription::pause_subscription,
        replay_deliveries::{self, ReplayDeliveries},
        resume_subscription::resume_subscription,
    },
    config::Config,
    delivery::Deliveries,
    destination::Network,
    destinations::guard::Guard,
    log::Log,
    message::Message,
    queries, retention, sharing,
    vault::{Kinds, Vault},
};
use pasar_store::{
    cause::{Actor, Cause},
    context::Context,
    fault::Fault,
    lane::{Class, LaneKey},
    store::Store,
};
use pasar_testkit::{host::TestHost, probe::soon};
use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::double::KINDS;

pub(crate) struct Bench {
    pub(crate) host: TestHost,
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) deliveries: Deliveries,
    pub(crate) duty: Duty,
    /// By share.
    pub(crate) shares: Vec<Duty>,
    vault: Vault,
}

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::begin(TestHost::new(), config, KINDS)
    }

    /// With other destinations than doubles.
    pub(crate) fn of(kinds: Kinds) -> Self {
        Self::begin(TestHost::new(), Config::default(), kinds)
    }

    /// Two instances; the first is on duty.
    pub(crate) async fn two() -> [Self; 2] {
        let [first, second] = TestHost::several();
        let first = Self::begin(first, Config::default(), KINDS);
        first.until("on duty", |bench| bench.duty.is_on()).await;
        [first, Self::begin(second, Config::default(), KINDS)]
    }

    /// An instance on a database that is cut into shares, which it makes or joins.
    pub(crate) async fn sharing(host: TestHost) -> Self {
        let store = host.host.open_store(Service::Relay, MIGRATIONS).unwrap();
        sharing::cut(&host.host, &store).await.unwrap();
        let all = Duty::start(&host.host, &store);
        let shares = sharing::duties(&host.host, &store, &all).await.unwrap();
        Self::of_duties(host, Config::default(), KINDS, store, (all, shares))
    }

    fn begin(host: TestHost, config: Config, kinds: Kinds) -> Self {
        let store = host.host.open_store(Service::Relay, MIGRATIONS).unwrap();
        let duty = Duty::start(&host.host, &store);
        let shares = vec![duty.clone()];
        Self::of_duties(host, config, kinds, store, (duty, shares))
    }

    fn of_duties(
        host: TestHost,
        config: Config,
        kinds: Kinds,
        store: Store,
        (duty, shares): (Duty, Vec<Duty>),
    ) -> Self {
        let vault = Vault {
            keyring: host.host.keyring.clone(),
            kinds,
        };
        let log = Log::open(store.clone()).unwrap();
        log.hear_others(&host.host.tasks);
        let network = Network {
            guard: Guard::open(),
            connect_timeout: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(1),
            tasks: host.host.tasks.clone(),
        };
        let deliveries =
            Deliveries::start(&host.host, &shares, log, &config, vault.clone(), network);
        retention::spawn(
            &host.host,
            &duty,
            store.clone(),
            deliveries.clone(),
            &config,
        );
        Self {
            host,
            config,
            store,
            deliveries,
            duty,
            shares,
            vault,
        }
    }

    /// Ends as a service should, and begins again.
    pub(crate) async fn restart(self) -> Self {
        self.host.drain().await;
        self.reopen()
    }

    /// Ends in the middle of whatever it does, and begins again.
    pub(crate) async fn crash(self) -> Self {
        self.host.host.tasks.drain(Duration::ZERO).await;
        self.reopen()
    }

    fn reopen(self) -> Self {
        let Self {
            mut host,
            config,
            store,
            deliveries,
            duty,
            shares,
            vault,
        } = self;
        drop((deliveries, duty, shares));
        store.close();
        drop(store);
        host.restart();
        Self::begin(host, config, vault.kinds)
    }

    pub(crate) async fn write<T, F>(&self, command: F) -> T
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let answer = self
            .store
            .write(LaneKey::ZERO, Class::Internal, self.cause(), command);
        answer.await.unwrap()
    }

    fn cause(&self) -> Cause {
        let flow = self.host.host.ids.uuid_v7(self.now());
        Cause::new(Actor::Operator, FlowId::from_uuid(flow))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.host.host.clock.now()
    }

    /// A subscription of topic `client` to a double; `with` adds what is not as usual.
    pub(crate) async fn subscribe(&self, kind: &str, to: &str, with: Value) -> SubscriptionId {
        let id = self.subscribe_many(kind, to, with, 1).await[0];
        self.deliveries.changed(id);
        id
    }

    /// Many of the same, which are loaded by a restart.
    pub(crate) async fn subscribe_many(
        &self,
        kind: &str,
        to: &str,
        with: Value,
        count: usize,
    ) -> Vec<SubscriptionId> {
        let mut input = json!({"topics": ["client"], "destination": {"kind": kind, "to": to}});
        merge(&mut input, with);
        let command = CreateSubscription {
            input: serde_json::from_value(input).unwrap(),
            owner: "operator".to_owned(),
            declared: None,
        };
        let vault = self.vault.clone();
        self.write(move |ctx| {
            (0..count)
                .map(|_| match create_subscription(ctx, &vault, &command)? {
                    create_subscription::Outcome::Created(stored) => Ok(stored.id),
                    other => panic!("{other:?}"),
                })
                .collect()
        })
        .await
    }

    pub(crate) async fn change(&self, id: SubscriptionId, with: Value) {
        let mut input = serde_json::to_value(self.subscription(id).input).unwrap();
        merge(&mut input, with);
        let command = ChangeSubscription {
            id,
            version: None,
            input: serde_json::from_value(input).unwrap(),
        };
        let vault = self.vault.clone();
        let outcome = self
            .write(move |ctx| change_subscription(ctx, &vault, &command))
            .await;
        assert!(matches!(outcome, change_subscription::Outcome::Changed(_)));
        self.deliveries.changed(id);
    }

    /// Appends messages; each key makes one. Answers their positions.
    pub(crate) async fn publish(&self, keys: &[&str]) -> Vec<i64> {
        self.publish_to("client", keys).await
    }

    pub(crate) async fn publish_to(&self, topic: &str, keys: &[&str]) -> Vec<i64> {
        self.append(keys.iter().map(|key| new_message(topic, key)).collect())
            .await
    }

    /// A message with this text.
    pub(crate) async fn publish_text(&self, text: &str) -> i64 {
        let mut new = new_message("client", "");
        let message = Arc::make_mut(&mut new.message);
        message.data = serde_json::to_vec(text).unwrap().into();
        self.append(vec![new]).await[0]
    }

    async fn append(&self, messages: Vec<NewMessage>) -> Vec<i64> {
        let mut command = AppendMessages {
            messages,
            flows: Flows::OfTheRequest,
        };
        let appended = self
            .write(move |ctx| append_messages(ctx, &mut command))
            .await;
        appended
            .into_iter()
            .map(|appended| match appended {
                Appended::New(message) => message.position,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    pub(crate) async fn pause(&self, id: SubscriptionId) {
        self.write(move |ctx| pause_subscription(ctx, id)).await;
        self.deliveries.changed(id);
    }

    pub(crate) async fn resume(&self, id: SubscriptionId) {
        self.write(move |ctx| resume_subscription(ctx, id)).await;
        self.deliveries.changed(id);
    }

    pub(crate) async fn replay(
        &self,
        id: SubscriptionId,
        what: ReplayInput,
    ) -> replay_deliveries::Outcome {
        let command = ReplayDeliveries { id, what };
        self.deliveries.replay(self.cause(), command).await.unwrap()
    }

    pub(crate) fn subscription(&self, id: SubscriptionId) -> Subscription {
        let known = self.store.read_now(|tx| queries::subscription(tx, id));
        known.unwrap().unwrap().subscription
    }

    /// The newest first.
    pub(crate) fn attempts(&self, id: SubscriptionId) -> Vec<Attempt> {
        let attempts = self
            .store
            .read_now(|tx| queries::attempts(tx, id, None, 1_000));
        attempts
            .unwrap()
            .into_iter()
            .map(|(_, attempt)| attempt)
            .collect()
    }

    pub(crate) fn dead_letters(&self, id: SubscriptionId) -> Vec<DeadLetter> {
        let first = (SubscriptionId::from_bytes([0; 16]), 0);
        let dead = self
            .store
            .read_now(|tx| queries::dead_letters_after(tx, Some(id), None, first, 1_000));
        dead.unwrap()
    }

    pub(crate) fn events(&self) -> Vec<String> {
        let events = self.store.events_after(0, 10_000).unwrap();
        events
            .iter()
            .map(|event| event.event_type.clone())
            .collect()
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let held = soon(what, async {
            while !holds(self) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        held.await;
    }

    /// Waits until a subscription has nothing left to do up to the end of the log.
    pub(crate) async fn quiet(&self, id: SubscriptionId) {
        self.until("quiet", |bench| {
            let known = bench.subscription(id);
            known.behind == 0 && known.retrying == 0
        })
        .await;
    }

    pub(crate) async fn until_state(&self, id: SubscriptionId, state: SubscriptionState) {
        self.until("the state", |bench| bench.subscription(id).state == state)
            .await;
    }

    pub(crate) async fn until_retrying(&self, id: SubscriptionId, retrying: i64) {
        self.until("what waits", |bench| {
            bench.subscription(id).retrying == retrying
        })
        .await;
    }

    /// Moves the clock a step at a time until something holds.
    pub(crate) async fn advance_until(
        &self,
        step: Duration,
        what: &str,
        mut holds: impl FnMut(&Self) -> bool,
    ) {
        let held = soon(what, async {
            while !holds(self) {
                self.host.advance(step);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        held.await;
    }
}

fn merge(input: &mut Value, with: Value) {
    let Value::Object(with) = with else {
        panic!("fields are an object");
    };
    input.as_object_mut().unwrap().extend(with);
}

fn new_message(topic: &str, key: &str) -> NewMessage {
    let time = Timestamp::from_micros(0);
    NewMessage {
        has_id: false,
        flow: None,
        message: Arc::new(Message {
            position: 0,
            topic: topic.into(),
            id: "".into(),
            message_type: "message".into(),
            source: "/pasar/client".into(),
            subject: None,
            key: (!key.is_empty()).then(|| key.into()),
            time,
            accepted_at: time,
            flow: FlowId::from_bytes([0; 16]),
            causation: None,
            traceparent: None,
            actor: "".into(),
            origin: None,
            content_type: None,
            data: Bytes::from_static(b"\"halo\""),
            extensions: None,
        }),
    }
}

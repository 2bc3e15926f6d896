//! A destination in the test's hand: it answers as it is told and remembers what came.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use parking_lot::Mutex;
use pasar_relay::destination::{
    Destination, Failure, InvalidSettings, Kind, Network, Next, Parcel, Sent,
};
use pasar_relay::vault::Kinds;
use pasar_testkit::probe::soon;
use serde_json::{Map, Value};
use tokio::sync::watch;
use utoipa::PartialSchema as _;

/// `double`: an outage costs attempts. `broker`: it does not.
pub(crate) const KINDS: Kinds = Kinds(&[
    &DoubleKind {
        name: "double",
        outage_is_free: false,
    },
    &DoubleKind {
        name: "broker",
        outage_is_free: true,
    },
]);

static DOUBLES: LazyLock<Mutex<HashMap<String, Arc<Double>>>> = LazyLock::new(Mutex::default);

struct DoubleKind {
    name: &'static str,
    outage_is_free: bool,
}

type Answering = dyn FnMut(&Came) -> Answer + Send;

/// The other end, found by the name in the settings.
pub(crate) struct Double {
    answering: Mutex<Box<Answering>>,
    /// Answers that come before what `answering` says, one each.
    next: Mutex<VecDeque<Answer>>,
    came: Mutex<Vec<Came>>,
    count: watch::Sender<usize>,
    /// While it is closed, whatever came waits for its answer.
    open: watch::Sender<bool>,
    /// Once it is set, what was late is taken.
    late: watch::Sender<bool>,
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Came {
    pub(crate) position: i64,
    pub(crate) id: String,
    pub(crate) key: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) body: Bytes,
    pub(crate) taken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken,
    No(Next),
    Unreachable,
    /// Taken, once [`Double::take_late`] is called.
    Late,
    /// Nothing, ever.
    Stuck,
}

impl Double {
    /// One that takes everything.
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Self::answering(name, |_| Answer::Taken)
    }

    pub(crate) fn answering(
        name: &str,
        answering: impl FnMut(&Came) -> Answer + Send + 'static,
    ) -> Arc<Self> {
        let double = Arc::new(Self {
            answering: Mutex::new(Box::new(answering)),
            next: Mutex::default(),
            came: Mutex::default(),
            count: watch::Sender::new(0),
            open: watch::Sender::new(true),
            late: watch::Sender::new(false),
        });
        let before = DOUBLES.lock().insert(name.to_owned(), Arc::clone(&double));
        assert!(before.is_none(), "{name} is taken");
        double
    }

    pub(crate) fn answer_next(&self, answer: Answer) {
        self.next.lock().push_back(answer);
    }

    pub(crate) fn always(&self, answer: Answer) {
        *self.answering.lock() = Box::new(move |_| answer.clone());
    }

    pub(crate) fn open(&self, open: bool) {
        self.open.send_replace(open);
    }

    pub(crate) fn take_late(&self) {
        self.late.send_replace(true);
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().clone()
    }

    /// What came, by place in the log.
    pub(crate) fn positions(&self) -> Vec<i64> {
        self.came().iter().map(|came| came.position).collect()
    }

    /// What was taken, by place in the log.
    pub(crate) fn taken(&self) -> Vec<i64> {
        let came = self.came();
        came.iter()
            .filter(|came| came.taken)
            .map(|came| came.position)
            .collect()
    }

    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Came> {
        let mut came = self.count.subscribe();
        let _ = soon(
            &format!("message {count}"),
            came.wait_for(|came| *came >= count),
        )
        .await;
        self.came()
    }

    fn answer(&self, mut came: Came) -> Answer {
        let prepared = self.next.lock().pop_front();
        let answer = prepared.unwrap_or_else(|| (self.answering.lock())(&came));
        came.taken = matches!(answer, Answer::Taken | Answer::Late);
        self.came.lock().push(came);
        self.count.send_modify(|count| *count += 1);
        answer
    }
}

impl Destination for Double {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        let came = Came {
            position: parcel.message.position,
            id: parcel.message.id.to_string(),
            key: parcel.message.key.as_deref().map(str::to_owned),
            attempt: parcel.attempt,
            body: parcel.body.clone(),
            taken: false,
        };
        async move {
            let answer = self.answer(came);
            let mut open = self.open.subscribe();
            let _ = open.wait_for(|open| *open).await;
            if answer == Answer::Late {
                let mut late = self.late.subscribe();
                let _ = late.wait_for(|late| *late).await;
            }
            match answer {
                Answer::Taken | Answer::Late => Sent::Delivered {
                    status: Some(200),
                    detail: None,
                },
                Answer::No(next) => Sent::Failed(Failure {
                    status: Some(500),
                    detail: "said no".to_owned(),
                    next,
                }),
                Answer::Unreachable => Sent::Unreachable("nobody is there".to_owned()),
                Answer::Stuck => std::future::pending().await,
            }
        }
        .boxed()
    }
}

/// Lets the double of a name be shared by the couriers that come and go.
struct Open(Arc<Double>);

impl Destination for Open {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        self.0.send(parcel)
    }
}

impl Kind for DoubleKind {
    fn name(&self) -> &'static str {
        self.name
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    fn check(&self, _: &Map<String, Value>) -> Result<(), InvalidSettings> {
        Ok(())
    }

    fn open(
        &self,
        settings: &Map<String, Value>,
        _: &Network,
    ) -> Result<Arc<dyn Destination>, InvalidSettings> {
        let name = settings.get("to").and_then(Value::as_str).unwrap();
        let double = DOUBLES.lock().get(name).cloned();
        Ok(Arc::new(Open(double.expect("the double was made"))))
    }

    fn default_concurrency(&self) -> u16 {
        8
    }

    fn outage_is_free(&self) -> bool {
        self.outage_is_free
    }

    fn schema(&self) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        Value::schema()
    }
}

pub(crate) const fn no() -> Answer {
    Answer::No(Next::Retry)
}

pub(crate) const fn not_before(seconds: u64) -> Answer {
    Answer::No(Next::RetryAfter(Duration::from_secs(seconds)))
}

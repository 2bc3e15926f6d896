//! Where one subscription's messages wait between the dispatcher, which hands them out, and the courier, which
//! delivers them. While it is attached it gets what matches; while it is not, its courier reads the log.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use pasar_types::id::SubscriptionId;
use tokio::sync::Notify;

use crate::{message::Message, subscription::Spec};

pub(crate) struct Desk {
    pub(crate) id: SubscriptionId,
    pub(crate) spec: Arc<Spec>,
    state: Mutex<State>,
    pub(crate) wake: Notify,
}

struct State {
    inbox: VecDeque<Arc<Message>>,
    bytes: usize,
    /// The dispatcher hands out to it.
    attached: bool,
    /// Its row says, or may say, that it shares the watermark: the watermark must not pass it.
    counted: bool,
    /// Messages up to here are not handed out to it. While it is not attached: where the log goes on.
    after: i64,
    /// The first message that its courier took and has not resolved.
    lowest: Option<i64>,
    has_courier: bool,
    /// Its courier shall end what is in flight, and end.
    ending: bool,
    /// Somebody else changed its rows in `retry` or `replay`.
    stale: bool,
}

/// What the courier finds on its desk.
pub(crate) enum Next {
    Message(Arc<Message>),
    /// Nothing more until it is woken.
    Nothing,
    /// It is not attached: the log goes on after this position.
    Log(i64),
}

/// How handing out went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    Taken {
        needs_courier: bool,
    },
    /// It had this one before, or is no longer attached.
    Not,
    /// Too much waits: it is detached and reads the log from now on.
    Full {
        needs_courier: bool,
    },
}

/// Messages that wait for one courier.
pub(crate) const INBOX_MESSAGES: usize = 1_024;
/// And their bytes.
const INBOX_BYTES: usize = 4 * 1024 * 1024;

impl Desk {
    /// One whose row says that it is done up to a position.
    pub(crate) fn new(id: SubscriptionId, spec: Spec, position: i64, attached: bool) -> Self {
        Self {
            id,
            spec: Arc::new(spec),
            state: Mutex::new(State {
                inbox: VecDeque::new(),
                bytes: 0,
                attached,
                counted: attached,
                after: position,
                lowest: None,
                has_courier: false,
                ending: false,
                stale: true,
            }),
            wake: Notify::new(),
        }
    }

    pub(crate) fn hand_out(&self, message: &Arc<Message>) -> Handed {
        let mut state = self.state.lock();
        if !state.attached || message.position <= state.after {
            return Handed::Not;
        }
        let needs_courier = !std::mem::replace(&mut state.has_courier, true);
        let bytes = state.bytes + message.size();
        let full =
            state.inbox.len() >= INBOX_MESSAGES || (bytes > INBOX_BYTES && !state.inbox.is_empty());
        if full {
            state.detach(message.position - 1);
        } else {
            state.bytes = bytes;
            state.inbox.push_back(Arc::clone(message));
        }
        drop(state);
        self.wake.notify_one();
        if full {
            Handed::Full { needs_courier }
        } else {
            Handed::Taken { needs_courier }
        }
    }

    /// Takes a message off the inbox; it is unresolved from now on.
    pub(crate) fn take(&self) -> Next {
        let mut state = self.state.lock();
        match state.inbox.pop_front() {
            Some(message) => {
                state.bytes = state.bytes.saturating_sub(message.size());
                state.lowest.get_or_insert(message.position);
                Next::Message(message)
            }
            None if state.attached => Next::Nothing,
            None => Next::Log(state.after),
        }
    }

    /// Leaves what waits to the log, from where its courier reads it again. `dispatched` is how far all that
    /// matches was handed out.
    pub(crate) fn detach(&self, dispatched: i64) {
        let mut state = self.state.lock();
        if state.attached {
            state.detach(dispatched);
        }
    }

    /// From now on all after a position is handed out to it. Call it while nothing is handed out.
    pub(crate) fn attach(&self, after: i64) {
        let mut state = self.state.lock();
        state.attached = true;
        state.after = after;
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.state.lock().attached
    }

    /// What the courier has not resolved, and how far it is where that is all.
    pub(crate) fn publish(&self, lowest: Option<i64>, after: i64) {
        let mut state = self.state.lock();
        state.lowest = lowest;
        if !state.attached {
            state.after = state.after.max(after);
        }
    }

    /// Whether it is attached, and the first that waits in the inbox, at one moment.
    pub(crate) fn look(&self) -> (bool, Option<i64>) {
        let state = self.state.lock();
        let first = state.inbox.front().map(|message| message.position);
        (state.attached, first)
    }

    pub(crate) fn count(&self, counted: bool) {
        self.state.lock().counted = counted;
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.state.lock().counted
    }

    /// The position that the watermark must not pass because of this one, if there is any.
    pub(crate) fn floor(&self) -> Option<i64> {
        let state = self.state.lock();
        if !state.counted {
            return None;
        }
        let waiting = state.inbox.front().map(|message| message.position);
        match state.lowest.into_iter().chain(waiting).min() {
            Some(lowest) => Some(lowest - 1),
            None if state.attached => None,
            None => Some(state.after),
        }
    }

    /// Gives it a courier if it has none; answers whether one has to be started.
    pub(crate) fn needs_courier(&self) -> bool {
        let mut state = self.state.lock();
        !std::mem::replace(&mut state.has_courier, true)
    }

    /// Lets its courier end for good. Answers whether there is one.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.state.lock();
        state.ending = true;
        self.wake.notify_one();
        state.has_courier
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.state.lock().ending
    }

    /// Rows of `retry` or `replay` were changed by somebody else.
    pub(crate) fn set_stale(&self) {
        self.state.lock().stale = true;
        self.wake.notify_one();
    }

    pub(crate) fn take_stale(&self) -> bool {
        std::mem::take(&mut self.state.lock().stale)
    }

    /// The courier goes, if it has nothing to do; it is started again when there is something.
    pub(crate) fn dismiss(&self) -> bool {
        let mut state = self.state.lock();
        let idle = state.inbox.is_empty() && !state.stale && !state.ending && state.attached;
        if idle {
            state.has_courier = false;
        }
        idle
    }
}

impl State {
    fn detach(&mut self, dispatched: i64) {
        self.attached = false;
        self.after = self
            .inbox
            .front()
            .map_or(dispatched, |first| first.position - 1);
        self.inbox = VecDeque::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, input, message};

    fn desk() -> Desk {
        let bench = Bench::new();
        let spec = Spec::read(
            &input(json!({"kind": "probe", "to": "a"})),
            bench.vault.kinds,
        )
        .unwrap();
        Desk::new(SubscriptionId::from_bytes([1; 16]), spec, 0, true)
    }

    fn at(position: i64) -> Arc<Message> {
        let mut message = message("client", None, &json!({}));
        message.position = position;
        Arc::new(message)
    }

    #[test]
    fn a_full_inbox_is_left_to_the_log_and_the_watermark_waits_for_it() {
        let desk = desk();
        assert_eq!(desk.floor(), None);
        for position in 1..=1_024 {
            assert_eq!(
                desk.hand_out(&at(position)),
                Handed::Taken {
                    needs_courier: position == 1
                }
            );
        }
        assert!(matches!(desk.take(), Next::Message(first) if first.position == 1));
        assert_eq!(desk.floor(), Some(0));
        assert!(matches!(desk.hand_out(&at(1_025)), Handed::Taken { .. }));
        assert!(matches!(desk.hand_out(&at(1_026)), Handed::Full { .. }));
        assert_eq!(desk.hand_out(&at(1_027)), Handed::Not);
        assert!(matches!(desk.take(), Next::Log(1)));
        assert_eq!(desk.floor(), Some(0));
        desk.publish(None, 1);
        assert_eq!(desk.floor(), Some(1));
        desk.count(false);
        assert_eq!(desk.floor(), None);
    }

    #[test]
    fn what_it_had_before_it_was_attached_is_not_handed_out_again() {
        let desk = desk();
        desk.detach(5);
        assert!(matches!(desk.take(), Next::Log(5)));
        desk.attach(9);
        assert_eq!(desk.hand_out(&at(9)), Handed::Not);
        assert!(matches!(desk.hand_out(&at(10)), Handed::Taken { .. }));
    }
}

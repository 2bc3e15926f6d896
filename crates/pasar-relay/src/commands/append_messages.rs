//! Appending messages to the log: what clients publish and what services' feeds tell.

use std::{collections::HashMap, sync::Arc};

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{self, FlowId};

use crate::{message::Message, tables::messages};

/// Messages without positions, in the order in which they were given.
#[derive(Clone, Debug)]
pub struct AppendMessages {
    pub messages: Vec<NewMessage>,
    pub flows: Flows,
}

/// A message that is not in the log yet. Its position, actor and time of acceptance are set here, and its flow,
/// cause and trace where it has none.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Shared with nobody yet, so that it is not copied on its way into the log.
    pub message: Arc<Message>,
    /// Whether `message.id` is the sender's; otherwise one is made.
    pub has_id: bool,
    /// The flow that the sender says it belongs to.
    pub flow: Option<FlowId>,
}

/// The flow of messages that name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flows {
    /// That of the request: it brings one message.
    OfTheRequest,
    /// One each: a request that brings many is no flow.
    OneEach,
}

/// What became of each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It stands in the log now.
    New(Arc<Message>),
    /// It stood there already: the same id on the same topic.
    Before(Arc<Message>),
    /// The id stands for another message.
    IdReused,
}

/// May run again after a conflict: what it sets in the messages is then set anew.
pub fn append_messages(
    ctx: &mut Context<'_>,
    command: &mut AppendMessages,
) -> Result<Vec<Appended>, Fault> {
    let flows = command.flows;
    let places = places(ctx, &command.messages)?;
    let new = || {
        let pairs = places.iter().zip(&command.messages);
        pairs.filter(|(place, _)| matches!(place, Place::New))
    };
    let count = i64::try_from(new().count()).unwrap_or(i64::MAX);
    let bytes: usize = new().map(|(_, new)| new.message.data.len()).sum();
    let mut position = 0;
    if count > 0 {
        position = messages::reserve(ctx, count, i64::try_from(bytes).unwrap_or(i64::MAX))?;
    }
    let actor: Box<str> = ctx.cause().actor.to_string().into();
    let mut appended: Vec<Appended> = Vec::with_capacity(places.len());
    for (place, new) in places.into_iter().zip(&mut command.messages) {
        let outcome = match place {
            Place::New => {
                fill(ctx, new, flows, &actor, position);
                position += 1;
                messages::insert(ctx, &new.message)?;
                ctx.announce(Arc::clone(&new.message) as _);
                Appended::New(Arc::clone(&new.message))
            }
            Place::Known(known) => decide(known, &new.message),
            Place::SameAs(index) => match &appended[index] {
                Appended::New(first) | Appended::Before(first) => {
                    decide(Arc::clone(first), &new.message)
                }
                Appended::IdReused => Appended::IdReused,
            },
        };
        appended.push(outcome);
    }
    Ok(appended)
}

/// Gives a message its place and tells who listens to the log.
pub(crate) fn put(ctx: &mut Context<'_>, mut message: Message) -> Result<Arc<Message>, Fault> {
    let bytes = i64::try_from(message.data.len()).unwrap_or(i64::MAX);
    message.position = messages::reserve(ctx, 1, bytes)?;
    messages::insert(ctx, &message)?;
    let message = Arc::new(message);
    ctx.announce(Arc::clone(&message) as _);
    Ok(message)
}

/// The same for many, with one update of the log's end.
pub(crate) fn put_all(
    ctx: &mut Context<'_>,
    messages: impl ExactSizeIterator<Item = Message>,
    bytes: usize,
) -> Result<(), Fault> {
    let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let first = messages::reserve(ctx, count, bytes)?;
    for (mut message, position) in messages.zip(first..) {
        message.position = position;
        messages::insert(ctx, &message)?;
        ctx.announce(Arc::new(message));
    }
    Ok(())
}

/// Where a message belongs.
enum Place {
    /// At the end of the log.
    New,
    /// Its id stands in the log.
    Known(Arc<Message>),
    /// Its id stands earlier in the same command.
    SameAs(usize),
}

/// Decided for all before one is written, so that the positions can be reserved at once.
fn places(ctx: &Context<'_>, new: &[NewMessage]) -> Result<Vec<Place>, Fault> {
    let mut earlier = HashMap::new();
    let mut places = Vec::with_capacity(new.len());
    for (
        index,
        NewMessage {
            message, has_id, ..
        },
    ) in new.iter().enumerate()
    {
        if !has_id {
            places.push(Place::New);
            continue;
        }
        let place = match messages::by_id(ctx, &message.topic, &message.id)? {
            Some(known) => Place::Known(known),
            // A single message has no others to be compared with.
            None if new.len() == 1 => Place::New,
            None => match earlier.get(&(&message.topic, &message.id)) {
                Some(index) => Place::SameAs(*index),
                None => {
                    earlier.insert((&message.topic, &message.id), index);
                    Place::New
                }
            },
        };
        places.push(place);
    }
    Ok(places)
}

fn fill(ctx: &mut Context<'_>, new: &mut NewMessage, flows: Flows, actor: &str, position: i64) {
    let message = Arc::make_mut(&mut new.message);
    message.position = position;
    message.accepted_at = ctx.now();
    message.actor = actor.into();
    if !new.has_id {
        message.id = ctx.new_id::<id::Message>().to_string().into();
    }
    message.flow = match (new.flow, flows) {
        (Some(flow), _) => flow,
        (None, Flows::OfTheRequest) => ctx.cause().flow,
        (None, Flows::OneEach) => ctx.new_id(),
    };
    let cause = ctx.cause();
    if message.causation.is_none() {
        message.causation = cause.causation.as_deref().map(Into::into);
    }
    if message.traceparent.is_none() {
        message.traceparent = cause.traceparent.as_deref().map(Into::into);
    }
}

fn decide(known: Arc<Message>, given: &Message) -> Appended {
    if is_same(&known, given) {
        Appended::Before(known)
    } else {
        Appended::IdReused
    }
}

/// The time is not compared: where the sender says none, it is that of the call.
fn is_same(known: &Message, given: &Message) -> bool {
    known.message_type == given.message_type
        && known.source == given.source
        && known.subject == given.subject
        && known.key == given.key
        && known.content_type == given.content_type
        && known.extensions == given.extensions
        && known.data == given.data
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, message};

    fn new(id: &str, data: i64) -> NewMessage {
        let mut message = message("client", None, &json!(data));
        message.id = id.into();
        NewMessage {
            message: Arc::new(message),
            has_id: !id.is_empty(),
            flow: None,
        }
    }

    /// What became of messages, by position; 0 for an id that stands for another.
    fn append(bench: &Bench, messages: Vec<NewMessage>) -> Vec<(i64, FlowId)> {
        let mut command = AppendMessages {
            messages,
            flows: Flows::OneEach,
        };
        let appended = bench.given(move |ctx| append_messages(ctx, &mut command));
        let place = |appended| match appended {
            Appended::New(message) | Appended::Before(message) => (message.position, message.flow),
            Appended::IdReused => (0, FlowId::from_bytes([0; 16])),
        };
        appended.into_iter().map(place).collect()
    }

    #[test]
    fn positions_have_no_gaps_where_some_messages_stand_already() {
        let bench = Bench::new();
        let batch = || {
            vec![
                new("a", 1),
                new("", 2),
                new("a", 1),
                new("a", 3),
                new("b", 4),
            ]
        };
        let places: Vec<_> = append(&bench, batch()).iter().map(|it| it.0).collect();
        assert_eq!(places, [1, 2, 1, 0, 3]);
        let again: Vec<_> = append(&bench, batch()).iter().map(|it| it.0).collect();
        assert_eq!(again, [1, 4, 1, 0, 3]);
        let ends = bench.store.read_now(messages::ends).unwrap();
        assert_eq!((ends.head, ends.bytes), (4, 4));
    }

    #[test]
    fn messages_of_a_batch_are_flows_of_their_own() {
        let bench = Bench::new();
        let appended = append(&bench, vec![new("", 1), new("", 2)]);
        assert_ne!(appended[0].1, appended[1].1);
        let mut joined = new("", 3);
        joined.flow = Some(appended[0].1);
        assert_eq!(append(&bench, vec![joined])[0].1, appended[0].1);
    }
}

//! Appending messages to the log: what clients publish and what services' feeds tell.

use std::sync::Arc;

use pasar_store::{context::Context, fault::Fault};

use crate::{message::Message, tables::messages};

/// Messages without positions, in the order in which they were given.
#[derive(Clone, Debug)]
pub struct AppendMessages {
    pub messages: Vec<NewMessage>,
}

/// A message that is not in the log yet. Its position, flow, cause, actor and time of acceptance are set here.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub message: Message,
    /// Whether `message.id` is the sender's; otherwise one is made.
    pub has_id: bool,
}

/// What became of each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It stands in the log now.
    New(Arc<Message>),
    /// It stood there already: the same id on the same topic.
    Before(Arc<Message>),
    /// The id stands for another message: type, key or data differ.
    IdReused,
}

pub fn append_messages(
    ctx: &mut Context<'_>,
    command: &AppendMessages,
) -> Result<Vec<Appended>, Fault> {
    command
        .messages
        .iter()
        .map(|new| append(ctx, new))
        .collect()
}

fn append(ctx: &mut Context<'_>, new: &NewMessage) -> Result<Appended, Fault> {
    if new.has_id
        && let Some(known) = messages::by_id(ctx, &new.message.topic, &new.message.id)?
    {
        return Ok(if is_same(&known, &new.message) {
            Appended::Before(known)
        } else {
            Appended::IdReused
        });
    }
    let mut message = new.message.clone();
    if !new.has_id {
        message.id = ctx.new_id::<pasar_types::id::Message>().to_string().into();
    }
    let cause = ctx.cause();
    message.flow = cause.flow;
    message.causation = cause.causation.as_deref().map(Into::into);
    message.traceparent = cause.traceparent.as_deref().map(Into::into);
    message.actor = cause.actor.to_string().into();
    message.accepted_at = ctx.now();
    put(ctx, message).map(Appended::New)
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

fn is_same(known: &Message, given: &Message) -> bool {
    known.message_type == given.message_type
        && known.key == given.key
        && known.content_type == given.content_type
        && known.data == given.data
}

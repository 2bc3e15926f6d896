//! Messages as replies of the gRPC method `Subscribe`, framed.

use bytes::{Bytes, BytesMut};
use pasar_chassis::grpc;
use pasar_contracts::grpc::relay::{self as proto, Reply, SubscribeReply};
use prost::Message as _;

use super::cursor::Gap;
use crate::message::Message;

pub(super) fn message(message: &Message) -> Bytes {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    framed(Reply::Message(proto::Message {
        position: message.position,
        topic: message.topic.to_string(),
        id: message.id.to_string(),
        r#type: message.message_type.to_string(),
        source: message.source.to_string(),
        subject: text(message.subject.as_deref()),
        key: text(message.key.as_deref()),
        time: message.time.to_string(),
        flow: message.flow.to_string(),
        content_type: text(message.content_type.as_deref()),
        data: message.data.clone(),
    }))
}

pub(super) fn gap(Gap { after, upto }: Gap) -> Bytes {
    framed(Reply::Gap(proto::Gap { after, upto }))
}

pub(super) fn position(position: i64) -> Bytes {
    framed(Reply::Position(position))
}

fn framed(reply: Reply) -> Bytes {
    let reply = SubscribeReply { reply: Some(reply) };
    let length = reply.encoded_len();
    let mut frame = BytesMut::with_capacity(grpc::PREFIX_BYTES + length);
    frame.extend_from_slice(&grpc::prefix(length));
    reply
        .encode(&mut frame)
        .expect("a buffer grows as it is written");
    frame.freeze()
}

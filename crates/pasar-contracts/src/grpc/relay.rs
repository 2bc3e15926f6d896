//! `pasar.relay.v1`.

pub use subscribe_reply::Reply;

mod generated {
    include!("generated/pasar.relay.v1.rs");
}

pub use generated::*;

/// The service's full name.
pub const RELAY: &str = "pasar.relay.v1.Relay";

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn a_reply_reads_back_as_it_was_written() {
        let reply = SubscribeReply {
            reply: Some(Reply::Message(Message {
                position: 7,
                topic: "client".to_owned(),
                data: "\"halo\"".into(),
                ..Message::default()
            })),
        };
        let bytes = reply.encode_to_vec();
        // Field 1 of the reply, then field 1 of the message: 7.
        assert_eq!(bytes[..4], [0x0a, 18, 0x08, 7]);
        assert_eq!(SubscribeReply::decode(&bytes[..]), Ok(reply));
    }
}

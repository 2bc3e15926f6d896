//! The messages of `proto/`, by hand: no compiler of them is needed to build. A test holds both together.

use prost::{Message as Prost, Oneof};

/// `pasar.relay.v1.Relay`: the service's full name.
pub const RELAY: &str = "pasar.relay.v1.Relay";
/// The definition, for clients in other languages.
pub const RELAY_PROTO: &str = include_str!("../proto/pasar/relay/v1/relay.proto");

#[derive(Clone, PartialEq, Prost)]
pub struct PublishRequest {
    /// `client` if empty.
    #[prost(string, tag = "1")]
    pub topic: String,
    /// `message` if empty.
    #[prost(string, tag = "2")]
    pub r#type: String,
    #[prost(string, tag = "3")]
    pub key: String,
    /// Made if empty.
    #[prost(string, tag = "4")]
    pub id: String,
    /// JSON text.
    #[prost(bytes = "vec", tag = "5")]
    pub data: Vec<u8>,
}

#[derive(Clone, PartialEq, Prost)]
pub struct PublishReply {
    #[prost(string, tag = "1")]
    pub id: String,
}

#[derive(Clone, PartialEq, Prost)]
pub struct SubscribeRequest {
    #[prost(string, repeated, tag = "1")]
    pub topics: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub types: Vec<String>,
    #[prost(int64, optional, tag = "3")]
    pub position: Option<i64>,
    #[prost(bool, tag = "4")]
    pub earliest: bool,
}

#[derive(Clone, PartialEq, Prost)]
pub struct SubscribeReply {
    #[prost(oneof = "Reply", tags = "1, 2, 3")]
    pub reply: Option<Reply>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are messages, and none is kept"
)]
#[derive(Clone, PartialEq, Oneof)]
pub enum Reply {
    #[prost(message, tag = "1")]
    Message(Message),
    #[prost(message, tag = "2")]
    Gap(Gap),
    /// Everything up to here was sent, or was not asked for.
    #[prost(int64, tag = "3")]
    Position(i64),
}

#[derive(Clone, PartialEq, Prost)]
pub struct Message {
    #[prost(int64, tag = "1")]
    pub position: i64,
    #[prost(string, tag = "2")]
    pub topic: String,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(string, tag = "4")]
    pub r#type: String,
    #[prost(string, tag = "5")]
    pub source: String,
    #[prost(string, tag = "6")]
    pub subject: String,
    #[prost(string, tag = "7")]
    pub key: String,
    #[prost(string, tag = "8")]
    pub time: String,
    #[prost(string, tag = "9")]
    pub flow: String,
    /// Empty for JSON.
    #[prost(string, tag = "10")]
    pub content_type: String,
    #[prost(bytes = "bytes", tag = "11")]
    pub data: prost::bytes::Bytes,
}

#[derive(Clone, PartialEq, Prost)]
pub struct Gap {
    #[prost(int64, tag = "1")]
    pub after: i64,
    #[prost(int64, tag = "2")]
    pub upto: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tag name: type` of each field of a message of the definition, sorted.
    fn defined(message: &str) -> Vec<String> {
        let begin = format!("message {message} {{");
        let (_, rest) = RELAY_PROTO.split_once(&begin).expect("it is defined");
        let (body, _) = rest.split_once("\n}").expect("it ends");
        let mut fields: Vec<_> = body.lines().filter_map(defined_field).collect();
        fields.sort();
        fields
    }

    fn defined_field(line: &str) -> Option<String> {
        let line = line.trim();
        let (field, tag) = line.strip_suffix(';')?.split_once(" = ")?;
        let (kind, name) = field.rsplit_once(' ')?;
        Some(format!("{tag} {name}: {kind}"))
    }

    /// The same of the structs of this file, by their attributes.
    fn written(kind: &str, name: &str) -> Vec<String> {
        let source = include_str!("grpc.rs");
        let begin = format!("pub {kind} {name} {{");
        let (_, rest) = source.split_once(&begin).expect("it is written");
        let (body, _) = rest.split_once("\n}").expect("it ends");
        let lines: Vec<_> = body.lines().map(str::trim).collect();
        let mut fields: Vec<_> = lines.windows(2).filter_map(written_field).collect();
        fields.sort();
        fields
    }

    fn written_field(lines: &[&str]) -> Option<String> {
        let attribute = lines[0].strip_prefix("#[prost(")?.strip_suffix(")]")?;
        let (kind, tag) = attribute.split_once(", tag = ")?;
        let tag = tag.trim_matches('"');
        let name = lines[1]
            .trim_start_matches("pub ")
            .trim_start_matches("r#")
            .split([':', '('])
            .next()?
            .to_lowercase();
        let kind = match kind {
            "string, repeated" => "repeated string".to_owned(),
            "int64, optional" => "optional int64".to_owned(),
            "bytes = \"vec\"" | "bytes = \"bytes\"" => "bytes".to_owned(),
            "message" => format!("{}{}", name[..1].to_uppercase(), &name[1..]),
            plain => plain.to_owned(),
        };
        Some(format!("{tag} {name}: {kind}"))
    }

    #[test]
    fn the_messages_are_those_of_the_definition() {
        for name in [
            "PublishRequest",
            "PublishReply",
            "SubscribeRequest",
            "Message",
            "Gap",
        ] {
            let fields = written("struct", name);
            assert!(!fields.is_empty());
            assert_eq!(fields, defined(name), "{name}");
        }
        assert_eq!(written("enum", "Reply"), defined("SubscribeReply"));
        assert!(RELAY_PROTO.contains("package pasar.relay.v1;"));
    }

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

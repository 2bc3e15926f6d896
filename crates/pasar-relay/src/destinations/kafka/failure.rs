//! What rskafka's errors mean for a message. Some of its types cannot be named outside, so a part is read
//! from their text; the tests over real brokers hold that in place.

use std::error::Error as _;

use rskafka::client::error::{Error, ProtocolError};

use super::proxy::Proxy;
use crate::{
    destination::{Next, Sent},
    destinations::broker::{failed, unreachable, untrusted},
};

/// What a failure is about.
pub(super) struct About<'a> {
    pub(super) topic: &'a str,
    pub(super) username: Option<&'a str>,
    pub(super) proxy: &'a Proxy,
}

impl About<'_> {
    pub(super) fn failure(&self, error: &Error) -> Sent {
        match error {
            Error::ServerError { protocol_error, .. } => self.refused(*protocol_error),
            Error::RetryFailed(after_retries) => match after_retries
                .source()
                .and_then(|source| source.downcast_ref::<Error>())
            {
                Some(last) => self.failure(last),
                None => self.not_connected(&after_retries.to_string()),
            },
            Error::InvalidResponse(why)
                if why.contains("Could not find metadata for partition") =>
            {
                failed(
                    format!(
                        "the topic {} has no such partition; correct partition",
                        self.topic
                    ),
                    Next::Retry,
                )
            }
            other => self.not_connected(&other.to_string()),
        }
    }

    fn refused(&self, error: ProtocolError) -> Sent {
        let who = self.username.unwrap_or("who has no login");
        match error {
            ProtocolError::UnknownTopicOrPartition => self.no_topic(),
            ProtocolError::InvalidTopicException => failed(
                format!("{} is no name for a topic of Kafka", self.topic),
                Next::Never,
            ),
            ProtocolError::TopicAuthorizationFailed | ProtocolError::ClusterAuthorizationFailed => {
                failed(
                    format!(
                        "{who} may not write to the topic {}; grant the permission, or correct username",
                        self.topic
                    ),
                    Next::Retry,
                )
            }
            ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge => failed(
                "the record is larger than Kafka takes (message.max.bytes, or max.message.bytes of the topic)",
                Next::Never,
            ),
            ProtocolError::SaslAuthenticationFailed => self.wrong_credentials(),
            ProtocolError::NotEnoughReplicas
            | ProtocolError::NotEnoughReplicasAfterAppend
            | ProtocolError::LeaderNotAvailable
            | ProtocolError::NotLeaderOrFollower
            | ProtocolError::ReplicaNotAvailable
            | ProtocolError::NetworkException
            | ProtocolError::RequestTimedOut
            | ProtocolError::KafkaStorageError => {
                unreachable(format!("Kafka cannot take records now: {error:?}"))
            }
            other => failed(format!("Kafka refused the record: {other:?}"), Next::Retry),
        }
    }

    pub(super) fn no_topic(&self) -> Sent {
        failed(
            format!(
                "there is no topic {}; create it, or correct topic",
                self.topic
            ),
            Next::Retry,
        )
    }

    fn wrong_credentials(&self) -> Sent {
        failed(
            match self.username {
                Some(name) => format!(
                    "Kafka refused the login of {name}; correct username, password and sasl"
                ),
                None => "Kafka wants a login; give username, password and sasl".to_owned(),
            },
            Next::Retry,
        )
    }

    fn not_connected(&self, text: &str) -> Sent {
        if let Some(refusal) = self.proxy.refusal() {
            return refusal;
        }
        if text.contains("SaslAuthenticationFailed") {
            return self.wrong_credentials();
        }
        if text.to_lowercase().contains("sasl") {
            return failed(
                format!("logging in to Kafka failed ({text}); correct username, password and sasl"),
                Next::Retry,
            );
        }
        if let Some((_, why)) = text.split_once("invalid peer certificate: ") {
            return failed(
                untrusted(why.trim_end_matches([')', '"', ' '])),
                Next::Retry,
            );
        }
        if text.contains("received corrupt message") {
            return failed(
                "TLS failed; check that the port of brokers speaks TLS",
                Next::Retry,
            );
        }
        unreachable(format!("no connection to Kafka: {text}"))
    }
}

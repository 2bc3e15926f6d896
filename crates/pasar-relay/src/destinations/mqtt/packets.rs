//! Packets of both versions of MQTT, as far as a publisher needs them.

use bytes::{Buf as _, Bytes, BytesMut};
use rumqttc::{
    mqttbytes::{self as v4_bytes, Protocol, v4},
    v5::mqttbytes::{self as v5_bytes, v5},
};
use serde::Deserialize;

use super::connection::Login;
use crate::{
    destination::{Next, Parcel, Sent},
    destinations::{
        attributes::attributes,
        broker::{failed, unreachable},
    },
};

/// The version of MQTT. Only 5 carries attributes beside the body, and reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Version {
    #[serde(rename = "3.1.1")]
    V311,
    #[default]
    #[serde(rename = "5")]
    V5,
}

/// Bytes of a text in MQTT.
const MAX_STRING_BYTES: usize = 65_535;
/// Bytes of a packet from the broker: it only answers us.
const MAX_ANSWER_BYTES: u32 = 64 * 1024;
/// Publications without a PUBACK, if the broker allows as many.
const MAX_WINDOW: u16 = 1_024;

/// A message as MQTT carries it.
pub(super) struct Publication {
    pub(super) topic: String,
    retain: bool,
    body: Bytes,
    properties: Option<v5::PublishProperties>,
}

/// What the broker allows.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) window: u16,
    pub(super) max_packet_bytes: u32,
}

/// What a broker says.
pub(super) enum Answer {
    Welcome(Limits),
    /// The packet id, and 0 or a reason (MQTT 5, 3.4.2.1).
    Ack(u16, u8),
    /// It closes the connection, for a reason.
    Goodbye(Sent),
    /// Nothing that matters here.
    Other,
}

impl Publication {
    /// The MQTT binding of CloudEvents: with MQTT 5, attributes are user properties.
    pub(super) fn new(
        version: Version,
        topic: String,
        retain: bool,
        parcel: &Parcel,
    ) -> Result<Self, Sent> {
        let properties = match version {
            Version::V311 => None,
            Version::V5 => Some(properties(parcel)?),
        };
        Ok(Self {
            topic,
            retain,
            body: parcel.body.clone(),
            properties,
        })
    }
}

fn properties(parcel: &Parcel) -> Result<v5::PublishProperties, Sent> {
    let mut user_properties = Vec::with_capacity(16);
    for (name, text) in attributes(&parcel.message) {
        if text.len() > MAX_STRING_BYTES {
            return Err(failed(
                format!("the attribute {name} has more bytes than MQTT allows"),
                Next::Never,
            ));
        }
        // MQTT lets a broker close the connection for a control character.
        let text = match text.contains(char::is_control) {
            true => text.replace(char::is_control, "\u{fffd}"),
            false => text.into_owned(),
        };
        user_properties.push((name.into_owned(), text));
    }
    let is_text = parcel.content_type.contains("json") || parcel.content_type.starts_with("text/");
    Ok(v5::PublishProperties {
        payload_format_indicator: is_text.then_some(1),
        user_properties,
        content_type: Some(parcel.content_type.as_ref().to_owned()),
        ..v5::PublishProperties::default()
    })
}

impl Version {
    pub(super) fn connect(
        self,
        login: &Login,
        keep_alive_s: u16,
        out: &mut BytesMut,
    ) -> Result<(), Sent> {
        let username = login.username.clone().unwrap_or_default();
        let password = login.password.clone().unwrap_or_default();
        let has_login = login.username.is_some();
        match self {
            Self::V311 => v4::Packet::Connect(v4::Connect {
                protocol: Protocol::V4,
                keep_alive: keep_alive_s,
                client_id: login.client_id.clone(),
                clean_session: true,
                last_will: None,
                login: has_login.then_some(v4::Login { username, password }),
            })
            .write(out, usize::MAX)
            .map(drop)
            .map_err(|error| unreachable(error.to_string())),
            Self::V5 => {
                let properties = v5::ConnectProperties {
                    max_packet_size: Some(MAX_ANSWER_BYTES),
                    ..v5::ConnectProperties::new()
                };
                let connect = v5::Connect {
                    keep_alive: keep_alive_s,
                    client_id: login.client_id.clone(),
                    clean_start: true,
                    properties: Some(properties),
                };
                let login = has_login.then_some(v5::Login { username, password });
                v5::Packet::Connect(connect, None, login)
                    .write(out, None)
                    .map(drop)
                    .map_err(|error| unreachable(error.to_string()))
            }
        }
    }

    pub(super) fn publish(
        self,
        publication: Publication,
        id: u16,
        most_bytes: u32,
        out: &mut BytesMut,
    ) -> Result<(), Sent> {
        let before = out.len();
        let written = match self {
            Self::V311 => {
                let mut packet = v4::Publish::from_bytes(
                    publication.topic,
                    v4_bytes::QoS::AtLeastOnce,
                    publication.body,
                );
                packet.retain = publication.retain;
                packet.pkid = id;
                let most = usize::try_from(most_bytes).unwrap_or(usize::MAX);
                v4::Packet::Publish(packet)
                    .write(out, most)
                    .map_err(|error| error.to_string())
            }
            Self::V5 => {
                let mut packet = v5::Publish::new(
                    publication.topic,
                    v5_bytes::QoS::AtLeastOnce,
                    publication.body,
                    publication.properties,
                );
                packet.retain = publication.retain;
                packet.pkid = id;
                v5::Packet::Publish(packet)
                    .write(out, Some(most_bytes))
                    .map_err(|error| error.to_string())
            }
        };
        match written {
            Ok(_) => Ok(()),
            Err(error) => {
                out.truncate(before);
                Err(failed(
                    format!("the packet is larger than the broker takes: {error}"),
                    Next::Never,
                ))
            }
        }
    }

    pub(super) fn ping(out: &mut BytesMut) {
        out.extend_from_slice(&[0xc0, 0]);
    }

    pub(super) fn goodbye(out: &mut BytesMut) {
        out.extend_from_slice(&[0xe0, 0]);
    }

    /// The next whole packet; `None` if there is none yet.
    pub(super) fn next(self, input: &mut BytesMut, login: &Login) -> Result<Option<Answer>, Sent> {
        if input.first().is_some_and(|byte| byte >> 4 == PUBACK) {
            return Ok(puback(input));
        }
        match self {
            Self::V311 => match v4::Packet::read(input, MAX_ANSWER_BYTES as usize) {
                Ok(v4::Packet::ConnAck(ack)) => login
                    .welcomed_by_v4(ack.code)
                    .map(|()| Some(Answer::Welcome(login.limits(None)))),
                Ok(_) => Ok(Some(Answer::Other)),
                Err(v4_bytes::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(not_mqtt(&error.to_string())),
            },
            Self::V5 => match v5::Packet::read(input, Some(MAX_ANSWER_BYTES)) {
                Ok(v5::Packet::ConnAck(ack)) => login
                    .welcomed_by_v5(&ack)
                    .map(|()| Some(Answer::Welcome(login.limits(ack.properties.as_ref())))),
                Ok(v5::Packet::Disconnect(packet)) => {
                    Ok(Some(Answer::Goodbye(login.dismissed(packet.reason_code))))
                }
                Ok(_) => Ok(Some(Answer::Other)),
                Err(v5_bytes::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(not_mqtt(&error.to_string())),
            },
        }
    }
}

const PUBACK: u8 = 4;

/// A PUBACK, the same in both versions but for reasons. Read here as rumqttc refuses reasons that it does not
/// know, and with them their packet id.
fn puback(input: &mut BytesMut) -> Option<Answer> {
    let length = usize::from(*input.get(1)?);
    if input.len() < 2 + length {
        return None;
    }
    let packet = input.split_to(2 + length);
    let mut fields = packet.get(2..)?;
    // A length of 128 and more, or under 2, is no PUBACK of ours: its id matches nothing.
    let id = fields.try_get_u16().unwrap_or_default();
    let reason = fields.try_get_u8().unwrap_or_default();
    Some(Answer::Ack(id, reason))
}

fn not_mqtt(why: &str) -> Sent {
    failed(
        format!(
            "the answer is not what this version of MQTT has ({why}); check the port, and set version to 3.1.1 for an older broker"
        ),
        Next::Retry,
    )
}

impl Login {
    fn limits(&self, properties: Option<&v5::ConnAckProperties>) -> Limits {
        let window = properties.and_then(|it| it.receive_max);
        let most = properties.and_then(|it| it.max_packet_size);
        Limits {
            window: window.unwrap_or(MAX_WINDOW).clamp(1, MAX_WINDOW),
            max_packet_bytes: most.unwrap_or(u32::MAX).min(self.max_packet_bytes),
        }
    }

    fn welcomed_by_v4(&self, code: v4::ConnectReturnCode) -> Result<(), Sent> {
        use v4::ConnectReturnCode as Code;
        match code {
            Code::Success => Ok(()),
            Code::BadUserNamePassword | Code::NotAuthorized => Err(self.wrong_credentials()),
            Code::BadClientId => Err(wrong_client_id()),
            Code::ServiceUnavailable => Err(unreachable("the broker is not available now")),
            Code::RefusedProtocolVersion => Err(failed(
                "the broker does not speak MQTT 3.1.1; set version to 5",
                Next::Retry,
            )),
        }
    }

    fn welcomed_by_v5(&self, ack: &v5::ConnAck) -> Result<(), Sent> {
        use v5::ConnectReturnCode as Code;
        match ack.code {
            Code::Success => {}
            Code::BadUserNamePassword | Code::NotAuthorized | Code::Banned => {
                return Err(self.wrong_credentials());
            }
            Code::ClientIdentifierNotValid | Code::BadClientId => return Err(wrong_client_id()),
            Code::ServerUnavailable
            | Code::ServiceUnavailable
            | Code::ServerBusy
            | Code::QuotaExceeded
            | Code::ConnectionRateExceeded => {
                return Err(unreachable("the broker is not available now"));
            }
            Code::UnsupportedProtocolVersion | Code::RefusedProtocolVersion => {
                return Err(failed(
                    "the broker does not speak MQTT 5; set version to 3.1.1",
                    Next::Retry,
                ));
            }
            code => {
                return Err(failed(
                    format!("the broker refused the connection: {code:?}"),
                    Next::Retry,
                ));
            }
        }
        let max_qos = ack.properties.as_ref().and_then(|it| it.max_qos);
        if max_qos == Some(0) {
            return Err(failed(
                "the broker confirms nothing, as it takes QoS 0 only; allow QoS 1 there",
                Next::Retry,
            ));
        }
        Ok(())
    }

    fn wrong_credentials(&self) -> Sent {
        failed(
            match &self.username {
                Some(name) => {
                    format!("the broker refused the login of {name}; correct username and password")
                }
                None => "the broker wants a login; give username and password".to_owned(),
            },
            Next::Retry,
        )
    }

    /// Why a broker closes the connection (MQTT 5, 3.14.2.1). What passes by itself costs nothing.
    fn dismissed(&self, reason: v5::DisconnectReasonCode) -> Sent {
        use v5::DisconnectReasonCode as Code;
        match reason {
            Code::NormalDisconnection
            | Code::ServerBusy
            | Code::ServerShuttingDown
            | Code::KeepAliveTimeout
            | Code::AdministrativeAction
            | Code::MessageRateTooHigh
            | Code::ConnectionRateExceeded
            | Code::MaximumConnectTime
            | Code::UseAnotherServer => {
                unreachable(format!("the broker closed the connection: {reason:?}"))
            }
            Code::SessionTakenOver => failed(
                "another connection has the same client id; give each subscription its own client_id, or none",
                Next::Retry,
            ),
            Code::NotAuthorized => self.wrong_credentials(),
            other => failed(
                format!("the broker closed the connection: {other:?}"),
                Next::Retry,
            ),
        }
    }

    /// What a PUBACK with this reason means for a message on this topic.
    pub(super) fn acked(&self, reason: u8, topic: &str) -> Sent {
        match reason {
            // Taken; 0x10: nobody subscribes to the topic now, which is no failure.
            0x00 | 0x10 => Sent::Delivered {
                status: None,
                detail: None,
            },
            0x87 => failed(
                format!(
                    "{} may not publish to {topic}; grant the permission, or correct topic",
                    self.username.as_deref().unwrap_or("who has no login")
                ),
                Next::Retry,
            ),
            0x90 => failed(
                format!("the broker does not accept the topic {topic}; correct topic"),
                Next::Retry,
            ),
            0x95 => failed("the message is larger than the broker takes", Next::Never),
            0x97 => failed("a quota at the broker is used up", Next::Retry),
            other => failed(
                format!("the broker refused the message: reason 0x{other:02x}"),
                Next::Retry,
            ),
        }
    }
}

fn wrong_client_id() -> Sent {
    failed(
        "the broker does not accept the client id; correct client_id",
        Next::Retry,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_puback_is_read_whole_with_or_without_a_reason() {
        let mut input = BytesMut::from(&[0x40, 2, 0, 7, 0x40, 3, 1, 0, 0x87, 0x40, 4, 0, 9][..]);
        let mut read = Vec::new();
        while let Some(Answer::Ack(id, reason)) = puback(&mut input) {
            read.push((id, reason));
        }
        assert_eq!(read, [(7, 0), (256, 0x87)]);
        assert_eq!(&input[..], &[0x40, 4, 0, 9]);
        input.extend_from_slice(&[0x95, 0]);
        assert!(matches!(puback(&mut input), Some(Answer::Ack(9, 0x95))));
        assert!(puback(&mut input).is_none());
    }
}

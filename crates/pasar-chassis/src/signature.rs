//! Standard Webhooks 1.0.0 signatures: HMAC-SHA256 over id, time and the raw body. They sign what the relay
//! delivers and our calls to a merchant's URL, and verify what providers tell us.

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use pasar_types::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Sha256;

pub const ID: &str = "webhook-id";
pub const TIMESTAMP: &str = "webhook-timestamp";
pub const SIGNATURE: &str = "webhook-signature";

/// How far a message's time may lie from ours, in either direction.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const MAX_ID_LENGTH: usize = 255;
/// Signatures that are looked at in one header: more than a rotation needs.
const MAX_SIGNATURES: usize = 10;

/// A shared secret. Never printed.
#[derive(Clone)]
pub struct Secret {
    bytes: Vec<u8>,
    /// HMAC with the key taken in, which is half of the work for a short body.
    keyed: Hmac<Sha256>,
}

#[derive(Debug, thiserror::Error)]
#[error("expected {PREFIX} and 24 to 64 bytes in Base64")]
pub struct InvalidSecret;

/// Why a message is not taken for its sender's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("the header {0} is missing or cannot be read")]
    Header(&'static str),
    #[error("the message's time is not within five minutes of ours")]
    Time,
    #[error("no signature matches")]
    Signature,
}

impl Secret {
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSecret> {
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            keyed: Hmac::new_from_slice(bytes).expect("HMAC takes a key of any length"),
        })
    }

    /// The text that a configuration holds. For the configuration alone.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.bytes))
    }

    fn mac(&self, id: &str, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

/// The headers of a message that is sent.
///
/// # Panics
/// If the id is no header value: ours are made of ids and words.
#[must_use]
pub fn headers(secret: &Secret, id: &str, time: Timestamp, body: &[u8]) -> HeaderMap {
    let values = [
        (ID, id.to_owned()),
        (TIMESTAMP, seconds(time).to_string()),
        (SIGNATURE, sign(secret, id, time, body)),
    ];
    values
        .into_iter()
        .map(|(name, value)| {
            let value = HeaderValue::try_from(value).expect("ids and Base64 are visible ASCII");
            (HeaderName::from_static(name), value)
        })
        .collect()
}

/// The value of the signature header.
#[must_use]
pub fn sign(secret: &Secret, id: &str, time: Timestamp, body: &[u8]) -> String {
    let mac = secret.mac(id, &seconds(time).to_string(), body);
    format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Checks a message against its sender's secrets, in constant time; answers its id.
pub fn verify(
    secrets: &[Secret],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<String, Rejected> {
    let text = |name: &'static str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .ok_or(Rejected::Header(name))
    };
    let (id, time, signatures) = (text(ID)?, text(TIMESTAMP)?, text(SIGNATURE)?);
    if !(1..=MAX_ID_LENGTH).contains(&id.len()) {
        return Err(Rejected::Header(ID));
    }
    let sent: i64 = time.parse().map_err(|_| Rejected::Header(TIMESTAMP))?;
    if seconds(now).abs_diff(sent) > TOLERANCE.as_secs() {
        return Err(Rejected::Time);
    }
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .take(MAX_SIGNATURES)
        .filter_map(|signature| signature.strip_prefix(VERSION))
        .filter_map(|signature| STANDARD.decode(signature).ok())
        .collect();
    let matches = secrets.iter().any(|secret| {
        given
            .iter()
            .any(|signature| secret.mac(id, time, body).verify_slice(signature).is_ok())
    });
    if matches {
        Ok(id.to_owned())
    } else {
        Err(Rejected::Signature)
    }
}

/// Whole seconds since the Unix epoch, as the header carries them.
#[must_use]
pub const fn seconds(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        Self::from_bytes(&bytes)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Written as a placeholder, so that a printed configuration shows no secret.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    /// The example of the Standard Webhooks specification and its libraries.
    fn example() -> (Secret, HeaderMap, Timestamp) {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let headers = given(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        );
        (
            secret,
            headers,
            Timestamp::from_micros(1_614_265_330_000_000),
        )
    }

    fn given(id: &str, time: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ID, id.parse().unwrap());
        headers.insert(TIMESTAMP, time.parse().unwrap());
        headers.insert(SIGNATURE, signature.parse().unwrap());
        headers
    }

    #[test]
    fn the_specifications_example_is_met_both_ways() {
        let (secret, headers, time) = example();
        let id = verify(std::slice::from_ref(&secret), &headers, BODY, time).unwrap();
        assert_eq!(id, "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(
            sign(&secret, &id, time, BODY),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_is_sent_is_what_is_verified() {
        let (secret, _, time) = example();
        let sent = headers(&secret, "pay_1:capture", time, BODY);
        let id = verify(&[secret], &sent, BODY, time);
        assert_eq!(id.as_deref(), Ok("pay_1:capture"));
    }

    #[test]
    fn a_changed_body_id_time_or_signature_is_rejected() {
        let (secret, good, time) = example();
        let secrets = [secret];
        let check = |name: &'static str, value: &str, body: &[u8]| {
            let mut headers = good.clone();
            headers.insert(name, value.parse().unwrap());
            verify(&secrets, &headers, body, time)
        };
        let signature = good[SIGNATURE].to_str().unwrap();
        assert_eq!(check(SIGNATURE, signature, b"{}"), Err(Rejected::Signature));
        assert_eq!(check(ID, "msg_other", BODY), Err(Rejected::Signature));
        assert_eq!(
            check(TIMESTAMP, "1614265331", BODY),
            Err(Rejected::Signature)
        );
        assert_eq!(check(SIGNATURE, "v1,AAAA", BODY), Err(Rejected::Signature));
        assert_eq!(
            check(SIGNATURE, &signature[3..], BODY),
            Err(Rejected::Signature)
        );
        assert_eq!(
            check(TIMESTAMP, "now", BODY),
            Err(Rejected::Header(TIMESTAMP))
        );
        assert_eq!(check(ID, "", BODY), Err(Rejected::Header(ID)));
    }

    #[test]
    fn a_message_counts_for_five_minutes_in_either_direction() {
        let (secret, headers, time) = example();
        let secrets = [secret];
        let five = Duration::from_secs(300);
        let check = |now| verify(&secrets, &headers, BODY, now).map(|_| ());
        assert_eq!(check(time + five), Ok(()));
        assert_eq!(check(time - five), Ok(()));
        assert_eq!(
            check(time + five + Duration::from_secs(1)),
            Err(Rejected::Time)
        );
        assert_eq!(
            check(time - five - Duration::from_secs(1)),
            Err(Rejected::Time)
        );
    }

    #[test]
    fn during_a_rotation_either_secret_and_either_signature_serves() {
        let (new, _, time) = example();
        let old = Secret::from_bytes(&[1; 32]).unwrap();
        let both = format!(
            "{} {}",
            sign(&old, "m", time, BODY),
            sign(&new, "m", time, BODY)
        );
        let headers = given("m", "1614265330", &both);
        for secrets in [vec![old.clone()], vec![new.clone()], vec![new, old]] {
            assert!(verify(&secrets, &headers, BODY, time).is_ok());
        }
        let other = Secret::from_bytes(&[2; 32]).unwrap();
        assert_eq!(
            verify(&[other], &headers, BODY, time),
            Err(Rejected::Signature)
        );
    }

    #[test]
    fn secrets_have_a_prefix_and_a_safe_length_and_are_never_printed() {
        for text in [
            "",
            "whsec_",
            "whsec_AAAA",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(text.parse::<Secret>().is_err(), "{text}");
        }
        let (secret, ..) = example();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"(secret)\"");
        assert_eq!(secret.reveal().parse::<Secret>().unwrap(), secret);
    }
}

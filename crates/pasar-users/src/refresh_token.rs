//! Refresh tokens: `pasar_rt_` and base64url of session, generation, secret and tag.
//!
//! A token's successor follows from it and a key of this installation, so that everybody who presents
//! the same token gets the same successor, and only hashes are stored. The tag shows that a token was
//! made here: a guess cannot end somebody's session, and a used token is known without being kept.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use pasar_chassis::keyring::Keyring;
use pasar_contracts::api::users::REFRESH_TOKEN_PREFIX;
use pasar_types::id::SessionId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A token whose tag is right.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) session: SessionId,
    /// How many came before it in its session.
    pub(crate) generation: u32,
    secret: [u8; 32],
}

/// Makes, reads and continues tokens.
#[derive(Clone)]
pub(crate) struct RefreshTokens {
    /// Newest first: it makes, the others only check what they made.
    keys: Vec<[u8; 32]>,
}

/// Session (16), generation (4), secret (32).
const BODY_BYTES: usize = 52;
const TAG_BYTES: usize = 16;

impl RefreshToken {
    /// The first of a session.
    pub(crate) const fn first(session: SessionId, secret: [u8; 32]) -> Self {
        Self {
            session,
            generation: 0,
            secret,
        }
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.body()).into()
    }

    fn body(&self) -> [u8; BODY_BYTES] {
        let mut body = [0; BODY_BYTES];
        body[..16].copy_from_slice(self.session.as_bytes());
        body[16..20].copy_from_slice(&self.generation.to_be_bytes());
        body[20..].copy_from_slice(&self.secret);
        body
    }
}

impl RefreshTokens {
    pub(crate) fn new(keyring: &Keyring) -> Self {
        Self {
            keys: keyring.keys("users/refresh-token").collect(),
        }
    }

    fn newest(&self) -> &[u8; 32] {
        self.keys.first().expect("a keyring has at least one root")
    }

    /// The one token that may follow.
    pub(crate) fn successor(&self, token: &RefreshToken) -> RefreshToken {
        RefreshToken {
            session: token.session,
            generation: token.generation.saturating_add(1),
            secret: mac(self.newest(), b"successor", &token.body()),
        }
    }

    pub(crate) fn write(&self, token: &RefreshToken) -> String {
        let body = token.body();
        let mut bytes = body.to_vec();
        bytes.extend_from_slice(&tag(self.newest(), &body));
        format!(
            "{REFRESH_TOKEN_PREFIX}{}",
            BASE64_URL_SAFE_NO_PAD.encode(bytes)
        )
    }

    /// `None` if it was not made here, or was changed.
    pub(crate) fn read(&self, text: &str) -> Option<RefreshToken> {
        let text = text.strip_prefix(REFRESH_TOKEN_PREFIX)?;
        let mut bytes = [0; BODY_BYTES + TAG_BYTES];
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (body, given) = bytes.split_first_chunk::<BODY_BYTES>()?;
        let made_here = |key| bool::from(tag(key, body).ct_eq(given));
        if length < bytes.len() || !self.keys.iter().any(made_here) {
            return None;
        }
        let (session, rest) = body.split_first_chunk::<16>()?;
        let (generation, secret) = rest.split_first_chunk::<4>()?;
        Some(RefreshToken {
            session: SessionId::from_bytes(*session),
            generation: u32::from_be_bytes(*generation),
            secret: secret.try_into().ok()?,
        })
    }
}

fn tag(key: &[u8; 32], body: &[u8; BODY_BYTES]) -> [u8; TAG_BYTES] {
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&mac(key, b"tag", body)[..TAG_BYTES]);
    tag
}

fn mac(key: &[u8; 32], purpose: &'static [u8], body: &[u8; BODY_BYTES]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(purpose);
    mac.update(body);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens() -> RefreshTokens {
        RefreshTokens {
            keys: vec![[7; 32]],
        }
    }

    fn first() -> RefreshToken {
        RefreshToken::first(SessionId::from_bytes([1; 16]), [2; 32])
    }

    #[test]
    fn a_token_reads_back_and_has_one_successor() {
        let text = tokens().write(&first());
        let read = tokens().read(&text).unwrap();
        assert!(read == first());
        let successor = tokens().successor(&read);
        assert!(successor == tokens().successor(&first()));
        assert_eq!(successor.generation, 1);
        assert_ne!(successor.hash(), read.hash());
        assert!(tokens().successor(&successor) != successor);
    }

    #[test]
    fn without_the_key_there_is_neither_a_token_nor_a_successor() {
        let other = RefreshTokens {
            keys: vec![[8; 32]],
        };
        assert!(other.read(&tokens().write(&first())).is_none());
        assert!(other.successor(&first()) != tokens().successor(&first()));
    }

    #[test]
    fn a_token_made_under_an_older_key_is_read_while_that_key_is_there() {
        let rotated = RefreshTokens {
            keys: vec![[8; 32], [7; 32]],
        };
        assert!(rotated.read(&tokens().write(&first())).is_some());
        assert!(tokens().read(&rotated.write(&first())).is_none());
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let text = tokens().write(&first());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(tokens().read(&changed).is_none(), "{at}");
        }
        for text in [
            "",
            "pasar_rt_",
            &text[..text.len() - 1],
            &format!("{text}A"),
            &format!("{text}="),
        ] {
            assert!(tokens().read(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(session in any::<[u8; 16]>(), generation: u32, secret: [u8; 32]) {
            let token = RefreshToken { session: SessionId::from_bytes(session), generation, secret };
            prop_assert!(tokens().read(&tokens().write(&token)) == Some(token));
        }

        #[test]
        fn no_text_makes_the_reader_fail(text in "(pasar_rt_)?[\\PC]{0,120}") {
            prop_assert!(tokens().read(&text).is_none());
        }
    }
}

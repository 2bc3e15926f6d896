//! The link by which somebody without an account follows one order: a token that only this service can
//! make. It names the order, so nothing about it is stored.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use pasar_chassis::keyring::Keyring;
use pasar_types::id::OrderId;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Makes and reads the tokens of watch links.
pub struct WatchLinks {
    /// The newest makes tokens, all of them read.
    keys: Vec<[u8; 32]>,
    generation: u32,
    /// `{public_url}/v1/watch/`
    prefix: String,
}

const ID_LENGTH: usize = 16;
/// 128 bits of the HMAC are more than can be guessed online.
const TAG_LENGTH: usize = 16;
const TOKEN_BYTES: usize = ID_LENGTH + TAG_LENGTH;

impl WatchLinks {
    #[must_use]
    pub fn new(keyring: &Keyring, generation: u32, public_url: &str) -> Self {
        Self {
            keys: keyring.keys("orders.watch").collect(),
            generation,
            prefix: format!("{public_url}/v1/watch/"),
        }
    }

    #[must_use]
    pub fn url(&self, order: OrderId) -> String {
        let mut url = String::with_capacity(self.prefix.len() + TOKEN_BYTES * 4 / 3 + 1);
        url.push_str(&self.prefix);
        let key = self.keys.first().expect("a keyring has a root");
        let mut token = [0; TOKEN_BYTES];
        token[..ID_LENGTH].copy_from_slice(order.as_bytes());
        token[ID_LENGTH..].copy_from_slice(&self.tag(key, order));
        BASE64_URL_SAFE_NO_PAD.encode_string(token, &mut url);
        url
    }

    /// The order that a token was made for; `None` if it was not made here.
    #[must_use]
    pub fn order(&self, token: &str) -> Option<OrderId> {
        let mut bytes = [0; TOKEN_BYTES];
        let length = BASE64_URL_SAFE_NO_PAD
            .decode_slice(token, &mut bytes)
            .ok()?;
        if length != TOKEN_BYTES {
            return None;
        }
        let (id, tag) = bytes.split_at(ID_LENGTH);
        let order = OrderId::from_bytes(id.try_into().ok()?);
        let genuine = self
            .keys
            .iter()
            .any(|key| bool::from(self.tag(key, order).ct_eq(tag)));
        genuine.then_some(order)
    }

    fn tag(&self, key: &[u8; 32], order: OrderId) -> [u8; TAG_LENGTH] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(order.as_bytes());
        mac.update(&self.generation.to_be_bytes());
        let whole = mac.finalize().into_bytes();
        let mut tag = [0; TAG_LENGTH];
        tag.copy_from_slice(&whole[..TAG_LENGTH]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use pasar_store::ids::SeededIds;

    use super::*;

    fn links(generation: u32) -> WatchLinks {
        let keyring = Keyring::ephemeral(&SeededIds::new(1));
        WatchLinks::new(&keyring, generation, "https://kopi.example")
    }

    fn token(url: &str) -> &str {
        url.strip_prefix("https://kopi.example/v1/watch/").unwrap()
    }

    #[test]
    fn a_link_leads_to_its_order_and_no_other_token_does() {
        let order = OrderId::from_bytes([7; 16]);
        let url = links(1).url(order);
        assert_eq!(links(1).order(token(&url)), Some(order));
        for position in 0..token(&url).len() {
            let mut forged = token(&url).to_owned().into_bytes();
            forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(links(1).order(&forged), None, "{forged}");
        }
        for text in ["", "x", &"A".repeat(43), &"A".repeat(5_000), "é"] {
            assert_eq!(links(1).order(text), None, "{text}");
        }
    }

    #[test]
    fn a_new_generation_ends_the_links_of_the_one_before() {
        let url = links(1).url(OrderId::from_bytes([7; 16]));
        assert_eq!(links(2).order(token(&url)), None);
    }
}

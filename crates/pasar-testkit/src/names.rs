//! Ids as short names: `ord_01h455vb4pex5vsknk084sn02q` becomes `ord#1`, and the same 16 bytes in a row
//! `#1`.

use std::collections::HashMap;

/// Numbers ids in the order in which it sees them.
#[derive(Default)]
pub struct Names(HashMap<u128, usize>);

const SUFFIX_LENGTH: usize = 26;
const HEX_LENGTH: usize = 32;
/// Crockford's base 32, as TypeID uses it.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl Names {
    /// The text with all ids in it shortened.
    pub fn shorten(&mut self, text: &str) -> String {
        let mut short = String::with_capacity(text.len());
        for word in Words(text) {
            match self.name(word) {
                Some(name) => short.push_str(&name),
                None => short.push_str(word),
            }
        }
        short
    }

    fn name(&mut self, word: &str) -> Option<String> {
        let (prefix, uuid) = match word.split_once('_') {
            Some((prefix, suffix)) if prefix.len() == 3 => (prefix, from_suffix(suffix)?),
            None if word.len() == HEX_LENGTH => ("", u128::from_str_radix(word, 16).ok()?),
            _ => return None,
        };
        let next = self.0.len() + 1;
        let number = self.0.entry(uuid).or_insert(next);
        Some(format!("{prefix}#{number}"))
    }
}

fn from_suffix(suffix: &str) -> Option<u128> {
    if suffix.len() != SUFFIX_LENGTH {
        return None;
    }
    suffix.bytes().try_fold(0_u128, |value, letter| {
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        Some((value << 5) | digit as u128)
    })
}

/// Runs of letters, digits and underscores, and what stands between them.
struct Words<'t>(&'t str);

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let first = self.0.chars().next()?;
        let inside = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = self
            .0
            .find(|character| inside(character) != inside(first))
            .unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use pasar_types::id::{OrderId, PaymentId};

    use super::*;

    #[test]
    fn the_same_id_has_the_same_name_wherever_it_stands() {
        let order = OrderId::from_bytes([7; 16]);
        let payment = PaymentId::from_bytes([9; 16]);
        let hex = "07".repeat(16);
        let text = format!("order {order} paid by {payment}: {{\"id\":\"{order}\"}} {hex} é_x");
        assert_eq!(
            Names::default().shorten(&text),
            "order ord#1 paid by pay#2: {\"id\":\"ord#1\"} #1 é_x"
        );
    }
}

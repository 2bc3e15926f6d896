//! The bench's requests, written as bytes: what the generator saves here, the measured system can use.

use std::io::Write as _;

/// Lines an order has.
pub(super) const LINES: u64 = 3;
/// `Prefer: wait` of calls that wait for an order to settle, in seconds.
pub(super) const WAIT_SECONDS: u64 = 20;

/// Who orders what, by the number of the order: the same number is the same request.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    host: String,
    /// One API key a customer.
    keys: Vec<String>,
    skus: Vec<String>,
    /// Sets the idempotency keys of this run apart.
    run: String,
}

impl Requests {
    pub(super) fn new(host: String, keys: Vec<String>, skus: Vec<String>, run: String) -> Self {
        assert!(
            !keys.is_empty() && skus.len() as u64 >= LINES,
            "the bench has customers and products"
        );
        Self {
            host,
            keys,
            skus,
            run,
        }
    }

    /// `POST /v1/orders`, waiting until it is settled or not.
    pub(super) fn place(&self, number: u64, wait: bool, into: &mut Vec<u8>) {
        let mut body = [0_u8; 512];
        let mut rest = &mut body[..];
        let _ = rest.write_all(b"{\"lines\":[");
        for (index, sku) in self.lines(number).into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(rest, "{comma}{{\"sku\":\"{sku}\",\"quantity\":1}}");
        }
        let _ = rest.write_all(b"],\"payment\":{\"method\":\"sandbox\",\"token\":\"tok_ok\"}}");
        let left = rest.len();
        let length = body.len() - left;
        into.clear();
        let _ = write!(
            into,
            "POST /v1/orders HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             idempotency-key: {}-{number}\r\ncontent-length: {length}\r\n",
            self.host,
            self.key(number),
            self.run,
        );
        if wait {
            let _ = write!(into, "prefer: wait={WAIT_SECONDS}\r\n");
        }
        into.extend_from_slice(b"\r\n");
        into.extend_from_slice(&body[..length]);
    }

    /// `GET /v1/orders/{id}`, waiting until it is settled.
    pub(super) fn read(&self, number: u64, order_id: &str, into: &mut Vec<u8>) {
        into.clear();
        let _ = write!(
            into,
            "GET /v1/orders/{order_id} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nprefer: wait={WAIT_SECONDS}\r\n\r\n",
            self.host,
            self.key(number),
        );
    }

    fn key(&self, number: u64) -> &str {
        &self.keys[index(number, self.keys.len())]
    }

    /// Three different products, spread over all of them.
    fn lines(&self, number: u64) -> [&str; 3] {
        let first = index(scramble(number), self.skus.len());
        let step = 1 + index(scramble(number) >> 32, (self.skus.len() - 1) / 2);
        [0, 1, 2].map(|line| self.skus[(first + line * step) % self.skus.len()].as_str())
    }
}

fn index(number: u64, length: usize) -> usize {
    usize::try_from(number % length as u64).expect("a remainder is below a length")
}

/// SplitMix64: spreads consecutive numbers evenly (Steele, Lea, Flood: Fast splittable pseudorandom number
/// generators, 2014).
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn requests(products: usize) -> Requests {
        let skus = (0..products).map(|number| format!("p{number}")).collect();
        Requests::new(
            "h".to_owned(),
            vec!["k0".to_owned(), "k1".to_owned()],
            skus,
            "run".to_owned(),
        )
    }

    #[test]
    fn an_order_is_a_whole_request_with_a_key_of_its_own() {
        let mut bytes = Vec::new();
        requests(100).place(3, true, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /v1/orders HTTP/1.1\r\nhost: h\r\nauthorization: Bearer k1\r\n"),
            "{head}"
        );
        assert!(
            head.contains("idempotency-key: run-3\r\n") && head.ends_with("prefer: wait=20"),
            "{head}"
        );
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
        let order: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(order["lines"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn the_lines_of_an_order_differ_and_all_products_are_ordered() {
        for products in [3, 4, 100] {
            let requests = requests(products);
            let mut ordered = HashSet::new();
            for number in 0..1000 {
                let lines = requests.lines(number);
                assert_eq!(
                    HashSet::from(lines).len(),
                    3,
                    "{products} {number} {lines:?}"
                );
                ordered.extend(lines.map(str::to_owned));
            }
            assert_eq!(ordered.len(), products);
        }
    }
}

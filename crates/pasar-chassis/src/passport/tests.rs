use pasar_store::{cause::Actor, clock::ManualClock, ids::SeededIds};
use pasar_types::id::{ApiKeyId, UserId};

use super::*;

const PATH: &str = "/v1/orders?limit=2";

struct Lab {
    clock: Arc<ManualClock>,
    passports: Passports,
    passport: Passport,
}

fn lab() -> Lab {
    let clock = Arc::new(ManualClock::default());
    let ids = SeededIds::new(1);
    let keyring = Keyring::ephemeral(&ids);
    let mut identity = Identity::user(UserId::from_bytes([1; 16]), [Role::Staff]);
    identity.actor = Actor::ApiKey {
        key: ApiKeyId::from_bytes([2; 16]),
        owner: UserId::from_bytes([1; 16]),
    };
    identity.scopes = vec!["publish:client".to_owned()];
    identity.unlimited = true;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("traceparent"),
        HeaderValue::from_static(traceparent),
    )]);
    let arrival = Arrival::new(&*clock, &ids, &headers);
    assert_eq!(arrival.traceparent.as_deref(), Some(traceparent));
    let passport = Passport {
        identity,
        address: ClientAddress(Some("2001:db8::7".parse().unwrap())),
        arrival,
    };
    Lab {
        passports: Passports::new(&keyring, Arc::<ManualClock>::clone(&clock)),
        clock,
        passport,
    }
}

impl Lab {
    fn headers(&self) -> HeaderMap {
        [self.passports.issue(&Method::GET, PATH, &self.passport)]
            .into_iter()
            .collect()
    }

    fn check(&self, headers: &HeaderMap) -> Result<Passport, Rejected> {
        self.passports.check(&Method::GET, PATH, headers)
    }
}

#[test]
fn what_was_issued_is_accepted_and_says_the_same() {
    let lab = lab();
    assert_eq!(lab.check(&lab.headers()), Ok(lab.passport.clone()));
}

#[test]
fn nobody_is_said_without_what_is_not_known_of_them() {
    let mut lab = lab();
    lab.passport.identity = Identity::anonymous();
    lab.passport.address = ClientAddress(None);
    lab.passport.arrival.traceparent = None;
    assert_eq!(lab.check(&lab.headers()), Ok(lab.passport.clone()));
}

#[test]
fn it_holds_for_one_method_and_path_alone() {
    let lab = lab();
    let headers = lab.headers();
    for (method, path) in [
        (Method::POST, PATH),
        (Method::GET, "/v1/orders?limit=3"),
        (Method::GET, "/internal/v1/orders"),
    ] {
        let checked = lab.passports.check(&method, path, &headers);
        assert_eq!(checked, Err(Rejected::Signature), "{method} {path}");
    }
}

#[test]
fn it_holds_for_a_minute() {
    let lab = lab();
    let headers = lab.headers();
    lab.clock.advance(TOLERANCE);
    assert!(lab.check(&headers).is_ok());
    lab.clock.advance(Duration::from_millis(1));
    assert_eq!(lab.check(&headers), Err(Rejected::Time));
}

#[test]
fn whoever_has_another_keyring_or_alters_a_byte_is_refused() {
    let lab = lab();
    let other = Keyring::ephemeral(&SeededIds::new(2));
    let other = Passports::new(&other, Arc::<ManualClock>::clone(&lab.clock));
    let forged: HeaderMap = [other.issue(&Method::GET, PATH, &lab.passport)]
        .into_iter()
        .collect();
    assert_eq!(lab.check(&forged), Err(Rejected::Signature));

    let good = lab.headers()[NAME].to_str().unwrap().to_owned();
    for at in 0..good.len() {
        let mut altered = good.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_bytes(&altered).unwrap());
        assert!(lab.check(&headers).is_err(), "byte {at} of {good}");
    }
    assert_eq!(lab.check(&HeaderMap::new()), Err(Rejected::Missing));
    let mut twice = lab.headers();
    twice.append(NAME, twice[NAME].clone());
    assert_eq!(lab.check(&twice), Err(Rejected::Malformed));
}

//! Deliveries as a user checks them, with the library of Standard Webhooks.

use pasar_contracts::api::relay::Format;
use pasar_relay::destinations::rest::new_secret;
use pasar_store::clock::{Clock as _, SystemClock};
use pasar_testkit::receiver::Receiver;
use serde_json::json;
use standardwebhooks::Webhook;

use super::{SECRET, open, parcel};

#[tokio::test]
async fn the_library_of_the_standard_accepts_deliveries_and_nothing_changed() {
    let receiver = Receiver::ok().await;
    let made = new_secret([5; 32]);
    let endpoint =
        open(json!({"url": receiver.url("/"), "secret": made, "previous_secret": SECRET}));
    for format in [Format::Cloudevents, Format::Data, Format::Raw] {
        let mut parcel = parcel("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", format);
        parcel.at = SystemClock.now();
        endpoint.send(&parcel).await;
        let received = receiver.received().pop().unwrap();
        for secret in [SECRET, &made] {
            let webhook = Webhook::new(secret).unwrap();
            webhook.verify(&received.body, &received.headers).unwrap();
            assert!(webhook.verify(b"changed", &received.headers).is_err());
        }
        let other = Webhook::new(&new_secret([6; 32])).unwrap();
        assert!(other.verify(&received.body, &received.headers).is_err());
    }
}

/// The vector that the standard's libraries are tested with.
#[test]
fn the_published_vector_is_what_we_sign() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
    let at = pasar_types::time::Timestamp::from_micros(1_614_265_330_000_000);
    let body = br#"{"test": 2432232314}"#;
    let signature =
        pasar_chassis::signature::sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

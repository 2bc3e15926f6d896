//! What a signed REST delivery costs the client alone: no log, no database. The receiver is a server on a
//! thread of its own that reads the body and answers 204.
//!
//! `cargo bench -p pasar-relay --bench rest`. Prints a line per number of deliveries at once; fails nothing.

use std::{convert::Infallible, fs, net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use pasar_contracts::api::relay::Format;
use pasar_feed::tasks::Tasks;
use pasar_relay::{
    destination::{Destination, Kind as _, Network, Parcel, Sent},
    destinations::{
        guard::Guard,
        rest::{Rest, new_secret},
    },
    format::encode,
    message::Message,
};
use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};
use serde_json::json;
use tokio::{net::TcpListener, runtime};

const DELIVERIES: usize = 100_000;
/// The data of a message.
const DATA: &str = r#"{"order_id":"ord_01h455vb4pex5vsknk084sn02q","location_id":"loc_01h455vb4pex5vsknk084sn02q","number":117,"customer_id":"usr_01h455vb4pex5vsknk084sn02q"}"#;

#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
fn main() {
    let address = receiver();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "{DELIVERIES} deliveries\n{:>8} {:>12} {:>18}",
        "at once", "a second", "client CPU us each"
    );
    for at_once in [1, 8, 32, 128] {
        let (a_second, cpu_us) = runtime.block_on(measure(address, at_once));
        println!("{at_once:>8} {a_second:>12.0} {cpu_us:>18.2}");
    }
}

/// Deliveries a second, and microseconds of this thread's CPU for each.
async fn measure(address: SocketAddr, at_once: usize) -> (f64, f64) {
    let endpoint = endpoint(address);
    let parcel = parcel();
    let (begun, cpu) = (Instant::now(), cpu_ns());
    let delivered = stream::iter(0..DELIVERIES)
        .map(|_| endpoint.send(&parcel))
        .buffer_unordered(at_once)
        .filter(|sent| std::future::ready(matches!(sent, Sent::Delivered { .. })))
        .count()
        .await;
    let (elapsed, cpu) = (begun.elapsed(), cpu_ns() - cpu);
    assert_eq!(delivered, DELIVERIES);
    let deliveries = DELIVERIES as f64;
    (
        deliveries / elapsed.as_secs_f64(),
        cpu as f64 / 1_000.0 / deliveries,
    )
}

fn endpoint(address: SocketAddr) -> Arc<dyn Destination> {
    let settings = json!({
        "kind": "rest", "url": format!("http://{address}/hook"), "secret": new_secret([7; 32]),
    });
    let network = Network {
        guard: Guard::open(),
        connect_timeout: std::time::Duration::from_secs(5),
        attempt_timeout: std::time::Duration::from_secs(15),
        tasks: Tasks::new(),
    };
    let settings = settings.as_object().expect("an object");
    Rest.open(settings, &network).expect("good settings")
}

fn parcel() -> Parcel {
    let at = Timestamp::from_micros(1_700_000_000_000_000);
    let message = Message {
        position: 7,
        topic: "client".into(),
        id: "msg_01h455vb4pex5vsknk084sn02q".into(),
        message_type: "order.ready.v1".into(),
        source: "/pasar/client".into(),
        subject: None,
        key: Some("room-1".into()),
        time: at,
        accepted_at: at,
        flow: FlowId::from_bytes([7; 16]),
        causation: None,
        traceparent: None,
        actor: "key:key_01h455vb4pex5vsknk084sn02q".into(),
        origin: None,
        content_type: None,
        data: DATA.into(),
        extensions: None,
    };
    let encoded = encode(&message, Format::Cloudevents);
    Parcel {
        subscription: SubscriptionId::from_bytes([1; 16]),
        message: Arc::new(message),
        body: encoded.body,
        content_type: encoded.content_type,
        attempt: 1,
        at,
    }
}

fn receiver() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("a socket");
                let serving =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(take));
                tokio::spawn(async move { drop(serving.await) });
            }
        });
    });
    address
}

async fn take(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    drop(request.into_body().collect().await);
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// CPU time of this thread in nanoseconds, as Linux counts it.
fn cpu_ns() -> u64 {
    fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0)
}

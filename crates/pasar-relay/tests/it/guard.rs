//! Deliveries reach no address that is not public, in whatever form it is given, unless it is allowed.
//! Listeners count who connects; with an open guard the same forms do connect, so zero means refused.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use parking_lot::Mutex;
use pasar_contracts::api::relay::Format;
use pasar_relay::{
    destination::{Failure, Next, Sent},
    destinations::guard::{ConnectError, Guard, Resolve},
};
use serde_json::json;

use crate::rest::{
    is_delivered, open_with, parcel,
    raw_server::{OK, RawServer, Then, answer},
};

/// Forms that lead to this machine, for a port.
const LOOPBACK: &[&str] = &[
    "http://127.0.0.1:{}/",
    "http://127.0.0.2:{}/",
    "http://127.255.255.254:{}/",
    "http://127.1:{}/",
    "http://127.0.1:{}/",
    "http://2130706433:{}/",
    "http://0x7f000001:{}/",
    "http://0x7f.0.0.1:{}/",
    "http://0x7f.1:{}/",
    "http://017700000001:{}/",
    "http://0177.0.0.01:{}/",
    "http://%31%32%37.0.0.1:{}/",
    "http://127。0。0。1:{}/",
    "http://①②⑦.0.0.1:{}/",
    "http://127.0.0.1.:{}/",
    "http://localhost:{}/",
    "http://LOCALHOST:{}/",
    "http://0:{}/",
    "http://0.0.0.0:{}/",
    "http://0x0:{}/",
    "http://[::ffff:127.0.0.1]:{}/",
    "http://[::ffff:7f00:1]:{}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{}/",
    "http://[::ffff:0.0.0.0]:{}/",
];
const LOOPBACK_V6: &[&str] = &[
    "http://[::1]:{}/",
    "http://[0:0:0:0:0:0:0:1]:{}/",
    "http://[::]:{}/",
];

/// Nobody listens there; that nothing is tried is seen by how soon and how it ends.
const ELSEWHERE: &[&str] = &[
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://100.64.0.1/",
    "http://192.0.0.8/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::1]/",
    "http://[2002:a00:1::1]/",
    "http://[2001:0:7f00:1::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    "https://10.0.0.1/",
];

fn refused() -> Sent {
    Sent::Failed(Failure {
        status: None,
        detail: "connect: the address is not public; the operator can allow its network with \
                 relay.allowed_networks"
            .to_owned(),
        next: Next::Retry,
    })
}

async fn send(url: &str, guard: &Guard) -> Sent {
    let given = json!({"url": url, "timeout_ms": 5_000});
    open_with(given, guard.clone())
        .send(&parcel("msg_1", Format::Data))
        .await
}

fn networks(texts: &[&str]) -> Guard {
    Guard::closed(texts.iter().map(|text| text.parse().unwrap()).collect())
}

#[tokio::test]
async fn no_form_of_a_loopback_address_is_connected_to() {
    let v4 = RawServer::at("0.0.0.0:0", []).await;
    let v6 = RawServer::at("[::1]:0", []).await;
    let closed = networks(&[]);
    let open = Guard::open();
    for (server, forms) in [(&v4, LOOPBACK), (&v6, LOOPBACK_V6)] {
        for form in forms {
            let url = form.replace("{}", &server.address.port().to_string());
            let before = server.connections();
            assert_eq!(send(&url, &closed).await, refused(), "{url}");
            assert_eq!(server.connections(), before, "{url} was connected to");
            assert!(
                is_delivered(&send(&url, &open).await),
                "{url} leads nowhere"
            );
            assert_eq!(server.connections(), before + 1, "{url}");
        }
    }
}

#[tokio::test]
async fn no_other_address_that_is_not_public_is_tried() {
    let closed = networks(&[]);
    for url in ELSEWHERE {
        assert_eq!(send(url, &closed).await, refused(), "{url}");
    }
    // Zones are in no URL; libraries that connect by themselves may ask for such a host.
    for host in ["fe80::1%lo", "[fe80::1%25lo]", "::1%lo", "127.0.0.1%lo"] {
        let resolved = closed.resolve(host, 80).await;
        assert!(resolved.is_err(), "{host}: {resolved:?}");
    }
}

/// The address by which this machine is known in its own network, if it has one.
#[tokio::test]
async fn an_address_of_the_network_that_the_relay_runs_in_is_not_connected_to() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Sends nothing: only finds the way.
    let own = match socket
        .connect("192.0.2.1:9")
        .and_then(|()| socket.local_addr())
    {
        Ok(own) => own.ip(),
        Err(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let server = RawServer::at(&format!("{own}:0"), []).await;
    if networks(&[]).allows(own) {
        return;
    }
    assert_eq!(send(&server.url(), &networks(&[])).await, refused());
    assert_eq!(server.connections(), 0);
    assert!(is_delivered(&send(&server.url(), &Guard::open()).await));
}

#[tokio::test]
async fn networks_can_be_allowed_and_only_they() {
    let server = RawServer::at("0.0.0.0:0", []).await;
    let port = server.address.port();
    let guard = networks(&["127.0.0.0/31", "127.7.0.0/16"]);
    for host in [
        "127.0.0.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "127.7.255.1",
    ] {
        let sent = send(&format!("http://{host}:{port}/"), &guard).await;
        assert!(is_delivered(&sent), "{host}: {sent:?}");
    }
    let before = server.connections();
    for host in ["127.0.0.2", "127.8.0.1", "[::ffff:127.0.0.2]", "0.0.0.0"] {
        assert_eq!(
            send(&format!("http://{host}:{port}/"), &guard).await,
            refused(),
            "{host}"
        );
    }
    assert_eq!(server.connections(), before);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    let private = RawServer::at("127.0.0.1:0", []).await;
    for status in [301, 302, 303, 307, 308] {
        let moved = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            private.url()
        );
        let allowed = RawServer::at("127.0.0.2:0", [answer(moved, Then::KeepOpen)]).await;
        let sent = send(&allowed.url(), &networks(&["127.0.0.2/32"])).await;
        assert!(matches!(sent, Sent::Failed(_)));
        assert_eq!(allowed.requests(), 1);
    }
    assert_eq!(private.connections(), 0);
}

/// Answers what it is told, one after the other, and then the last again and again.
struct NameServer {
    answers: Mutex<VecDeque<Vec<SocketAddr>>>,
    asked: AtomicUsize,
}

impl NameServer {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
        let answers = answers
            .iter()
            .map(|answer| answer.iter().map(address).collect());
        Arc::new(Self {
            answers: Mutex::new(answers.collect()),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Resolve for NameServer {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock();
        let answer = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap_or_default(),
        };
        std::future::ready(Ok(answer)).boxed()
    }
}

#[tokio::test]
async fn a_name_server_that_changes_its_answer_changes_nothing() {
    // 127.0.0.2 stands for a public address.
    let public = RawServer::at("127.0.0.2:0", [answer(OK, Then::Close)]).await;
    let port = public.address.port();
    let private = RawServer::at(&format!("127.0.0.1:{port}"), []).await;
    let names = NameServer::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let guard = networks(&["127.0.0.2/32"]).with_resolver(Arc::clone(&names) as _);
    let given = json!({"url": format!("http://rebinding.example:{port}/")});
    let endpoint = open_with(given, guard);
    let parcel = parcel("msg_1", Format::Data);

    assert!(is_delivered(&endpoint.send(&parcel).await));
    assert_eq!(
        names.asked.load(Ordering::SeqCst),
        1,
        "asked once, connected to that answer"
    );
    public.wait_for_open(0).await;
    assert_eq!(endpoint.send(&parcel).await, refused());
    assert_eq!(names.asked.load(Ordering::SeqCst), 2);
    assert_eq!((public.connections(), private.connections()), (1, 0));
}

#[tokio::test]
async fn of_several_addresses_only_those_that_are_allowed_are_tried() {
    let public = RawServer::at("127.0.0.2:0", []).await;
    let port = public.address.port();
    let private = RawServer::at(&format!("127.0.0.1:{port}"), []).await;
    let names = NameServer::new(&[&["127.0.0.1", "::1", "127.0.0.2", "127.0.0.3"]]);
    let guard = networks(&["127.0.0.2/31"]).with_resolver(names);
    let resolved = guard.resolve("mixed.example", port).await.unwrap();
    let expected: Vec<SocketAddr> = [2, 3]
        .map(|last| SocketAddr::from(([127, 0, 0, last], port)))
        .into();
    assert_eq!(resolved, expected);
    let sent = send(&format!("http://mixed.example:{port}/"), &guard).await;
    assert!(is_delivered(&sent), "{sent:?}");
    assert_eq!((public.connections(), private.connections()), (1, 0));
}

#[tokio::test]
async fn an_address_that_refuses_is_followed_by_the_next() {
    let server = RawServer::at("127.0.0.3:0", []).await;
    let port = server.address.port();
    let names = NameServer::new(&[&["127.0.0.1", "127.0.0.2", "127.0.0.3"]]);
    let guard = Guard::open().with_resolver(names);
    assert!(is_delivered(
        &send(&format!("http://many.example:{port}/"), &guard).await
    ));
}

#[tokio::test]
async fn a_name_without_an_address_is_told_as_such() {
    let guard = networks(&[]).with_resolver(NameServer::new(&[&[]]));
    let error = guard
        .connect("none.example", 80, Duration::from_secs(1))
        .await;
    assert!(
        matches!(error, Err(ConnectError::Unresolved(_))),
        "{error:?}"
    );
    let sent = send("http://none.example/", &guard).await;
    let why = "connect: the host's name cannot be resolved; check its spelling";
    assert_eq!(sent, Sent::Unreachable(why.to_owned()));
}

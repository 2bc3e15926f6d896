//! `pasar health`: whom it asks, and what it says where it cannot.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    thread,
};

use crate::{backup::Shelf, backup::text, system::program};

/// Answers requests as a process does that is ready; each caller is one connection.
fn ready() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /readyz "));
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).unwrap();
        }
    });
    address
}

#[test]
fn the_address_is_that_of_the_configuration() {
    let (gateway, orders, shelf) = (ready(), ready(), Shelf::new());
    let config = shelf.place("pasar.toml");
    let written = format!(
        "gateway.bind = \"{gateway}\"\n[services.orders]\nbind = \"{orders}\"\n[services.users]\nbind = \
         \"127.0.0.1:1\"\n"
    );
    fs::write(&config, written).unwrap();
    let asked = |args: &[&str]| {
        let mut command = program();
        let ended = command
            .arg("health")
            .args(args)
            .args(["--config", text(&config)])
            .output()
            .unwrap();
        let complaint = String::from_utf8(ended.stderr).unwrap();
        (ended.status.success(), complaint)
    };
    for args in [&[][..], &["gateway"], &["orders"]] {
        assert_eq!(asked(args), (true, String::new()), "{args:?}");
    }
    let (is_ready, complaint) = asked(&["users"]);
    assert!(!is_ready);
    assert!(complaint.contains("http://127.0.0.1:1"), "{complaint}");
    // What is said at the command line comes first.
    let orders = orders.to_string();
    assert!(asked(&["users", "--bind", &orders]).0);
}

#[test]
fn an_address_that_is_none_is_refused_with_an_example() {
    let ended = program().args(["health", "--url", "nonsense"]).output();
    let ended = ended.unwrap();
    assert!(!ended.status.success());
    let complaint = String::from_utf8(ended.stderr).unwrap();
    assert!(
        complaint.contains("does not begin with http://") && complaint.contains("--url http://"),
        "{complaint}"
    );
}

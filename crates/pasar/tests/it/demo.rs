//! A demo of several processes: each says what is true of its own folder.

use pasar_testkit::process::Process;

use crate::{
    backup::{Shelf, text},
    system::{APART, program},
};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The program, far from the services of anybody else on this machine.
fn started(name: &str, shelf: &Shelf) -> Process {
    let mut command = program();
    command
        .args(["up", name, "--demo", "--bind", "127.0.0.1:0", "--data"])
        .arg(shelf.place(name))
        .env("PASAR_PUBLIC_URL", NOWHERE);
    for service in APART.into_iter().filter(|service| *service != "gateway") {
        let variable = format!("PASAR_SERVICES__{}__URLS", service.to_uppercase());
        command.env(variable, NOWHERE);
    }
    Process::start(&mut command).unwrap()
}

#[test]
fn a_gateway_without_users_and_relay_promises_neither_keys_nor_an_open_topic() {
    let shelf = Shelf::new();
    let mut gateway = started("gateway", &shelf);
    let address = gateway.wait_for_line("    . ").unwrap();
    assert_eq!(address, text(&shelf.place("gateway").join("demo.env")));
    let keys = gateway.wait_for_line("    ").unwrap();
    assert_eq!(keys, ". USERS_DATA_FOLDER/demo.env");
    let sends = gateway.wait_for_line("    curl -s $PASAR/messages");
    let sends = sends.unwrap();
    assert!(
        sends.contains("Authorization: Bearer $INTEGRATOR"),
        "{sends}"
    );
}

#[test]
fn users_says_where_the_keys_are() {
    let shelf = Shelf::new();
    let mut users = started("users", &shelf);
    users.wait_for_line("  data and keys").unwrap();
    let next = users.wait_for_line("  ").unwrap();
    assert!(
        next.starts_with("a key for each role") && next.ends_with("users/demo.env"),
        "{next}"
    );
}

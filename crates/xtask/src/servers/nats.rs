//! NATS with JetStream. One port speaks both: a client that asks for TLS gets it.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    net::TcpStream,
    process::Command,
};

use super::{
    Kind, install, nothing_else,
    place::{LIMITED_USER, Place, USER},
    process::Program,
};

pub(super) const KIND: Kind = Kind {
    name: "nats",
    needs: &[("nats-server", "nats-server")],
    fetch: nothing_else,
    port: 2,
    tls_port: 2,
    prepare,
    answers,
};

fn prepare(place: &Place) -> anyhow::Result<Vec<Program>> {
    let program = install::find("nats-server").unwrap_or_default();
    // JetStream syncs every two minutes unless told otherwise, and older servers cannot be told.
    let version = Command::new(&program).arg("--version").output()?.stdout;
    let sync = if can_sync_always(&String::from_utf8_lossy(&version)) {
        "sync_interval: always"
    } else {
        ""
    };
    let password = &place.password;
    let common = format!(
        "jetstream {{ store_dir: \"{data}\", max_mem: 64M, max_file: 1G {sync} }}
max_payload: 1M
authorization {{
  users = [
    {{ user: {USER}, password: \"{password}\" }}
    {{ user: {LIMITED_USER}, password: \"{password}\",
      permissions: {{ publish: [\"allowed.>\", \"_INBOX.>\"], subscribe: [\"allowed.>\", \"_INBOX.>\"] }} }}
  ]
}}
",
        data = place.folder(KIND.name).join("data").display(),
    );
    let config = format!(
        "listen: 127.0.0.1:{port}
{common}
allow_non_tls: true
tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}
",
        port = place.port(KIND.port),
        certificate = place.certificate().display(),
        key = place.key().display(),
    );
    let config = place.write(KIND.name, "nats.conf", &config)?;
    Ok(vec![Program {
        program,
        args: vec!["--config".to_owned(), config.display().to_string()],
        env: BTreeMap::new(),
    }])
}

/// `nats-server: v2.9.10`; it came with 2.10.
fn can_sync_always(version: &str) -> bool {
    let mut numbers = version
        .trim()
        .rsplit('v')
        .next()
        .unwrap_or_default()
        .split('.')
        .map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(2), Some(10))
}

fn answers(_: &Place, stream: &mut TcpStream) -> io::Result<bool> {
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"INFO ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_newer_servers_are_told_to_sync_always() {
        assert!(!can_sync_always("nats-server: v2.9.10\n"));
        assert!(can_sync_always("nats-server: v2.10.0\n"));
        assert!(can_sync_always("nats-server: v3.0.1\n"));
        assert!(!can_sync_always("what?"));
    }
}

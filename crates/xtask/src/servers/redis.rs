//! Redis, with what it acknowledged on disk.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use super::{
    Kind, install, nothing_else,
    place::{LIMITED_USER, Place, USER},
    process::Program,
};

pub(super) const KIND: Kind = Kind {
    name: "redis",
    needs: &[("redis-server", "redis-server")],
    fetch: nothing_else,
    port: 0,
    tls_port: 1,
    prepare,
    answers,
};

fn prepare(place: &Place) -> anyhow::Result<Vec<Program>> {
    let password = &place.password;
    let config = format!(
        "bind 127.0.0.1
port {port}
tls-port {tls_port}
tls-cert-file {certificate}
tls-key-file {key}
tls-ca-cert-file {ca}
tls-auth-clients no
dir {data}
appendonly yes
appendfsync always
save \"\"
maxmemory 128mb
maxmemory-policy noeviction
# The smallest there is, so that a message can be too large.
proto-max-bulk-len 1mb
user default off
user {USER} on >{password} ~* &* +@all
user {LIMITED_USER} on >{password} ~allowed* &allowed* +@all -config
",
        port = place.port(KIND.port),
        tls_port = place.port(KIND.tls_port),
        certificate = place.certificate().display(),
        key = place.key().display(),
        ca = place.ca().display(),
        data = place.folder(KIND.name).join("data").display(),
    );
    let config = place.write(KIND.name, "redis.conf", &config)?;
    Ok(vec![Program {
        program: install::find("redis-server").unwrap_or_default(),
        args: vec![config.display().to_string()],
        env: BTreeMap::new(),
    }])
}

fn answers(place: &Place, stream: &mut TcpStream) -> io::Result<bool> {
    write!(stream, "AUTH {USER} {}\r\nPING\r\n", place.password)?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+OK\r\n+PONG\r\n")
}

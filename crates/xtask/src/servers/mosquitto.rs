//! Mosquitto, an MQTT broker.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

use super::{
    Kind, install, nothing_else,
    place::{LIMITED_USER, Place, USER},
    process::Program,
};
use crate::workspace;

pub(super) const KIND: Kind = Kind {
    name: "mosquitto",
    needs: &[("mosquitto", "mosquitto")],
    fetch: nothing_else,
    port: 4,
    tls_port: 5,
    prepare,
    answers,
};

fn prepare(place: &Place) -> anyhow::Result<Vec<Program>> {
    let folder = place.folder(KIND.name);
    let rules =
        format!("user {USER}\ntopic readwrite #\nuser {LIMITED_USER}\ntopic readwrite allowed/#\n");
    let rules = place.write(KIND.name, "rules.txt", &rules)?;
    let passwords = folder.join("passwords.txt");
    fs::write(&passwords, "")?;
    for user in [USER, LIMITED_USER] {
        let program = install::find("mosquitto_passwd").unwrap_or_default();
        workspace::run(
            Command::new(program)
                .arg("-b")
                .arg(&passwords)
                .args([user, &place.password]),
        )?;
    }
    let config = format!(
        "# It would become another user, who may not read this folder.
user {process_user}
per_listener_settings false
allow_anonymous false
password_file {passwords}
acl_file {rules}
persistence true
persistence_location {data}/
message_size_limit 1048576
max_queued_messages 100000
listener {port} 127.0.0.1
listener {tls_port} 127.0.0.1
certfile {certificate}
keyfile {key}
",
        process_user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned()),
        passwords = passwords.display(),
        rules = rules.display(),
        data = folder.join("data").display(),
        port = place.port(KIND.port),
        tls_port = place.port(KIND.tls_port),
        certificate = place.certificate().display(),
        key = place.key().display(),
    );
    let config = place.write(KIND.name, "mosquitto.conf", &config)?;
    Ok(vec![Program {
        program: install::find("mosquitto").unwrap_or_default(),
        args: vec!["-c".to_owned(), config.display().to_string()],
        env: BTreeMap::new(),
    }])
}

/// CONNECT of MQTT 3.1.1 with a name and password; the answer is CONNACK with 0.
fn answers(place: &Place, stream: &mut TcpStream) -> io::Result<bool> {
    let mut packet = b"\x00\x04MQTT\x04\xc2\x00\x0a".to_vec();
    for text in ["ready", USER, &place.password] {
        let length = u16::try_from(text.len()).map_err(io::Error::other)?;
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(text.as_bytes());
    }
    stream.write_all(&[0x10, u8::try_from(packet.len()).map_err(io::Error::other)?])?;
    stream.write_all(&packet)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    Ok(answer == [0x20, 0x02, 0x00, 0x00])
}

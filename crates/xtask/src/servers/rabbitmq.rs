//! RabbitMQ, and the Erlang port mapper that it needs, on a port of its own too.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use super::{
    Kind, install, nothing_else,
    place::{Place, USER},
    process::Program,
};

pub(super) const KIND: Kind = Kind {
    name: "rabbitmq",
    needs: &[
        ("rabbitmq-server", "rabbitmq-server"),
        ("epmd", "erlang-base"),
    ],
    fetch: nothing_else,
    port: 6,
    tls_port: 7,
    prepare,
    answers,
};

const MAPPER_PORT: u16 = KIND.port + 2;
const NODE_PORT: u16 = KIND.port + 3;

fn prepare(place: &Place) -> anyhow::Result<Vec<Program>> {
    let folder = place.folder(KIND.name);
    let config = format!(
        "listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
default_user = {USER}
default_pass = {password}
loopback_users = none
max_message_size = 1048576
vm_memory_high_watermark.absolute = 256MB
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
",
        port = place.port(KIND.port),
        tls_port = place.port(KIND.tls_port),
        ca = place.ca().display(),
        certificate = place.certificate().display(),
        key = place.key().display(),
        password = place.password,
    );
    let config = place.write(KIND.name, "rabbitmq.conf", &config)?;
    let plugins = place.write(KIND.name, "enabled_plugins", "[].\n")?;
    let text = |path: &std::path::Path| path.display().to_string();
    let mapper_port = place.port(MAPPER_PORT).to_string();
    let mapper = BTreeMap::from([
        ("ERL_EPMD_PORT", mapper_port.clone()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
    ]);
    let mut env = mapper.clone();
    env.extend([
        ("HOME", text(&folder)),
        // Makes the script become the server, so that it is the process that was started.
        ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ("RABBITMQ_CONF_ENV_FILE", text(&folder.join("none"))),
        ("RABBITMQ_NODENAME", "pasar@localhost".to_owned()),
        ("RABBITMQ_DIST_PORT", place.port(NODE_PORT).to_string()),
        ("RABBITMQ_CONFIG_FILE", text(&config)),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", text(&plugins)),
        ("RABBITMQ_MNESIA_BASE", text(&folder.join("data"))),
        ("RABBITMQ_LOG_BASE", text(&folder)),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG.to_owned()),
    ]);
    Ok(vec![
        Program {
            program: install::find("epmd").unwrap_or_default(),
            args: vec![
                "-port".to_owned(),
                mapper_port,
                "-address".to_owned(),
                "127.0.0.1".to_owned(),
            ],
            env: mapper,
        },
        Program {
            program: install::find("rabbitmq-server").unwrap_or_default(),
            args: Vec::new(),
            env,
        },
    ])
}

/// No input, one scheduler that does not spin, and a node that others reach on loopback only.
const ERLANG: &str = "-noinput +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}";

/// The header of AMQP 0-9-1; a method frame comes back.
fn answers(_: &Place, stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut answer = [0; 1];
    stream.read_exact(&mut answer)?;
    Ok(answer == [1])
}

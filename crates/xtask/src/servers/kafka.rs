//! Kafka as one node without ZooKeeper, from its jars.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
};

use anyhow::Context as _;

use super::{
    Kind, install,
    place::{Place, USER},
    process::Program,
};
use crate::workspace::{self, Workspace};

pub(super) const KIND: Kind = Kind {
    name: "kafka",
    needs: &[("java", "default-jre-headless")],
    fetch,
    port: 10,
    tls_port: 11,
    prepare,
    answers,
};

const CONTROLLER_PORT: u16 = KIND.port + 2;
const VERSION: &str = "4.1.0";
/// Any 16 bytes in base64.
const CLUSTER: &str = "cGFzYXItdGVzdC0wMDAwMA";

/// Gets the jars by their coordinates.
fn fetch(workspace: &Workspace, place: &Place) -> anyhow::Result<()> {
    let libs = place.folder(KIND.name).join("libs");
    // Written last.
    let made_from = libs.join("version.txt");
    if fs::read_to_string(&made_from).is_ok_and(|version| version == VERSION) {
        return Ok(());
    }
    install::programs(&[("mvn", "maven")])?;
    println!("fetching Kafka {VERSION}");
    let project = format!(
        "<project><modelVersion>4.0.0</modelVersion>
<groupId>pasar</groupId><artifactId>servers</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"
    );
    let project = place.write(KIND.name, "pom.xml", &project)?;
    let mut maven = workspace.program("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(project)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", libs.display()));
    workspace::run(&mut maven).context("Kafka's jars cannot be fetched")?;
    fs::write(made_from, VERSION)?;
    Ok(())
}

fn prepare(place: &Place) -> anyhow::Result<Vec<Program>> {
    let folder = place.folder(KIND.name);
    let java = install::find("java").unwrap_or_default();
    let config = place.write(KIND.name, "server.properties", &properties(place))?;
    if !folder.join("data/meta.properties").exists() {
        let mut format = Command::new(&java);
        format
            .args(arguments(&folder, "kafka.tools.StorageTool"))
            .args(["format", "--cluster-id", CLUSTER, "--config"])
            .arg(&config);
        workspace::run(&mut format)?;
    }
    let mut args = arguments(&folder, "kafka.Kafka");
    args.push(config.display().to_string());
    Ok(vec![Program {
        program: java,
        args,
        env: BTreeMap::new(),
    }])
}

fn arguments(folder: &Path, class: &str) -> Vec<String> {
    [
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        &format!("{}/libs/*", folder.display()),
        class,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn properties(place: &Place) -> String {
    let password = &place.password;
    let port = place.port(KIND.port);
    let tls_port = place.port(KIND.tls_port);
    let controller = place.port(CONTROLLER_PORT);
    // The broker logs in to itself too.
    let login = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"{USER}\" password=\"{password}\" user_{USER}=\"{password}\";"
    );
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAIN://127.0.0.1:{port},TLS://127.0.0.1:{tls_port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAIN://127.0.0.1:{port},TLS://127.0.0.1:{tls_port}
listener.security.protocol.map=PLAIN:SASL_PLAINTEXT,TLS:SASL_SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.plain.plain.sasl.jaas.config={login}
listener.name.tls.plain.sasl.jaas.config={login}
ssl.keystore.type=PEM
ssl.keystore.location={both}
ssl.client.auth=none
log.dirs={data}
num.partitions=3
auto.create.topics.enable=false
message.max.bytes=1048576
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
controlled.shutdown.enable=false
num.network.threads=1
num.io.threads=2
log.cleaner.enable=false
",
        both = place.root().join("tls/server-both.pem").display(),
        data = place.folder(KIND.name).join("data").display(),
    )
}

/// Asks for the versions of the protocol, which needs no password; the answer repeats the number.
fn answers(_: &Place, stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(b"\x00\x00\x00\x0f\x00\x12\x00\x00\x00\x00\x00\x07\x00\x05ready")?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer)?;
    Ok(answer[4..] == [0, 0, 0, 7])
}

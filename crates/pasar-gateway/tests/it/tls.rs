//! HTTPS with the files of the configuration, and with others once they were exchanged.

use std::{fs, path::Path, time::Duration};

use pasar_gateway::config::Tls;
use tokio::net::TcpStream;

use crate::support::{System, raw};

fn write_certificate(folder: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.key_pair.serialize_pem()).unwrap();
}

fn client(folder: &Path, system: &System, name: &str) -> reqwest::Client {
    let trusted =
        reqwest::Certificate::from_pem(&fs::read(folder.join("cert.pem")).unwrap()).unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .tls_built_in_root_certs(false)
        .add_root_certificate(trusted)
        .resolve(name, system.address)
        .build()
        .unwrap()
}

#[tokio::test]
async fn https_is_served_and_the_certificate_is_read_again_on_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path(), "old.example");
    let files = Tls {
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    };
    let system = System::with(|setup| {
        setup.config.tls = Some(files);
        setup.config.timeouts.head_ms = 300;
    })
    .await;
    let url = |name: &str| format!("https://{name}:{}/v1/orders", system.address.port());
    let response = client(folder.path(), &system, "old.example")
        .get(url("old.example"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.version(), http::Version::HTTP_2, "by ALPN");
    assert!(response.headers().contains_key("strict-transport-security"));

    let health = format!(
        "https://old.example:{}/grpc.health.v1.Health/Check",
        system.address.port()
    );
    let asked = client(folder.path(), &system, "old.example").post(health);
    let asked = asked
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let answer = asked.body(&b"\0\0\0\0\0"[..]).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    // Field 1, and that it serves.
    assert_eq!(answer.bytes().await.unwrap(), &b"\0\0\0\0\x02\x08\x01"[..]);

    let mut silent = TcpStream::connect(system.address).await.unwrap();
    assert!(
        raw::is_closed_within(&mut silent, Duration::from_secs(10)).await,
        "a handshake that never begins"
    );

    write_certificate(folder.path(), "new.example");
    let pid = std::process::id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-HUP", &pid])
            .status()
            .unwrap()
            .success()
    );
    let client = client(folder.path(), &system, "new.example");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while client.get(url("new.example")).send().await.is_err() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the new certificate is not shown"
        );
    }
}

#[tokio::test]
async fn files_that_are_no_certificate_are_named_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
    fs::write(folder.path().join("key.pem"), "nonsense").unwrap();
    let files = Tls {
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    };
    let refused = System::try_with(|setup| setup.config.tls = Some(files)).await;
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("cert.pem"), "{error}");
}

//! What the gateway costs: requests a second through it and, for comparison, without it, and the
//! processor time of each. Client and server share the process, so only the difference says something
//! about the gateway.
//!
//! `cargo run --release -p pasar-gateway --example requests_per_second [seconds]`

use std::{
    error::Error,
    fs,
    io::Write,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::get};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use pasar_chassis::{
    host::Host, keyring::Keyring, openapi::base, service::Running, telemetry::Metrics,
};
use pasar_contracts::event::Service;
use pasar_feed::follow::Feeds;
use pasar_gateway::{
    config::{Config, Quota},
    gateway,
};
use pasar_store::ids::SystemIds;
use pasar_types::id::{SessionId, UserId};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use utoipa::openapi::{PathItem, path::PathsBuilder};

const CONNECTIONS: usize = 32;
const PUBLIC_URL: &str = "https://kopi.example";
/// What the kernel counts processor time in, on every Linux that matters.
const TICKS_PER_SECOND: f64 = 100.0;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let span = Duration::from_secs(seconds);
    let bare = TcpListener::bind("127.0.0.1:0").await?;
    let bare_address = bare.local_addr()?;
    tokio::spawn(async move { axum::serve(bare, products()).await });
    let (address, token) = start_gateway().await?;
    let without = measure("axum alone", bare_address, "", span).await?;
    let anonymous = measure("gateway, anonymous", address, "", span).await?;
    let authorization = format!("Authorization: Bearer {token}\r\n");
    let identified = measure("gateway, access token", address, &authorization, span).await?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "the gateway adds {:.1} µs to an anonymous request",
        anonymous - without
    )?;
    writeln!(
        out,
        "the gateway adds {:.1} µs to one with a token",
        identified - without
    )?;
    Ok(())
}

fn products() -> Router {
    Router::new().route("/v1/products", get(async || Json(json!({ "items": [] }))))
}

async fn start_gateway() -> Result<(SocketAddr, String), Failure> {
    let data = std::env::temp_dir();
    let host = Host::system(data, Keyring::ephemeral(&SystemIds::default()), PUBLIC_URL);
    let unlimited = Quota {
        requests: u32::MAX,
        per_s: 1,
    };
    let mut config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    config.rate_limits.anonymous = unlimited;
    config.rate_limits.authenticated = unlimited;
    let pair =
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|_| "the seed is not a key")?;
    let services = vec![
        (
            Service::Users,
            Running {
                router: users(&pair),
                openapi: document(&[]),
                grpc: &[],
            },
        ),
        (
            Service::Inventory,
            Running {
                router: products(),
                openapi: document(&["/v1/products"]),
                grpc: &[],
            },
        ),
    ];
    let listener = gateway::bind(&config).await?;
    let metrics = Metrics::detached()?;
    let started = gateway::start(
        &host,
        config,
        listener,
        metrics,
        services,
        Vec::new(),
        &Feeds::new(),
    )
    .await?;
    let now = host.clock.now().as_micros() / 1_000_000;
    Ok((started.address, token(&pair, now)))
}

fn document(paths: &[&str]) -> utoipa::openapi::OpenApi {
    let mut document = base("bench", "A bench.");
    let all = paths.iter().fold(PathsBuilder::new(), |all, path| {
        all.path(*path, PathItem::default())
    });
    document.paths = all.build();
    document
}

fn users(pair: &Ed25519KeyPair) -> Router {
    let x = encode(pair.public_key().as_ref());
    let jwks = json!({ "keys": [{
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "bench", "x": x,
    }] });
    let session = json!({
        "session_id": SessionId::from_bytes([1; 16]),
        "user_id": UserId::from_bytes([1; 16]),
        "live": true,
        "roles": ["customer"],
    });
    let answer = |value: Value| get(async move || Json(value));
    Router::new()
        .route("/.well-known/jwks.json", answer(jwks))
        .route("/internal/v1/sessions/{id}", answer(session))
}

fn token(pair: &Ed25519KeyPair, now: i64) -> String {
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "bench" });
    let claims = json!({
        "iss": PUBLIC_URL,
        "aud": "pasar",
        "sub": UserId::from_bytes([1; 16]),
        "sid": SessionId::from_bytes([1; 16]),
        "roles": ["customer"],
        "iat": now,
        "exp": now + 600,
    });
    let part = |value: &Value| encode(value.to_string().as_bytes());
    let message = format!("{}.{}", part(&header), part(&claims));
    let signature = encode(pair.sign(message.as_bytes()).as_ref());
    format!("{message}.{signature}")
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Asks as fast as the connections allow, and answers the processor time of a request in microseconds.
async fn measure(
    what: &str,
    address: SocketAddr,
    headers: &str,
    span: Duration,
) -> Result<f64, Failure> {
    let request = format!("GET /v1/products HTTP/1.1\r\nHost: bench\r\n{headers}\r\n");
    let (done, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let (began, busy) = (Instant::now(), processor_seconds()?);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (request, done, count) = (request.clone(), Arc::clone(&done), Arc::clone(&count));
        clients.spawn(async move { ask(address, &request, &done, &count).await });
    }
    tokio::time::sleep(span).await;
    done.store(true, Relaxed);
    for client in clients.join_all().await {
        client?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let requests = count.load(Relaxed) as f64;
    let micros = (processor_seconds()? - busy) * 1_000_000.0 / requests;
    let rate = requests / began.elapsed().as_secs_f64();
    writeln!(
        std::io::stdout(),
        "{what}: {rate:.0} requests/s, {micros:.1} µs of processor time each"
    )?;
    Ok(micros)
}

async fn ask(
    address: SocketAddr,
    request: &str,
    done: &AtomicBool,
    count: &AtomicU64,
) -> Result<(), Failure> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    while !done.load(Relaxed) {
        socket.write_all(request.as_bytes()).await?;
        let length = socket.read(&mut buffer).await?;
        if !buffer[..length].starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&buffer[..length]).into());
        }
        count.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// User and system time of this process (proc(5), `stat`, fields 14 and 15).
fn processor_seconds() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .map(str::parse::<f64>)
        .sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

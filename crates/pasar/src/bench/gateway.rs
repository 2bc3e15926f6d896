//! `pasar bench gateway`: the gateway as a process of its own in front of a service, in turn with another proxy in
//! front of the same one.
//!
//! Two services: one that costs next to nothing, so that what is measured is the proxy; and Pasar's own inventory,
//! as a shop has it. Each request bears a token that is checked and is counted against a limit that it does not reach.

use std::{
    cell::RefCell,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use comfy_table::{Table, presets};
use http::{HeaderMap, Method};
use pasar_chassis::{cause::Arrival, host::Host, keyring::Keyring, passport::Passports};
use pasar_contracts::event::Service;
use pasar_store::{clock::SystemClock, ids::SystemIds};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{process::Child, task::JoinSet};

use super::{
    http::Connection,
    own, process,
    shape::{self, Shape},
};
use crate::{
    latency::{Latencies, Spread, milliseconds},
    progress,
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The service that costs nothing: it answers GET /v1/echo with 200 and a body, without asking who calls
    #[arg(long)]
    service: SocketAddr,
    /// Where inventory shall listen, so that the other proxy can be told before
    #[arg(long)]
    inventory: SocketAddr,
    /// The other proxy in front of both
    #[arg(long, requires_all = ["peer_token", "peer_pids"])]
    peer: Option<SocketAddr>,
    /// The token that the other proxy accepts
    #[arg(long, default_value = "")]
    peer_token: String,
    /// Its processes
    #[arg(long, value_delimiter = ',')]
    peer_pids: Vec<u32>,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    connections: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often each is measured, in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// A proxy and what its requests bear.
struct Target {
    name: &'static str,
    address: SocketAddr,
    token: String,
    pids: Vec<u32>,
    /// Inventory takes requests from none but a gateway. Behind the other proxy it gets the same proof of one with
    /// each, which is good for a minute and costs that proxy nothing.
    passports: Option<Passports>,
}

#[derive(Debug, Serialize)]
struct Row {
    service: &'static str,
    proxy: &'static str,
    round: u32,
    requests: u64,
    per_s: f64,
    latency: Option<Spread>,
    proxy_cpu_us: Option<f64>,
    generator_cpu_us: Option<f64>,
}

/// The gateway, and the services behind it. Killed and deleted when dropped.
struct Gateway {
    target: Target,
    passports: Passports,
    _children: Vec<Child>,
    _data: TempDir,
}

/// The services, and what is asked of each.
const ASKED: [(&str, &str); 2] = [
    ("echo", "/v1/echo"),
    ("inventory", "/v1/products/kopi-susu"),
];
const WARM_UP: Duration = Duration::from_secs(1);
const PASSWORD: &str = "bench gateway password";
/// Limits that no bench reaches, counted all the same.
const UNREACHED: &str = "1000000000";

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let gateway = Gateway::start(&args).await?;
    let peer = args.peer.map(|address| Target {
        name: "peer",
        address,
        token: args.peer_token.clone(),
        pids: args.peer_pids.clone(),
        passports: Some(gateway.passports.clone()),
    });
    let targets: Vec<_> = [&gateway.target].into_iter().chain(&peer).collect();
    let mut rows = Vec::new();
    for (service, path) in ASKED {
        for target in &targets {
            load(&args, target, path, WARM_UP).await?;
        }
        for round in 1..=args.rounds {
            for target in &targets {
                let busy = progress::spinner(format!("{service}: {}, {round}", target.name));
                let measured = measure(&args, target, path).await?;
                busy.finish_and_clear();
                rows.push(Row {
                    service,
                    round,
                    ..measured
                });
            }
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{}", table(&rows));
    }
    Ok(())
}

impl Gateway {
    async fn start(args: &Args) -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("cannot make a data folder for the bench")?;
        // All services, or the gateway would spend its time looking for those that are not there.
        let mut planned = Shape::one_of_each().plan()?;
        for of in &mut planned {
            if of.service == Service::Inventory {
                of.address = args.inventory;
            }
        }
        let address = planned.last().context("a gateway is planned")?.address;
        let text = shape::places(&planned)
            + &format!(
                "[services.echo]\nurls = [\"http://{}\"]\nprefixes = [\"/v1/echo\"]\n\
                 secret = \"a secret of the bench only\"\n",
                args.service
            );
        let config = shape::write(data.path(), &text)?;
        let more = [
            (
                "PASAR_GATEWAY__RATE_LIMITS__AUTHENTICATED__REQUESTS",
                UNREACHED.to_owned(),
            ),
            ("PASAR_USERS__ACCESS_TOKEN_S", "3600".to_owned()),
        ];
        let program = |args: &[&str]| {
            let mut command = own::program(data.path(), &config, &more, args)?;
            command.arg("--demo");
            Ok(command)
        };
        let children = own::start_all(&planned, program).await?;
        let pids = children.last().and_then(Child::id).into_iter().collect();
        let token = log_in(address).await?;
        let keyring = Keyring::open(data.path(), None, &SystemIds::default())?;
        Ok(Self {
            target: Target {
                name: "pasar",
                address,
                token,
                pids,
                passports: None,
            },
            passports: Passports::of(&Host::system(data.path(), keyring, "")),
            _children: children,
            _data: data,
        })
    }
}

impl Target {
    /// A header, or nothing where the proxy is the gateway itself.
    fn proof(&self, path: &str) -> anyhow::Result<String> {
        let Some(passports) = &self.passports else {
            return Ok(String::new());
        };
        let arrival = Arrival::new(&SystemClock, &SystemIds::default(), &HeaderMap::new());
        let passport = passports.for_service(Service::Gateway, arrival);
        let (name, value) = passports.issue(&Method::GET, path, &passport);
        Ok(format!("{name}: {}\r\n", value.to_str()?))
    }
}

/// An access token of a new account, as any customer has it.
async fn log_in(address: SocketAddr) -> anyhow::Result<String> {
    let mut connection = Connection::open(address).await?;
    let account = json!({"email": "bench@example.com", "password": PASSWORD, "name": "Bench"});
    post(&mut connection, address, "/v1/auth/register", &account).await?;
    let credentials = json!({"email": "bench@example.com", "password": PASSWORD});
    let tokens = post(&mut connection, address, "/v1/auth/login", &credentials).await?;
    let token = tokens["access_token"].as_str();
    Ok(token.context("a login has no access_token")?.to_owned())
}

async fn post(
    connection: &mut Connection,
    address: SocketAddr,
    path: &str,
    body: &Value,
) -> anyhow::Result<Value> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = connection.send(request.as_bytes()).await?;
    ensure!(
        (200..300).contains(&answer.status),
        "{path} was answered with {}: {}",
        answer.status,
        String::from_utf8_lossy(answer.body)
    );
    Ok(serde_json::from_slice(answer.body)?)
}

async fn measure(args: &Args, target: &Target, path: &str) -> anyhow::Result<Row> {
    let spent = || -> Option<Duration> { target.pids.iter().map(|pid| process::cpu(*pid)).sum() };
    let generator = std::process::id();
    let before = (spent(), process::cpu(generator));
    let began = Instant::now();
    let latencies = load(args, target, path, Duration::from_secs(args.seconds)).await?;
    let took = began.elapsed();
    let after = (spent(), process::cpu(generator));
    let latency = latencies.spread();
    let requests = latency.map_or(0, |spread| spread.count as u64);
    ensure!(requests > 0, "{} answered nothing", target.name);
    #[expect(
        clippy::cast_precision_loss,
        reason = "requests are counted in millions at most"
    )]
    let count = requests as f64;
    let each = |before: Option<Duration>, after: Option<Duration>| {
        Some(after?.saturating_sub(before?).as_secs_f64() * 1e6 / count)
    };
    Ok(Row {
        service: "",
        proxy: target.name,
        round: 0,
        requests,
        per_s: count / took.as_secs_f64(),
        latency,
        proxy_cpu_us: each(before.0, after.0),
        generator_cpu_us: each(before.1, after.1),
    })
}

/// Asks over all connections until the time is over; how long each answer took.
async fn load(
    args: &Args,
    target: &Target,
    path: &str,
    span: Duration,
) -> anyhow::Result<Latencies> {
    let address = target.address;
    let proof = target.proof(path)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\naccept: application/json\r\n{proof}\r\n",
        target.token
    );
    let end = Instant::now() + span;
    let all = std::rc::Rc::new(RefCell::new(Latencies::default()));
    let mut clients = JoinSet::new();
    for _ in 0..args.connections {
        let (request, all) = (request.clone(), std::rc::Rc::clone(&all));
        clients.spawn_local(async move {
            let mut connection = Connection::open(address).await?;
            while Instant::now() < end {
                let asked = Instant::now();
                let answer = connection.send(request.as_bytes()).await?;
                ensure!(
                    answer.status == 200 && !answer.body.is_empty(),
                    "an answer has status {} and {} bytes",
                    answer.status,
                    answer.body.len()
                );
                all.borrow_mut().record(asked.elapsed());
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client?.with_context(|| format!("{} at {address}", target.name))?;
    }
    Ok(all.take())
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header([
        "service",
        "proxy",
        "round",
        "requests/s",
        "p50",
        "p99",
        "CPU µs each, proxy",
        "generator",
    ]);
    let number =
        |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), |it| format!("{it:.1}"));
    for row in rows {
        let spread = |pick: fn(Spread) -> u32| {
            row.latency
                .map_or_else(|| "–".to_owned(), |spread| milliseconds(pick(spread)))
        };
        table.add_row([
            row.service.to_owned(),
            row.proxy.to_owned(),
            row.round.to_string(),
            format!("{:.0}", row.per_s),
            spread(|spread| spread.p50_us),
            spread(|spread| spread.p99_us),
            number(row.proxy_cpu_us),
            number(row.generator_cpu_us),
        ]);
    }
    table
}

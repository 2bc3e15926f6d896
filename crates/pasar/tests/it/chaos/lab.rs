//! A cluster under load, with what goes on beside it: the provider, and two who follow the orders.

use std::time::{Duration, Instant};

use pasar_testkit::servers::{Server, Wire};
use reqwest::Method;
use serde_json::Value;

use super::{
    audit,
    followers::{Follower, Webhook},
    load::{Load, PRODUCT, place},
};
use crate::{
    api::fresh_key,
    crash::{Provider, SECRET},
    system::{Folder, Shape, System},
};

pub(super) struct Lab {
    pub(super) system: System,
    pub(super) server: Server,
    pub(super) provider: Provider,
    pub(super) load: Load,
    pub(super) follower: Follower,
    pub(super) webhook: Webhook,
    wires: Vec<((&'static str, &'static str), Vec<Wire>)>,
    /// How long it took each time until orders flowed again.
    pub(super) took: Vec<Duration>,
    /// Orders that were placed beside the load, to see whether they flow.
    pub(super) probes: Vec<String>,
}

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(60);
const STOCK: u32 = 900_000;
/// How long one question of whoever looks whether orders flow may take.
const SHORT_ANSWER: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Lab {
    /// With ways that can be cut, from one service to another. `None` without a server.
    pub(super) async fn start(cuts: &[(&'static str, &'static str)]) -> Option<Self> {
        let server = Server::alone("postgres").await?;
        let provider = Provider::start();
        let config = format!(
            "[payments.http.bank]\nurl = \"{}\"\nsecrets = [\"{SECRET}\"]\ntimeout_ms = 2000\n\
             [payments.retry]\nfirst_ms = 100\nmost_ms = 1000\n",
            provider.url
        );
        let mut folder = Folder::of_cluster(&server.postgres_url(), &config);
        let mut wires = Vec::new();
        for (of, to) in cuts {
            let mut both = Vec::new();
            for number in 0..Shape::Cluster.instances(to) {
                both.push(Wire::to(folder.port(to, number)).await);
            }
            let ports: Vec<_> = both.iter().map(Wire::port).collect();
            folder.send_elsewhere(of, to, &ports);
            wires.push(((*of, *to), both));
        }
        let system = tokio::task::block_in_place(|| System::start_in(folder));
        system.api("STAFF").product(PRODUCT, STOCK).await;
        let integrator = system.api("INTEGRATOR");
        let webhook = Webhook::subscribe(&integrator).await;
        let follower = Follower::start(integrator).await;
        let load = Load::start(&system.api("KIOSK"));
        Some(Self {
            system,
            server,
            provider,
            load,
            follower,
            webhook,
            wires,
            took: Vec::new(),
            probes: Vec::new(),
        })
    }

    /// Waits until so many more orders were acknowledged.
    pub(super) async fn orders_flow(&self, orders: usize) {
        let begun = Instant::now();
        let wanted = self.load.acknowledged() + orders;
        while self.load.acknowledged() < wanted {
            assert!(begun.elapsed() < PATIENCE, "no orders are taken");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Which instance does the background work of a service.
    pub(super) async fn on_duty(&self, service: &'static str) -> usize {
        let begun = Instant::now();
        loop {
            for number in 0..2 {
                let port = self.system.folder().port(service, number);
                let url = format!("http://127.0.0.1:{port}/metrics");
                let answer = reqwest::Client::new().get(url).send().await;
                let Ok(answer) = answer else { continue };
                let text = answer.text().await.unwrap_or_default();
                let held =
                    format!("pasar_duty_held{{service=\"{service}\",lease=\"background\"}} 1");
                if text.lines().any(|line| line == held) {
                    return number;
                }
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "nobody is on duty for {service}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Places an order and looks until it is confirmed; answers how long after a moment that was. It asks often and
    /// waits little, so that it tells of the system and not of one request that hangs.
    pub(super) async fn flows_again(&mut self, since: Instant) -> Duration {
        let (kiosk, staff) = (self.system.api("KIOSK"), self.system.api("STAFF"));
        let key = fresh_key();
        let id = loop {
            assert!(since.elapsed() < PATIENCE, "orders are not taken again");
            if let Some(order) = place(&kiosk, &key, SHORT_ANSWER).await {
                break order["id"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        loop {
            assert!(since.elapsed() < PATIENCE, "orders do not flow again");
            let path = format!("/v1/orders/{id}");
            let asking = staff.request(Method::GET, &path).timeout(SHORT_ANSWER);
            if let Ok(answer) = asking.send().await
                && let Ok(order) = answer.json::<Value>().await
                && order["state"] == "confirmed"
            {
                self.probes.push(id);
                return since.elapsed();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn wires(&self, of: &str, to: &str) -> &[Wire] {
        let found = self.wires.iter().find(|(way, _)| *way == (of, to));
        &found.expect("a way that can be cut").1
    }

    pub(super) fn note(&mut self, what: &str, took: Duration) {
        println!("{what}: orders flow again after {took:.1?}");
        self.took.push(took);
    }

    pub(super) async fn audit(self, fault: &str) {
        audit::check(self, fault).await;
    }
}

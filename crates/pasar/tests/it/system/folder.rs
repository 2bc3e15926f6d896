//! Where a system keeps what outlives its processes, and how each of these is started.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    path::PathBuf,
    process::Command,
    sync::Arc,
};

use pasar_store::place::Place;
use pasar_testkit::fresh;

use crate::ports::free_ports;

/// Where a system keeps what outlives its processes.
#[derive(Clone)]
pub(crate) struct Folder {
    folder: Arc<fresh::Folder>,
    config: String,
    shape: Shape,
    /// Where each process listens, by what it runs and its number.
    ports: BTreeMap<(&'static str, usize), u16>,
    /// What single processes are told otherwise, by their environment.
    told: BTreeMap<&'static str, Vec<(String, String)>>,
    /// The program that is started, where it is not this version's.
    previous: Option<PathBuf>,
}

/// What the processes of a system are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    One,
    /// One a service, and the gateway.
    Apart,
    /// Two a service on PostgreSQL, and the gateway.
    Cluster,
}

/// What runs in a process of its own; the gateway comes last.
pub(crate) const APART: [&str; 6] = [
    "users",
    "inventory",
    "orders",
    "payments",
    "relay",
    "gateway",
];
/// In the shape of one process.
const ALL: &str = "all";
const GATEWAY: &str = "gateway";
const SHAPE: &str = "SHAPE_UNDER_TEST";
pub(super) const CONFIG: &str = "pasar.toml";

impl Shape {
    pub(crate) fn under_test() -> Self {
        match std::env::var(SHAPE).as_deref() {
            Ok("processes") => Self::Apart,
            Ok("cluster") => Self::Cluster,
            Ok("one") | Err(_) => Self::One,
            Ok(other) => panic!("{SHAPE} is one, processes or cluster, not {other}"),
        }
    }

    /// How many processes run the same.
    pub(crate) fn instances(self, name: &str) -> usize {
        match self {
            Self::Cluster if name != GATEWAY => 2,
            _ => 1,
        }
    }
}

impl Folder {
    /// For one process. `config` is what differs from the defaults.
    pub(crate) fn new(config: &str) -> Self {
        Self::with(Shape::One, fresh::Folder::of_files(), config)
    }

    pub(crate) fn of_shape(shape: Shape, config: &str) -> Self {
        match shape {
            Shape::Cluster => {
                let server = std::env::var("TEST_POSTGRES");
                let server =
                    server.expect("`cargo xtask servers run -- COMMAND` sets TEST_POSTGRES");
                Self::of_cluster(&server, config)
            }
            _ => Self::with(shape, fresh::Folder::of_files(), config),
        }
    }

    /// For two processes a service, on a server of PostgreSQL.
    pub(crate) fn of_cluster(server: &str, config: &str) -> Self {
        let folder = Self::with(Shape::Cluster, fresh::Folder::on(server), config);
        // What the processes make goes with the folder.
        let _ = folder.folder.databases();
        folder
    }

    fn with(shape: Shape, folder: fresh::Folder, config: &str) -> Self {
        let mut all = Self {
            config: format!("{config}\n{MANY_REQUESTS}"),
            folder: Arc::new(folder),
            shape,
            ports: BTreeMap::new(),
            told: BTreeMap::new(),
            previous: None,
        };
        if shape != Shape::One {
            for name in APART {
                for number in 0..shape.instances(name) {
                    let [port] = free_ports();
                    all.ports.insert((name, number), port);
                }
            }
            all.config = apart(&all.config, &all.ports);
        }
        if let Some(url) = all.folder.url() {
            all.config += &format!("[database]\nurl = \"{url}\"\n");
        }
        all
    }

    pub(crate) fn port(&self, name: &'static str, number: usize) -> u16 {
        self.ports[&(name, number)]
    }

    /// Tells the processes of one service that another is elsewhere than it is.
    pub(crate) fn send_elsewhere(&mut self, of: &'static str, to: &str, ports: &[u16]) {
        let urls: Vec<_> = ports.iter().map(|port| url(*port)).collect();
        let variable = format!("PASAR_SERVICES__{}__URLS", to.to_uppercase());
        let told = self.told.entry(of).or_default();
        told.push((variable, urls.join(",")));
    }

    /// Processes are of another version until this is said again.
    pub(crate) fn start_with_program(&mut self, program: Option<PathBuf>) {
        self.previous = program;
    }

    /// The programs of the system, ready to be started.
    pub(super) fn commands(&self) -> Vec<(&'static str, usize, Command)> {
        if self.shape == Shape::One {
            return vec![(ALL, 0, self.command())];
        }
        let numbers = |name| (0..self.shape.instances(name)).map(move |number| (name, number));
        let all = APART.into_iter().flat_map(numbers);
        all.map(|(name, number)| (name, number, self.command_of_instance(name, number)))
            .collect()
    }

    pub(crate) fn command_of(&self, name: &'static str) -> Command {
        self.command_of_instance(name, 0)
    }

    pub(super) fn command_of_instance(&self, name: &'static str, number: usize) -> Command {
        let mut command = self.program();
        let bind = format!("127.0.0.1:{}", self.port(name, number));
        command.args(["up", name, "--only", "--demo", "--bind", &bind]);
        command.envs(self.told.get(name).into_iter().flatten().cloned());
        self.add_places(command)
    }

    /// Several services in one process, each at an address of its own.
    pub(crate) fn command_of_all(&self, names: &[&'static str]) -> Command {
        let mut command = self.program();
        command.arg("up").args(names).arg("--demo");
        for name in names {
            let variable = format!("PASAR_SERVICES__{}__BIND", name.to_uppercase());
            command.env(variable, format!("127.0.0.1:{}", self.port(name, 0)));
        }
        self.add_places(command)
    }

    /// The place of a database.
    pub(crate) fn place(&self, name: &str) -> Place {
        self.folder.databases().named(&self.data(), name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log.txt")
    }

    /// The program with the demo's menu and keys, ready to be started as one process.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.program();
        command.args(["up", "--demo", "--bind", "127.0.0.1:0"]);
        self.add_places(command)
    }

    fn program(&self) -> Command {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = self.previous.as_ref().map_or_else(program, of_program);
        command.stderr(log);
        command
    }

    fn add_places(&self, mut command: Command) -> Command {
        let config = self.folder.path().join(CONFIG);
        fs::write(&config, &self.config).unwrap();
        command
            .arg("--data")
            .arg(self.data())
            .arg("--config")
            .arg(config);
        command
    }

    /// The key that `demo.env` has for a role.
    pub(crate) fn key(&self, role: &str) -> String {
        let text = fs::read_to_string(self.data().join("demo.env")).unwrap();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{role}=")));
        value
            .unwrap_or_else(|| panic!("no {role} in demo.env"))
            .to_owned()
    }

    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub(crate) fn print_log(&self) {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines.len().saturating_sub(80);
        println!("the system's log ends:\n{}", lines[end..].join("\n"));
    }
}

/// What processes of one machine have to know of each other. Each is told where it listens besides.
fn apart(config: &str, ports: &BTreeMap<(&'static str, usize), u16>) -> String {
    let gateway = ports[&(GATEWAY, 0)];
    let mut text = format!(
        "public_url = \"http://127.0.0.1:{gateway}\"\ndrain_notice_ms = 500\ngateway.bind = \"127.0.0.1:{gateway}\"\n{config}\n"
    );
    for name in APART.into_iter().filter(|name| *name != GATEWAY) {
        let instances = ports.iter().filter(|((of, _), _)| *of == name);
        let urls: Vec<_> = instances.map(|(_, port)| url(*port)).collect();
        text += &format!("[services.{name}]\nurls = {urls:?}\n");
    }
    text
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Tests call far more often than a client may.
const MANY_REQUESTS: &str = "[gateway.rate_limits]
anonymous = { requests = 0, per_s = 60 }
authenticated = { requests = 0, per_s = 60 }
login = { requests = 0, per_s = 60 }
";

/// The program without the variables of whoever runs the tests.
pub(crate) fn program() -> Command {
    of_program(env!("CARGO_BIN_EXE_pasar"))
}

fn of_program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PASAR_") {
            command.env_remove(name);
        }
    }
    command
}

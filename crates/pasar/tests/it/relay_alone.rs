//! `pasar up relay --demo` as a process that can be killed and started again on the same data.

use std::{
    env,
    fs::{self, File},
    io,
    path::PathBuf,
    process::{Command, ExitStatus},
    thread,
};

use pasar_testkit::process::Process;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    api::{Api, send},
    system::{check, ready_at},
};

pub(crate) struct RelayAlone {
    folder: TempDir,
    program: PathBuf,
    process: Option<Process>,
    url: String,
}

impl RelayAlone {
    /// Started, with no data.
    pub(crate) fn start() -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_pasar").into())
    }

    /// Another build of it.
    pub(crate) fn start_program(program: PathBuf) -> Self {
        let mut relay = Self {
            folder: tempfile::tempdir().unwrap(),
            program,
            process: None,
            url: String::new(),
        };
        relay.start_again(None).unwrap();
        relay
    }

    /// After it ended; with the point at which it ends again.
    pub(crate) fn start_again(&mut self, crash_point: Option<&str>) -> io::Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log.txt"))?;
        let mut command = Command::new(&self.program);
        command
            .args(["up", "relay", "--demo", "--bind", "127.0.0.1:0", "--data"])
            .arg(self.data())
            .stderr(log);
        // What is set for the tests is none of its configuration.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PASAR_") {
                command.env_remove(name);
            }
        }
        if let Some(point) = crash_point {
            command.env("PASAR_CRASH_POINT", point);
        }
        let process = self.process.insert(Process::start(&mut command)?);
        self.url = ready_at(process)?;
        Ok(())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it has recorded, to read.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        rusqlite::Connection::open_with_flags(self.data().join("relay.db"), flags).unwrap()
    }

    /// Calls with a key that may publish and subscribe, and is not limited.
    pub(crate) fn api(&self) -> Api {
        Api::new(&self.url, Some(self.key()))
    }

    pub(crate) fn key(&self) -> String {
        let text = fs::read_to_string(self.data().join("demo.env")).unwrap();
        let key = text
            .lines()
            .find_map(|line| line.strip_prefix("INTEGRATOR="));
        key.unwrap().to_owned()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Kills it at once, as a crash would.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.process.as_mut().unwrap().kill().unwrap()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().unwrap().ended().unwrap()
    }

    /// Asks it to end; afterwards nothing may be wrong in its data.
    pub(crate) fn stop(mut self) {
        let process = self.process.as_mut().unwrap();
        let told = Command::new("kill").arg(process.id().to_string()).status();
        assert!(told.unwrap().success());
        let ended = process.wait().unwrap();
        assert!(ended.success(), "the relay ended with {ended}");
        let (output, report) = check(&self.data(), &[]);
        assert!(output.status.success(), "check says {report:#}");
    }
}

impl Drop for RelayAlone {
    fn drop(&mut self) {
        if thread::panicking() {
            let text = fs::read_to_string(self.folder.path().join("log.txt")).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let end = lines.len().saturating_sub(60);
            println!("the relay's log ends:\n{}", lines[end..].join("\n"));
        }
    }
}

/// Subscribes a destination to the topic `client`; gives the subscription's id.
pub(crate) async fn subscribe(api: &Api, name: &str, destination: &Value, more: Value) -> String {
    let mut input = json!({
        "name": name,
        "topics": ["client"],
        "destination": destination,
    });
    let fields = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(fields);
    let created = api.post("/v1/subscriptions", &input).await.expect(201);
    created["id"].as_str().unwrap().to_owned()
}

/// Waits until all that was accepted is delivered by a subscription, and asserts that nothing else became of it.
pub(crate) async fn wait_until_delivered(api: &Api, id: &str) {
    let path = format!("/v1/subscriptions/{id}");
    loop {
        let now = api.get(&path).await.expect(200);
        assert_eq!(
            (&now["dead_letters"], &now["state"]),
            (&json!(0), &json!("active")),
            "{now:#}"
        );
        if now["behind"] == 0 && now["retrying"] == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Many messages in one request, each durable once this returns.
pub(crate) async fn post_lines(api: &Api, messages: &[Value]) {
    let lines: String = messages
        .iter()
        .map(|message| format!("{message}\n"))
        .collect();
    let request = api
        .request(Method::POST, "/v1/messages")
        .header("content-type", "application/x-ndjson")
        .body(lines);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let answers = response.text().await.unwrap();
    let accepted = answers
        .lines()
        .filter(|line| !line.contains("/problems/"))
        .count();
    assert_eq!(accepted, messages.len(), "{answers}");
}

/// One message, numbered, under one of so many keys.
pub(crate) fn numbered(number: usize, keys: usize) -> Value {
    json!({
        "id": format!("m-{number}"),
        "key": format!("k{}", number % keys),
        "data": { "n": number },
    })
}

/// The number that an id of [`numbered`] carries.
pub(crate) fn number_of(id: &str) -> usize {
    id.strip_prefix("m-").unwrap().parse().unwrap()
}

/// Posts one message; it is durable once this returns.
pub(crate) async fn post_one(api: &Api, message: &Value) {
    let request = api.request(Method::POST, "/v1/messages").json(message);
    send(request).await.expect(202);
}

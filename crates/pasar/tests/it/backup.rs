//! `pasar backup` and `pasar restore`: what is put back is of one moment, and what is damaged or half done is never
//! taken for whole.

mod broken;
mod followers;
mod on_server;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    api::{Api, order_of},
    system::{Folder, Shape, System, check, program},
};

const CLIENTS: usize = 4;
/// Orders that are acknowledged between two backups.
const BETWEEN: usize = 15;
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder for backups.
pub(crate) struct Shelf(TempDir);

impl Shelf {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A backup of a data folder, which must succeed.
    #[track_caller]
    pub(crate) fn backup(&self, data: &Path, name: &str) -> PathBuf {
        let to = self.place(name);
        let said = succeeds(pasar(data, &["backup", text(&to)]));
        assert!(said.contains("of one moment"), "{said}");
        to
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs the program on a data folder, and with the configuration beside it.
pub(crate) fn pasar(data: &Path, args: &[&str]) -> Output {
    let mut command = program();
    command.args(args).arg("--data").arg(data);
    let config = data.with_file_name("pasar.toml");
    if config.is_file() {
        command.arg("--config").arg(config);
    }
    command.output().unwrap()
}

/// What it said.
#[track_caller]
pub(crate) fn succeeds(output: Output) -> String {
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}{complaint}");
    said
}

/// What it complained of.
#[track_caller]
pub(crate) fn fails(output: Output) -> String {
    assert!(!output.status.success(), "it did what it must not");
    String::from_utf8(output.stderr).unwrap()
}

/// A data folder with some orders in it, and nobody at work.
pub(crate) async fn folder_with_orders() -> Folder {
    let system = System::start_in(Folder::of_shape(Shape::One, ""));
    system.api("STAFF").product("kept-tea", 100).await;
    for _ in 0..3 {
        let order = order_of(&[("kept-tea", 1)], "tok_ok");
        let placed = system.api("KIOSK").order(10, &order).await.expect(201);
        assert_eq!(placed["state"], "confirmed");
    }
    system.into_folder()
}

/// Clients that order until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<Vec<(Instant, String)>>>,
}

impl Load {
    fn start(api: &Api) -> Self {
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let clients = (0..CLIENTS)
            .map(|_| {
                let (api, stop) = (api.clone(), Arc::clone(&stop));
                let acknowledged = Arc::clone(&acknowledged);
                tokio::spawn(async move {
                    let mut told = Vec::new();
                    while !stop.load(Relaxed) {
                        let order = order_of(&[("load-tea", 1)], "tok_ok");
                        let placed = api.order(0, &order).await.expect(201);
                        told.push((Instant::now(), placed["id"].as_str().unwrap().to_owned()));
                        acknowledged.fetch_add(1, Relaxed);
                    }
                    told
                })
            })
            .collect();
        Self {
            stop,
            acknowledged,
            clients,
        }
    }

    async fn orders_flow(&self) {
        let begun = Instant::now();
        let wanted = self.acknowledged.load(Relaxed) + BETWEEN;
        while self.acknowledged.load(Relaxed) < wanted {
            assert!(begun.elapsed() < PATIENCE, "no orders are taken");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Every order, and when it was acknowledged.
    async fn stop(self) -> Vec<(Instant, String)> {
        self.stop.store(true, Relaxed);
        let mut told = Vec::new();
        for client in self.clients {
            told.extend(client.await.unwrap());
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_a_system_under_load_are_whole_systems() {
    for shape in [Shape::One, Shape::Apart] {
        let system = System::start_in(Folder::of_shape(shape, ""));
        system.api("STAFF").product("load-tea", 900_000).await;
        let shelf = Shelf::new();
        let load = Load::start(&system.api("KIOSK"));
        let mut backups = Vec::new();
        for number in 0..3 {
            load.orders_flow().await;
            let begun = Instant::now();
            let data = system.folder().data();
            let to = tokio::task::block_in_place(|| shelf.backup(&data, &number.to_string()));
            backups.push((begun, to));
        }
        load.orders_flow().await;
        let told = load.stop().await;
        for (_, id) in &told {
            system.api("STAFF").settled(id).await;
        }
        for (begun, backup) in backups {
            let kept = told.iter().filter(|(at, _)| *at < begun);
            let kept: Vec<_> = kept.map(|(_, id)| id.as_str()).collect();
            assert!(kept.len() >= BETWEEN, "the backup came too early");
            is_a_whole_system(&backup, &kept).await;
        }
    }
}

/// Started from a backup, it settles all that was under way, has every order that was acknowledged before, and
/// `pasar check` finds nothing.
async fn is_a_whole_system(backup: &Path, kept: &[&str]) {
    let folder = Folder::of_shape(Shape::One, "");
    let said = succeeds(pasar(&folder.data(), &["restore", text(backup)]));
    assert!(
        said.contains("inventory follows orders on by itself"),
        "{said}"
    );
    assert!(!said.contains("reconcile"), "{said}");
    // Followers go over to the new epochs once they run: that is no mistake.
    let (before, report) = check(&folder.data(), &["--patience", "0"]);
    let wrong = report["wrong"].as_array().cloned().unwrap_or_default();
    let is_of_positions = |what: &Value| what["rule"] == "positions";
    assert!(!wrong.iter().any(is_of_positions), "{before:?}");
    let system = System::start_in(folder);
    let staff = system.api("STAFF");
    for id in kept {
        assert_eq!(staff.settled(id).await["state"], "confirmed");
    }
    let order = order_of(&[("load-tea", 1)], "tok_ok");
    let placed = system.api("KIOSK").order(10, &order).await.expect(201);
    assert_eq!(placed["state"], "confirmed");
    system.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_what_is_restored_from_it_are_for_their_owner_alone() {
    let folder = folder_with_orders().await;
    let shelf = Shelf::new();
    let backup = shelf.backup(&folder.data(), "a");
    let moved = shelf.place("moved");
    succeeds(pasar(&moved, &["restore", text(&backup)]));
    for folder in [&backup, &moved] {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder), 0o700);
        let mut databases = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "db") {
                databases += 1;
                assert_eq!(mode(&path), 0o600, "{path:?}");
            }
        }
        assert_eq!(databases, 6);
        assert_eq!(mode(&folder.join("keyring.json")), 0o600);
    }
    let keyring = |folder: &Path| fs::read(folder.join("keyring.json")).unwrap();
    assert_eq!(keyring(&moved), keyring(&folder.data()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_kept_elsewhere_are_asked_for() {
    let folder = folder_with_orders().await;
    let shelf = Shelf::new();
    let backup = shelf.place("keyless");
    let said = succeeds(pasar(
        &folder.data(),
        &["backup", text(&backup), "--without-keys"],
    ));
    assert!(said.contains("not among them"), "{said}");
    assert!(!backup.join("keyring.json").exists());

    let data = shelf.place("data");
    let complaint = fails(pasar(&data, &["restore", text(&backup)]));
    assert!(complaint.contains("made without keys"), "{complaint}");
    assert!(!data.exists(), "it changed something");
    // Those of another system do not do.
    fs::create_dir(&data).unwrap();
    let keyring = data.join("keyring.json");
    let other = r#"{"roots":[{"id":1,"secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
    fs::write(&keyring, other).unwrap();
    fs::set_permissions(&keyring, fs::Permissions::from_mode(0o600)).unwrap();
    let complaint = fails(pasar(&data, &["restore", text(&backup)]));
    assert!(
        complaint.contains("not the one of the backup"),
        "{complaint}"
    );
    fs::copy(folder.data().join("keyring.json"), &keyring).unwrap();
    succeeds(pasar(&data, &["restore", text(&backup)]));
}

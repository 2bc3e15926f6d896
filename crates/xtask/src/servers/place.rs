//! Where the servers' files are, which ports are theirs, and who may log in.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Read as _,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// May do everything.
pub(super) const USER: &str = "pasar";
/// May only use what is called `allowed`, where the kind of server has such rules. The same password.
pub(super) const LIMITED_USER: &str = "limited";

/// Ports of one place: below those that the system gives to outgoing connections, or one of them could
/// take a server's port while it is down.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 20;
const PLACES: u16 = 500;

/// The folder and all that is the same for every server in it.
pub(super) struct Place {
    root: PathBuf,
    first_port: u16,
    pub(super) password: String,
}

impl Place {
    /// Makes the folder if it is not there: each has ports and a password of its own, kept from then on.
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(root)?;
        let first_port = kept(&root.join("first-port"), || {
            free_ports().map(|port| port.to_string())
        })?;
        Ok(Self {
            root: root.to_owned(),
            first_port: first_port.parse().context("cannot read first-port")?,
            password: kept(&root.join("password"), new_password)?,
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) const fn port(&self, offset: u16) -> u16 {
        self.first_port + offset
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.root.join("tls/ca.pem")
    }

    /// One that signed nothing here.
    pub(super) fn other_ca(&self) -> PathBuf {
        self.root.join("tls/other-ca.pem")
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.root.join("tls/server.pem")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.root.join("tls/server-key.pem")
    }

    /// Writes a file of a server, making its folder; gives its path.
    pub(super) fn write(&self, name: &str, file: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder(name).join(file);
        fs::create_dir_all(self.folder(name).join("data"))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn kept(path: &Path, make: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<String> {
    if let Ok(text) = fs::read_to_string(path) {
        return Ok(text);
    }
    let text = make()?;
    fs::write(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(text)
}

fn free_ports() -> anyhow::Result<u16> {
    // Two places that begin to look at once should not find the same.
    let mut seed = [0; 2];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let start = u16::from_le_bytes(seed) % PLACES;
    (0..PLACES)
        .map(|index| FIRST_PORT + (start + index) % PLACES * PORTS)
        .find(|first| {
            (*first..first + PORTS)
                .all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        })
        .context("there is no free range of ports")
}

fn new_password() -> anyhow::Result<String> {
    let mut bytes = [0; 12];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

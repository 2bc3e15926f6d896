//! `demo.env` in the data folder: where the demo answers, and a key for each role.
//!
//! A shell reads it with `. pasar-data/demo.env`; the client commands take what they lack from it.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use pasar_contracts::api::users::Role;

pub(crate) const FILE_NAME: &str = "demo.env";

/// The roles that get a key, with the names of their variables.
pub(crate) const ROLES: [(Role, &str); 5] = [
    (Role::Customer, "CUSTOMER"),
    (Role::Kiosk, "KIOSK"),
    (Role::Staff, "STAFF"),
    (Role::Admin, "ADMIN"),
    (Role::Integrator, "INTEGRATOR"),
];

/// What the file holds, in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DemoEnv {
    variables: Vec<(String, String)>,
}

impl DemoEnv {
    pub(crate) fn path(data: &Path) -> PathBuf {
        data.join(FILE_NAME)
    }

    /// `None` if there is no such file.
    pub(crate) fn read(data: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(data);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self::parse(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Changes the file. Several processes of a demo write to it: one after the other.
    pub(crate) async fn change(
        data: &Path,
        change: impl AsyncFnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = data.join("demo.env.lock");
        let failed = || format!("cannot lock {}", path.display());
        let lock = fs::File::create(&path).with_context(failed)?;
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await?;
        let _lock = lock.with_context(failed)?;
        let before = Self::read(data)?;
        let mut demo = before.clone().unwrap_or_default();
        change(&mut demo).await?;
        if before.as_ref() != Some(&demo) {
            demo.write(data)?;
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.variables.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    /// Replaces the file as a whole, readable by its owner alone.
    pub(crate) fn write(&self, data: &Path) -> anyhow::Result<()> {
        let path = Self::path(data);
        let part = data.join("demo.env.part");
        let failed = || format!("cannot write {}", path.display());
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&part).with_context(failed)?;
        file.write_all(self.text().as_bytes())
            .with_context(failed)?;
        file.sync_all().with_context(failed)?;
        fs::rename(&part, &path).with_context(failed)
    }

    fn parse(text: &str) -> Self {
        let variables = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Self { variables }
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "# The demo's address and keys. Delete the data folder to get new ones.\n",
        );
        for (name, value) in &self.variables {
            text.push_str(name);
            text.push('=');
            text.push_str(value);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_only_its_owner_may_read_it() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(DemoEnv::read(data.path()).unwrap(), None);
        let mut demo = DemoEnv::default();
        demo.set("PASAR", "http://127.0.0.1:1");
        demo.set("STAFF", "pasar_sk_a");
        demo.set("PASAR", "http://127.0.0.1:2");
        demo.write(data.path()).unwrap();

        let read = DemoEnv::read(data.path()).unwrap().unwrap();
        assert_eq!(read, demo);
        assert_eq!(read.get("PASAR"), Some("http://127.0.0.1:2"));
        assert_eq!(read.get("KIOSK"), None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(DemoEnv::path(data.path()))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

//! The database of one service, for a command that works on it while the service does not run. It changes what is
//! there: it makes no database and no step of a schema.

use std::path::Path;

use anyhow::ensure;
use pasar_chassis::{databases::Databases, host::Host, keyring::Keyring};
use pasar_contracts::event::Service;
use pasar_store::ids::SystemIds;

use crate::{
    config::Config,
    keyring_text,
    lock::{self, DataLock},
};

/// Where the database is. In a folder where it is not, nothing is made.
pub(crate) fn databases(
    config: &Config,
    data: &Path,
    service: Service,
) -> anyhow::Result<Databases> {
    let databases = config.database.databases()?.verified_only(true);
    let place = databases.place(data, service);
    lock::refuse_unfinished(data)?;
    ensure!(
        place.file().is_none_or(Path::is_file),
        "the database of {service} is not in {}; name its folder with --data",
        data.display()
    );
    Ok(databases)
}

/// Takes it, so that the service does not start meanwhile: on a server by what each command writes.
pub(crate) fn take(
    databases: Databases,
    data: &Path,
    service: Service,
) -> anyhow::Result<(Host, Option<DataLock>)> {
    let lock = match databases.are_on_server() {
        true => None,
        false => Some(DataLock::take(data, service.as_str())?),
    };
    let environment = keyring_text::given()?;
    let keyring = Keyring::open(data, environment.as_deref(), &SystemIds::default())?;
    let host = Host {
        databases,
        ..Host::system(data, keyring, "")
    };
    Ok((host, lock))
}

//! `--demo`: a menu to order from, and a key for each role, the same across restarts.

use std::path::Path;

use anyhow::Context as _;
use pasar_contracts::{
    api::users::{RateLimit, Role},
    event::Service,
};
use pasar_store::store::Store;
use pasar_users::operator::{self, MachineKey};

use super::{boot::System, menu};
use crate::demo_env::{DemoEnv, ROLES};

/// What the welcome shows.
pub(super) struct Demo {
    /// Something that can be ordered.
    pub(super) product: Option<&'static str>,
    /// Whether `demo.env` in this process's folder holds the keys: a process with users puts them into its own.
    pub(super) has_keys: bool,
    /// Whether the relay runs here, where a message needs no key. Elsewhere nobody here knows.
    pub(super) is_relay_open: bool,
}

/// Each process of a demo does what is its own: the gateway tells the address, users makes the keys, inventory
/// has the menu.
pub(super) async fn prepare(system: &System, data: &Path) -> anyhow::Result<Demo> {
    let product = match system.store(Service::Inventory) {
        Ok(inventory) => {
            menu::load(inventory).await?;
            Some("kopi-susu")
        }
        // The relay alone: there is nothing to order.
        Err(_) => None,
    };
    let users = system.store(Service::Users).ok();
    let mut has_keys = false;
    DemoEnv::change(data, async |demo| {
        if system.has_gateway {
            demo.set("PASAR", &system.url);
        }
        if let Some(users) = users {
            provision_keys(users, demo).await?;
        }
        has_keys = ROLES.iter().all(|(_, name)| demo.get(name).is_some());
        Ok(())
    })
    .await?;
    Ok(Demo {
        product,
        has_keys,
        is_relay_open: system.store(Service::Relay).is_ok(),
    })
}

async fn provision_keys(users: &Store, demo: &mut DemoEnv) -> anyhow::Result<()> {
    for (role, variable) in ROLES {
        let wanted = MachineKey {
            machine: &format!("demo {}", role.as_str()),
            roles: &[role],
            scopes: &scopes(role),
            rate_limit: Some(RateLimit::Unlimited),
            api_key: demo.get(variable),
        };
        let key = operator::provision_key(users, wanted)
            .await
            .with_context(|| format!("cannot make the demo's key {variable}"))?;
        demo.set(variable, key);
    }
    Ok(())
}

/// What a role's key may send and have delivered. Nobody sends to a service's topic, whatever the scope.
fn scopes(role: Role) -> Vec<String> {
    let scopes: &[&str] = match role {
        Role::Integrator => &["publish:*", "subscribe:*", "feed:*"],
        Role::Staff => &["publish:client"],
        Role::Customer | Role::Kiosk | Role::Admin => &[],
    };
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

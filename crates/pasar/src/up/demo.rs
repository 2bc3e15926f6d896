//! `--demo`: a menu to order from, and a key for each role, the same across restarts.

use std::path::Path;

use anyhow::Context as _;
use pasar_contracts::{
    api::users::{RateLimit, Role},
    event::Service,
};
use pasar_users::operator::{self, MachineKey};

use super::{boot::System, menu};
use crate::demo_env::{DemoEnv, ROLES};

/// What the welcome shows.
pub(super) struct Demo {
    /// Something that can be ordered.
    pub(super) product: Option<&'static str>,
}

pub(super) async fn prepare(system: &System, data: &Path) -> anyhow::Result<Demo> {
    let product = match system.store(Service::Inventory) {
        Ok(inventory) => {
            menu::load(inventory).await?;
            Some("kopi-susu")
        }
        // The relay alone: there is nothing to order.
        Err(_) => None,
    };
    let users = system.store(Service::Users)?;
    let mut demo = DemoEnv::read(data)?.unwrap_or_default();
    let before = demo.clone();
    demo.set("PASAR", &system.url);
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
    if demo != before {
        demo.write(data)?;
    }
    Ok(Demo { product })
}

/// What a role's key may send and have delivered. Nobody sends to a service's topic, whatever the scope.
fn scopes(role: Role) -> Vec<String> {
    let scopes: &[&str] = match role {
        Role::Integrator => &["publish:*", "subscribe:*"],
        Role::Staff => &["publish:client"],
        Role::Customer | Role::Kiosk | Role::Admin => &[],
    };
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

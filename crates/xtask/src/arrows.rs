//! Who may know whom: the workspace's dependencies, held against the arrows of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::workspace::Workspace;

/// Each crate with all that it may know. A crate that is not listed fails, so that whoever adds
/// one decides where it stands.
const MAY_KNOW: [(&str, &[&str]); 14] = [
    ("pasar-types", &[]),
    ("pasar-contracts", &["pasar-types"]),
    ("pasar-store", &["pasar-types", "pasar-contracts"]),
    (
        "pasar-feed",
        &["pasar-types", "pasar-contracts", "pasar-store"],
    ),
    ("pasar-chassis", BELOW_CHASSIS),
    ("pasar-users", WHAT_SERVICES_KNOW),
    ("pasar-inventory", WHAT_SERVICES_KNOW),
    ("pasar-orders", WHAT_SERVICES_KNOW),
    ("pasar-payments", WHAT_SERVICES_KNOW),
    ("pasar-relay", WHAT_SERVICES_KNOW),
    ("pasar-gateway", WHAT_SERVICES_KNOW),
    ("pasar-testkit", WHAT_SERVICES_KNOW),
    ("pasar", EVERYTHING),
    ("xtask", &[]),
];
const BELOW_CHASSIS: &[&str] = &[
    "pasar-types",
    "pasar-contracts",
    "pasar-store",
    "pasar-feed",
];
const WHAT_SERVICES_KNOW: &[&str] = &[
    "pasar-types",
    "pasar-contracts",
    "pasar-store",
    "pasar-feed",
    "pasar-chassis",
];
const EVERYTHING: &[&str] = &[
    "pasar-types",
    "pasar-contracts",
    "pasar-store",
    "pasar-feed",
    "pasar-chassis",
    "pasar-users",
    "pasar-inventory",
    "pasar-orders",
    "pasar-payments",
    "pasar-relay",
    "pasar-gateway",
];

/// Only a development dependency, and only of what stands above it.
const TESTKIT: &str = "pasar-testkit";

/// Crates from outside that only the named ones may use, as they would carry a decision with them.
const KEPT_WITHIN: [(&str, &[&str]); 4] = [
    // Nothing else knows the engine; the program's tests corrupt copies of databases with it.
    ("rusqlite", &["pasar-store"]),
    // The ground is synchronous and speaks no HTTP.
    ("axum", ABOVE_FEED),
    ("hyper", ABOVE_FEED),
    // `thiserror` in libraries; `anyhow` where nobody matches on errors any more.
    ("anyhow", &["pasar", "xtask"]),
];
const ABOVE_FEED: &[&str] = &[
    "pasar-chassis",
    "pasar-users",
    "pasar-inventory",
    "pasar-orders",
    "pasar-payments",
    "pasar-relay",
    "pasar-gateway",
    "pasar-testkit",
    "pasar",
];

/// One dependency of a workspace crate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Arrow {
    from: String,
    to: String,
    development: bool,
}

/// Fails with every arrow that points the wrong way.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let output = workspace
        .cargo(&["metadata", "--format-version=1", "--no-deps"])
        .output()
        .context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let (crates, arrows) = read(&metadata)?;
    let wrong = violations(&crates, &arrows);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(
        !arrows.is_empty(),
        "cargo metadata lists no dependency at all"
    );
    Ok(())
}

fn read(metadata: &Value) -> anyhow::Result<(BTreeSet<String>, Vec<Arrow>)> {
    let name = |value: &Value| value["name"].as_str().map(str::to_owned);
    let mut crates = BTreeSet::new();
    let mut arrows = Vec::new();
    for package in metadata["packages"].as_array().context("packages")? {
        let from = name(package).context("a package's name")?;
        for dependency in package["dependencies"].as_array().context("dependencies")? {
            arrows.push(Arrow {
                from: from.clone(),
                to: name(dependency).context("a dependency's name")?,
                development: dependency["kind"] == "dev",
            });
        }
        crates.insert(from);
    }
    Ok((crates, arrows))
}

fn violations(crates: &BTreeSet<String>, arrows: &[Arrow]) -> Vec<String> {
    let rules = BTreeMap::from(MAY_KNOW);
    let mut wrong = Vec::new();
    for name in crates {
        if !rules.contains_key(name.as_str()) {
            wrong.push(format!(
                "{name} has no place among the arrows (crates/xtask/src/arrows.rs)"
            ));
        }
    }
    for name in rules.keys().filter(|name| !crates.contains(**name)) {
        wrong.push(format!(
            "{name} has a place among the arrows but does not exist"
        ));
    }
    for arrow in arrows {
        let known = rules.get(arrow.from.as_str()).copied().unwrap_or_default();
        let allowed = if arrow.to == TESTKIT {
            arrow.development && known.contains(&"pasar-chassis")
        } else if crates.contains(&arrow.to) {
            known.contains(&arrow.to.as_str())
        } else if arrow.development && arrow.to == "rusqlite" {
            // The chassis' tests of feeds rewind a database behind its store's back, as a restore does.
            ["pasar", "pasar-chassis", "pasar-store"].contains(&arrow.from.as_str())
        } else {
            KEPT_WITHIN
                .iter()
                .all(|(kept, within)| *kept != arrow.to || within.contains(&arrow.from.as_str()))
        };
        if !allowed {
            let kind = if arrow.development {
                " (for its tests)"
            } else {
                ""
            };
            wrong.push(format!("{} must not know {}{kind}", arrow.from, arrow.to));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(from: &str, to: &str, development: bool) -> Vec<String> {
        let crates = MAY_KNOW
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        violations(
            &crates,
            &[Arrow {
                from: from.into(),
                to: to.into(),
                development,
            }],
        )
    }

    #[test]
    fn the_workspace_follows_the_arrows() {
        check(&Workspace::find().unwrap()).unwrap();
    }

    #[test]
    fn a_service_that_knows_another_is_named() {
        assert_eq!(
            verdict("pasar-orders", "pasar-payments", false),
            ["pasar-orders must not know pasar-payments"]
        );
    }

    #[test]
    fn an_arrow_that_points_up_is_named() {
        assert_eq!(
            verdict("pasar-store", "pasar-feed", true),
            ["pasar-store must not know pasar-feed (for its tests)"]
        );
        assert_eq!(verdict("pasar-feed", "pasar-store", false), [""; 0]);
    }

    #[test]
    fn the_testkit_is_for_tests_only_and_knows_no_service() {
        assert_eq!(
            verdict("pasar-orders", "pasar-testkit", false),
            ["pasar-orders must not know pasar-testkit"]
        );
        assert_eq!(verdict("pasar-orders", "pasar-testkit", true), [""; 0]);
        assert_eq!(
            verdict("pasar-testkit", "pasar-orders", true),
            ["pasar-testkit must not know pasar-orders (for its tests)"]
        );
    }

    #[test]
    fn the_engine_stays_within_the_store() {
        assert_eq!(
            verdict("pasar-orders", "rusqlite", false),
            ["pasar-orders must not know rusqlite"]
        );
        assert_eq!(verdict("pasar-store", "rusqlite", false), [""; 0]);
    }

    #[test]
    fn a_crate_without_a_place_is_named() {
        let mut crates: BTreeSet<String> = MAY_KNOW
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        crates.insert("pasar-new".into());
        assert_eq!(violations(&crates, &[]).len(), 1);
    }
}

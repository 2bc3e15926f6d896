//! Which service answers a path, by its first segments, as the services' documents say.
//!
//! What no document lists is not public; `/internal` is never routed, whoever lists it. Services in other
//! processes tell their documents when they come up, so the table is made anew now and then.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use http::{Method, header::CONTENT_TYPE, request::Parts};
use parking_lot::{Mutex, RwLock};
use pasar_chassis::service::BootError;
use pasar_contracts::api::feeds::FEEDS;
use serde_json::Value;

use crate::{meters::RouteMeters, request_body::BodyKind, upstream::Upstream};

/// Where the requests of one service go.
pub(crate) struct Target {
    pub(crate) upstream: Upstream,
    pub(crate) meters: RouteMeters,
}

/// Which paths are a service's.
#[derive(Clone, Default)]
pub(crate) struct Described {
    /// Its OpenAPI document, as JSON: it may have come over the network.
    pub(crate) openapi: Value,
    pub(crate) grpc: Vec<String>,
    /// Besides those of the document: `/v1/loyalty`.
    pub(crate) prefixes: Vec<String>,
}

/// A service to route to; not described yet while nobody has reached it.
pub(crate) struct Entrance {
    pub(crate) name: String,
    pub(crate) upstream: Upstream,
    pub(crate) described: Option<Described>,
}

pub(crate) struct Routes {
    known: Mutex<Vec<Known>>,
    table: RwLock<Arc<Table>>,
}

/// What requests are looked up in. It does not change.
pub(crate) struct Table {
    by_prefix: HashMap<Box<str>, Arc<Target>>,
    /// Paths that take lines without end (POST), as the documents say.
    takes_lines: HashSet<Box<str>>,
    /// Whether some service has not told yet what it answers.
    is_partial: bool,
}

struct Known {
    name: String,
    target: Arc<Target>,
    described: Option<Described>,
}

/// What a look-up found.
pub(crate) enum Found {
    Target(Arc<Target>),
    Nothing,
    /// A service that is not known yet may answer it.
    Perhaps,
}

const LINES: &str = "application/x-ndjson";
/// Of paths below this, two segments choose the service; of others, one.
const VERSION_PREFIX: &str = "/v1/";
/// Between services only.
const INTERNAL: &str = "/internal";

impl Routes {
    /// Refuses two services that list the same prefix.
    pub(crate) fn new(entrances: Vec<Entrance>) -> Result<Self, BootError> {
        let entries: Vec<_> = entrances
            .into_iter()
            .map(|entrance| Known {
                target: Arc::new(Target {
                    upstream: entrance.upstream,
                    meters: RouteMeters::new(&entrance.name),
                }),
                name: entrance.name,
                described: entrance.described,
            })
            .collect();
        let table = Table::new(&entries)?;
        Ok(Self {
            known: Mutex::new(entries),
            table: RwLock::new(Arc::new(table)),
        })
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read())
    }

    /// Takes over what a service says of itself now. What is refused leaves everything as it was.
    pub(crate) fn describe(&self, name: &str, described: Described) -> Result<(), BootError> {
        let mut entries = self.known.lock();
        let Some(entry) = entries.iter_mut().find(|entry| entry.name == name) else {
            return Ok(());
        };
        let before = entry.described.replace(described);
        match Table::new(&entries) {
            Ok(table) => {
                *self.table.write() = Arc::new(table);
                Ok(())
            }
            Err(error) => {
                if let Some(entry) = entries.iter_mut().find(|entry| entry.name == name) {
                    entry.described = before;
                }
                Err(error)
            }
        }
    }
}

impl Table {
    fn new(entries: &[Known]) -> Result<Self, BootError> {
        let mut by_prefix = HashMap::new();
        let mut takes_lines = HashSet::new();
        let mut owners: HashMap<Box<str>, &str> = HashMap::new();
        for entry in entries {
            let Some(described) = &entry.described else {
                continue;
            };
            takes_lines.extend(paths_of_lines(&described.openapi));
            for prefix in described.prefixes(&entry.name) {
                match owners.entry(prefix.clone()) {
                    Entry::Occupied(owner) if *owner.get() != entry.name => {
                        return Err(BootError::Invalid(format!(
                            "both {} and {} want to answer {prefix}",
                            owner.get(),
                            entry.name
                        )));
                    }
                    Entry::Occupied(_) => {}
                    Entry::Vacant(owner) => {
                        owner.insert(&entry.name);
                        by_prefix.insert(prefix, Arc::clone(&entry.target));
                    }
                }
            }
        }
        Ok(Self {
            by_prefix,
            takes_lines,
            is_partial: entries.iter().any(|entry| entry.described.is_none()),
        })
    }

    /// Whether the body is one that a service reads as it comes.
    pub(crate) fn body_kind(&self, parts: &Parts) -> BodyKind {
        let is_lines = parts.method == Method::POST
            && parts.headers.get(CONTENT_TYPE).is_some_and(|kind| {
                let kind = kind.as_bytes();
                kind.len() >= LINES.len()
                    && kind[..LINES.len()].eq_ignore_ascii_case(LINES.as_bytes())
            })
            && self.takes_lines.contains(parts.uri.path());
        if is_lines {
            BodyKind::Lines
        } else {
            BodyKind::Whole
        }
    }

    pub(crate) fn find(&self, path: &str) -> Found {
        let prefix = prefix(path);
        match self.by_prefix.get(prefix) {
            Some(target) => Found::Target(Arc::clone(target)),
            None if self.is_partial && prefix != INTERNAL => Found::Perhaps,
            None => Found::Nothing,
        }
    }
}

impl Described {
    /// Its document's, its gRPC services', and its feed.
    fn prefixes<'d>(&'d self, name: &'d str) -> impl Iterator<Item = Box<str>> + 'd {
        let paths = self.openapi["paths"].as_object().into_iter().flatten();
        paths
            .map(|(path, _)| path.clone())
            .chain(self.grpc.iter().map(|name| format!("/{name}")))
            .chain(self.prefixes.iter().cloned())
            .chain([format!("{FEEDS}{name}")])
            .filter(|path| prefix(path) != INTERNAL)
            .map(|path| prefix(&path).into())
    }
}

fn paths_of_lines(openapi: &Value) -> impl Iterator<Item = Box<str>> {
    let paths = openapi["paths"].as_object().into_iter().flatten();
    paths
        .filter(|(_, item)| item["post"]["requestBody"]["content"][LINES].is_object())
        .map(|(path, _)| path.as_str().into())
}

/// `/v1/orders` of `/v1/orders/ord_../start`, `/docs` of `/docs/style.css`, and all of `/v1/feeds/orders`. The
/// path is taken as it came: nothing is decoded or resolved here or later, so that all agree on what it names.
fn prefix(path: &str) -> &str {
    let from = if path.starts_with(FEEDS) {
        FEEDS.len()
    } else if path.starts_with(VERSION_PREFIX) {
        VERSION_PREFIX.len()
    } else {
        1
    };
    let rest = path.get(from..).unwrap_or_default();
    let end = rest.find('/').map_or(path.len(), |at| from + at);
    &path[..end]
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use pasar_chassis::openapi;
    use utoipa::openapi::{PathItem, path::PathsBuilder};

    use super::*;

    fn entrance(name: &str, paths: Option<&[&str]>) -> Entrance {
        Entrance {
            name: name.to_owned(),
            upstream: Upstream::Local(Router::new()),
            described: paths.map(described),
        }
    }

    fn described(paths: &[&str]) -> Described {
        let mut openapi = openapi::base("test", "test");
        let builder = paths.iter().fold(PathsBuilder::new(), |builder, path| {
            builder.path(*path, PathItem::default())
        });
        openapi.paths = builder.build();
        Described {
            openapi: serde_json::to_value(openapi).unwrap(),
            ..Described::default()
        }
    }

    fn is_found(routes: &Routes, path: &str) -> bool {
        matches!(routes.table().find(path), Found::Target(_))
    }

    #[test]
    fn the_first_segments_choose_and_nothing_is_resolved() {
        assert_eq!(prefix("/v1/orders/ord_1/start"), "/v1/orders");
        assert_eq!(prefix("/v1/orders"), "/v1/orders");
        assert_eq!(prefix("/v1/feeds/orders"), "/v1/feeds/orders");
        assert_eq!(prefix("/v1/feeds/orders/x"), "/v1/feeds/orders");
        assert_eq!(prefix("/v1/feeds"), "/v1/feeds");
        assert_eq!(prefix("/docs/style.css"), "/docs");
        assert_eq!(prefix("/"), "/");
        assert_eq!(prefix("/v1/"), "/v1/");
        assert_eq!(prefix("//internal/v1"), "/");
        assert_eq!(prefix(""), "");
    }

    #[test]
    fn internal_paths_are_not_routed_even_if_a_document_lists_them() {
        let paths: &[_] = &["/v1/users", "/internal/v1/sessions/{id}"];
        for others in [vec![], vec![entrance("orders", None)]] {
            let mut entrances = others;
            entrances.push(entrance("users", Some(paths)));
            let routes = Routes::new(entrances).unwrap();
            assert!(is_found(&routes, "/v1/users/me"));
            for path in [
                "/internal",
                "/internal/v1/sessions/x",
                "/v1/internal",
                "/Internal/v1",
                "/%69nternal/v1",
            ] {
                assert!(!is_found(&routes, path), "{path}");
            }
        }
    }

    #[test]
    fn two_services_with_one_prefix_do_not_start() {
        let entrances = vec![
            entrance("users", Some(&["/v1/users/me"])),
            entrance("orders", Some(&["/v1/users/{id}/orders"])),
        ];
        let refused = Routes::new(entrances).err().unwrap().to_string();
        assert_eq!(refused, "both users and orders want to answer /v1/users");
    }

    #[test]
    fn what_a_service_answers_is_learnt_when_it_comes_up_and_kept() {
        let entrances = vec![
            entrance("users", Some(&["/v1/users"])),
            entrance("orders", None),
        ];
        let routes = Routes::new(entrances).unwrap();
        let table = routes.table();
        assert!(matches!(table.find("/v1/orders"), Found::Perhaps));
        assert!(matches!(table.find("/internal/v1"), Found::Nothing));
        routes
            .describe("orders", described(&["/v1/orders"]))
            .unwrap();
        assert!(is_found(&routes, "/v1/orders"));
        assert!(matches!(routes.table().find("/v1/nothing"), Found::Nothing));
        // A new version that claims another's paths is not listened to.
        assert!(
            routes
                .describe("orders", described(&["/v1/users"]))
                .is_err()
        );
        assert!(is_found(&routes, "/v1/orders"));
    }
}

//! Which service answers a path, by its first segments, as the services' documents say.
//!
//! What no document lists is not public; `/internal` is never routed, whoever lists it.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use axum::Router;
use http::{Method, header::CONTENT_TYPE, request::Parts};
use pasar_chassis::service::{BootError, Running};
use pasar_contracts::event::Service;

use crate::{meters::RouteMeters, request_body::BodyKind};

/// Where the requests of one service go: its router, in this process.
pub(crate) struct Target {
    pub(crate) router: Router,
    pub(crate) meters: RouteMeters,
}

pub(crate) struct Routes {
    targets: Vec<Target>,
    by_prefix: HashMap<Box<str>, usize>,
    /// Paths that take lines without end (POST), as the documents say.
    takes_lines: HashSet<Box<str>>,
}

const LINES: &str = "application/x-ndjson";
/// Of paths below this, two segments choose the service; of others, one.
const VERSION_PREFIX: &str = "/v1/";
/// Between services only.
const INTERNAL: &str = "/internal";

impl Routes {
    /// Refuses two services that list the same prefix.
    pub(crate) fn new(services: Vec<(Service, Running)>) -> Result<Self, BootError> {
        let mut targets = Vec::new();
        let mut by_prefix = HashMap::new();
        let mut takes_lines = HashSet::new();
        let mut owners: HashMap<Box<str>, Service> = HashMap::new();
        for (service, running) in services {
            let Running {
                router,
                openapi,
                grpc,
            } = running;
            for (path, item) in &openapi.paths.paths {
                let body = item
                    .post
                    .as_ref()
                    .and_then(|post| post.request_body.as_ref());
                if body.is_some_and(|body| body.content.contains_key(LINES)) {
                    takes_lines.insert(path.as_str().into());
                }
            }
            let paths = openapi.paths.paths.keys().cloned();
            for path in paths.chain(grpc.iter().map(|name| format!("/{name}"))) {
                let prefix = prefix(&path);
                if prefix == INTERNAL {
                    continue;
                }
                match owners.entry(prefix.into()) {
                    Entry::Occupied(owner) if *owner.get() != service => {
                        let first = owner.get();
                        return Err(BootError::Invalid(format!(
                            "both {first} and {service} want to answer {prefix}"
                        )));
                    }
                    Entry::Occupied(_) => {}
                    Entry::Vacant(entry) => {
                        entry.insert(service);
                        by_prefix.insert(prefix.into(), targets.len());
                    }
                }
            }
            targets.push(Target {
                router,
                meters: RouteMeters::new(service),
            });
        }
        Ok(Self {
            targets,
            by_prefix,
            takes_lines,
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

    pub(crate) fn find(&self, path: &str) -> Option<&Target> {
        self.by_prefix
            .get(prefix(path))
            .map(|index| &self.targets[*index])
    }
}

/// `/v1/orders` of `/v1/orders/ord_../start`, `/docs` of `/docs/style.css`. The path is taken as it
/// came: nothing is decoded or resolved here or later, so that all agree on what it names.
fn prefix(path: &str) -> &str {
    let from = if path.starts_with(VERSION_PREFIX) {
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
    use pasar_chassis::openapi;
    use utoipa::openapi::{PathItem, path::PathsBuilder};

    use super::*;

    fn running(paths: &[&str]) -> Running {
        let mut openapi = openapi::base("test", "test");
        let builder = paths.iter().fold(PathsBuilder::new(), |builder, path| {
            builder.path(*path, PathItem::default())
        });
        openapi.paths = builder.build();
        Running {
            router: Router::new(),
            openapi,
            grpc: &[],
        }
    }

    #[test]
    fn the_first_segments_choose_and_nothing_is_resolved() {
        assert_eq!(prefix("/v1/orders/ord_1/start"), "/v1/orders");
        assert_eq!(prefix("/v1/orders"), "/v1/orders");
        assert_eq!(prefix("/docs/style.css"), "/docs");
        assert_eq!(prefix("/"), "/");
        assert_eq!(prefix("/v1/"), "/v1/");
        assert_eq!(prefix("//internal/v1"), "/");
        assert_eq!(prefix(""), "");
    }

    #[test]
    fn internal_paths_are_not_routed_even_if_a_document_lists_them() {
        let services = vec![(
            Service::Users,
            running(&["/v1/users", "/internal/v1/sessions/{id}"]),
        )];
        let routes = Routes::new(services).unwrap();
        assert!(routes.find("/v1/users/me").is_some());
        for path in [
            "/internal",
            "/internal/v1/sessions/x",
            "/v1/internal",
            "/Internal/v1",
            "/%69nternal/v1",
        ] {
            assert!(routes.find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn two_services_with_one_prefix_do_not_start() {
        let services = vec![
            (Service::Users, running(&["/v1/users/me"])),
            (Service::Orders, running(&["/v1/users/{id}/orders"])),
        ];
        let refused = Routes::new(services).err().unwrap().to_string();
        assert_eq!(refused, "both users and orders want to answer /v1/users");
    }
}

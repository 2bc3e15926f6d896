//! One OpenAPI 3.1 document of the whole system, made of the services' own, and what the edge adds to
//! every operation: how to authenticate, and the problems that it may answer with itself.

use std::fmt;

use http::Method;
use pasar_chassis::{
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem, PreconditionProblem},
    problem::MEDIA_TYPE,
    service::BootError,
};
use pasar_contracts::problem::ProblemType;
use serde_json::{Map, Value, json};
use utoipa::{
    IntoResponses, PartialSchema,
    openapi::{OpenApi, PathItem, path::Operation},
};

use crate::session_cookie::{CookieSession, SESSION_COOKIE};

/// The merged document, before [`Document::to_json`] finishes it.
#[derive(Clone)]
pub(crate) struct Document {
    openapi: OpenApi,
    /// Documents that came over the network, by the names of their services.
    elsewhere: Vec<(String, Value)>,
    public_url: String,
}

const INTERNAL: &str = "/internal";
/// Of an operation whose login or refresh may answer with cookies.
const COOKIE_OPERATIONS: [&str; 2] = ["/v1/auth/login", "/v1/auth/refresh"];
/// What the edge may answer to any operation with.
const EDGE_STATUSES: [u16; 13] = [
    400, 401, 403, 408, 413, 414, 415, 422, 429, 431, 500, 503, 504,
];
/// What many operations answer with besides.
const SHARED_STATUSES: [u16; 3] = [404, 409, 412];
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
const DESCRIPTION: &str = include_str!("../assets/openapi.md");

/// Every operation that a document lists: its method, its path and its operation id (empty if it has
/// none), in the order of paths.
#[must_use]
pub fn operations(document: &OpenApi) -> Vec<(Method, String, String)> {
    let mut operations = Vec::new();
    for (path, item) in &document.paths.paths {
        operations.extend(methods(item).into_iter().map(|(method, operation)| {
            (
                method,
                path.clone(),
                operation.operation_id.clone().unwrap_or_default(),
            )
        }));
    }
    operations
}

fn methods(item: &PathItem) -> Vec<(Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::OPTIONS, &item.options),
        (Method::HEAD, &item.head),
        (Method::PATCH, &item.patch),
        (Method::TRACE, &item.trace),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
        .collect()
}

impl Document {
    /// Begins with the gateway's own operations.
    pub(crate) fn new(public_url: &str, own: OpenApi) -> Self {
        Self {
            openapi: own,
            elsewhere: Vec::new(),
            public_url: public_url.to_owned(),
        }
    }

    pub(crate) fn into_openapi(self) -> OpenApi {
        self.openapi
    }

    /// Takes over a service's public operations. Two schemas of one name must be the same schema.
    pub(crate) fn add(&mut self, service: &str, of_service: &OpenApi) -> Result<(), BootError> {
        let mut public = of_service.clone();
        public
            .paths
            .paths
            .retain(|path, _| !path.starts_with(INTERNAL));
        if let (Some(known), Some(new)) = (&self.openapi.components, &public.components) {
            let differs = |(name, schema): &(&String, _)| {
                known
                    .schemas
                    .get(*name)
                    .is_some_and(|known| known != *schema)
            };
            if let Some((name, _)) = new.schemas.iter().find(differs) {
                return Err(BootError::Invalid(format!(
                    "the schema {name} of {service} differs from another service's"
                )));
            }
        }
        self.openapi.merge(public);
        Ok(())
    }

    /// Takes over what a service elsewhere says of itself, in place of what it said before. In the order of
    /// names, so that the document does not depend on who came up first.
    pub(crate) fn replace(&mut self, service: &str, openapi: Value) {
        self.elsewhere.retain(|(known, _)| known != service);
        self.elsewhere.push((service.to_owned(), openapi));
        self.elsewhere.sort_by(|one, other| one.0.cmp(&other.0));
    }

    /// The finished document.
    pub(crate) fn to_json(&self) -> Result<Value, BootError> {
        let mut document = serde_json::to_value(&self.openapi)
            .map_err(|error| BootError::Invalid(format!("the OpenAPI document: {error}")))?;
        for (service, openapi) in &self.elsewhere {
            merge(&mut document, service, openapi)?;
        }
        document["info"] = json!({
            "title": "Pasar",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        });
        document["servers"] = json!([{ "url": self.public_url }]);
        document["security"] = json!([{}, { "bearer": [] }, { "cookie": [] }]);
        add_components(&mut document);
        let shared = shared_responses();
        for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
            for method in METHODS {
                if let Some(operation) = item.get_mut(method) {
                    finish(path, operation, &shared);
                }
            }
        }
        Ok(document)
    }
}

/// Takes over the public operations of a document, and what they refer to.
fn merge(document: &mut Value, service: &str, openapi: &Value) -> Result<(), BootError> {
    for (path, item) in openapi["paths"].as_object().into_iter().flatten() {
        if !path.starts_with(INTERNAL) {
            document["paths"][path] = item.clone();
        }
    }
    for (kind, parts) in openapi["components"].as_object().into_iter().flatten() {
        for (name, part) in parts.as_object().into_iter().flatten() {
            let place = &mut document["components"][kind][name];
            if kind == "schemas" && !place.is_null() && place != part {
                return Err(BootError::Invalid(format!(
                    "the schema {name} of {service} differs from another service's"
                )));
            }
            *place = part.clone();
        }
    }
    let tags = openapi["tags"].as_array().cloned().unwrap_or_default();
    match document["tags"].as_array_mut() {
        Some(known) => known.extend(tags),
        None => document["tags"] = tags.into(),
    }
    Ok(())
}

fn add_components(document: &mut Value) {
    let types: Vec<_> = ProblemType::ALL.iter().map(|kind| uri(*kind)).collect();
    let components = &mut document["components"];
    components["schemas"]["Problem"]["properties"]["type"] = json!({
        "type": "string",
        "format": "uri-reference",
        "description": "The stable name of what went wrong; the page at this address says more.",
        "enum": types,
        "examples": ["/problems/not-found"],
    });
    components["schemas"]["CookieSession"] = json!(CookieSession::schema());
    components["securitySchemes"] = json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token (a JWT of ten minutes, from POST /v1/auth/login) or an API key (pasar_sk_..).",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": "For pages of this installation: what a login with Prefer: session=cookie sets.",
        },
    });
    for status in EDGE_STATUSES.into_iter().chain(SHARED_STATUSES) {
        components["responses"][response_name(status)] = problem_response(status);
    }
}

fn finish(path: &str, operation: &mut Value, shared: &Map<String, Value>) {
    let responses = &mut operation["responses"];
    if !responses.is_object() {
        *responses = Value::Object(Map::new());
    }
    if let Some(responses) = responses.as_object_mut() {
        responses.remove("default");
        for (status, response) in responses.iter_mut() {
            if shared.get(status) == Some(response) {
                *response = reference(status);
            }
        }
        for status in EDGE_STATUSES.map(|status| status.to_string()) {
            let edge = reference(&status);
            responses.entry(status).or_insert(edge);
        }
    }
    if COOKIE_OPERATIONS.contains(&path) {
        offer_cookies(operation);
    }
}

fn offer_cookies(operation: &mut Value) {
    let Some(schema) = operation.pointer_mut("/responses/200/content/application~1json/schema")
    else {
        return;
    };
    let tokens = schema.take();
    *schema = json!({ "anyOf": [tokens, { "$ref": "#/components/schemas/CookieSession" }] });
    let parameter = json!({
        "name": "Prefer",
        "in": "header",
        "description": "`session=cookie`, for pages of this installation: the tokens come as HttpOnly cookies, and the answer says only when to refresh. A refresh then takes its token from the cookie.",
        "required": false,
        "schema": { "type": "string", "enum": ["session=cookie"] },
    });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(parameter),
        None => operation["parameters"] = json!([parameter]),
    }
}

fn problem_response(status: u16) -> Value {
    let kinds = ProblemType::ALL
        .iter()
        .filter(|kind| kind.status() == status);
    let description: Vec<_> = kinds
        .clone()
        .map(|kind| format!("`{}`: {}", kind.slug(), kind.description().trim()))
        .collect();
    let examples: Map<_, _> = kinds
        .map(|kind| {
            let value = json!({ "type": uri(*kind), "title": kind.title(), "status": status });
            (kind.slug().to_owned(), json!({ "value": value }))
        })
        .collect();
    json!({
        "description": description.join("\n\n"),
        "content": { MEDIA_TYPE: {
            "schema": { "$ref": "#/components/schemas/Problem" },
            "examples": examples,
        } },
    })
}

/// The answers that services' operations share, as each of them lists them.
fn shared_responses() -> Map<String, Value> {
    let all = [
        CommonProblems::responses(),
        NotFoundProblem::responses(),
        ConflictProblem::responses(),
        PreconditionProblem::responses(),
    ];
    let listed = all.into_iter().flatten();
    listed
        .filter_map(|(status, response)| Some((status, serde_json::to_value(response).ok()?)))
        .collect()
}

fn reference(status: &str) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", response_name(status)) })
}

fn response_name(status: impl fmt::Display) -> String {
    format!("Problem{status}")
}

fn uri(kind: ProblemType) -> String {
    format!("/problems/{}", kind.slug())
}

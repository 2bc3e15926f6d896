//! What all services' OpenAPI documents share: the problem schema, the answers that any call may get,
//! and a check of what the documents promise.

mod schema;

use std::collections::{BTreeMap, BTreeSet};

use pasar_contracts::problem::ProblemType;
use serde_json::{Map, Value};
use utoipa::{
    IntoResponses,
    openapi::{
        self, Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, tag::TagBuilder,
    },
};

use crate::problem::MEDIA_TYPE;

pub use schema::{FieldErrorSchema, ProblemSchema};

/// The problems that every call may answer with; list it beside the call's own.
pub struct CommonProblems;

/// 404, for calls that name something.
pub struct NotFoundProblem;

/// 409, for calls that change something.
pub struct ConflictProblem;

/// 410, for what happened long ago.
pub struct NoLongerKeptProblem;

/// 412, for calls that take `If-Match`.
pub struct PreconditionProblem;

macro_rules! problem_responses {
    ($($name:ident: $($status:literal)+;)*) => {
        $(impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$($status),+].into_iter().map(problem_response).collect()
            }
        })*
    };
}

problem_responses! {
    CommonProblems: 400 401 403 413 415 422 429 500 503 504;
    NotFoundProblem: 404;
    ConflictProblem: 409;
    NoLongerKeptProblem: 410;
    PreconditionProblem: 412;
}

/// A document to begin with: the service's tag and what all share. For `OpenApiRouter::with_openapi`.
#[must_use]
pub fn base(tag: &str, description: &str) -> openapi::OpenApi {
    let mut document = schema::document();
    let tag = TagBuilder::new()
        .name(tag)
        .description(Some(description))
        .build();
    document.tags = Some(vec![tag]);
    document
}

/// What is wrong with a document: `default` answers, operations without an id, a tag or a 2xx answer,
/// ids used twice, references that lead nowhere.
#[must_use]
pub fn defects(document: &openapi::OpenApi) -> Vec<String> {
    let json = serde_json::to_value(document).unwrap_or_default();
    let mut found = Vec::new();
    let mut ids = BTreeSet::new();
    for (path, item) in json["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if METHODS.contains(&method.as_str()) {
                let name = format!("{} {path}", method.to_uppercase());
                operation_defects(&name, operation, &mut ids, &mut found);
            }
        }
    }
    reference_defects(&json, &json, &mut found);
    found.sort();
    found.dedup();
    found
}

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

fn operation_defects(
    name: &str,
    operation: &Value,
    ids: &mut BTreeSet<String>,
    found: &mut Vec<String>,
) {
    match operation["operationId"].as_str() {
        None | Some("") => found.push(format!("{name} has no operationId")),
        Some(id) if !ids.insert(id.to_owned()) => {
            found.push(format!(
                "{name} has the operationId {id} of another operation"
            ));
        }
        Some(_) => {}
    }
    if operation["tags"].as_array().is_none_or(Vec::is_empty) {
        found.push(format!("{name} has no tags"));
    }
    let none = Map::new();
    let responses = operation["responses"].as_object().unwrap_or(&none);
    if responses.contains_key("default") {
        found.push(format!("{name} has a default response"));
    }
    if !responses
        .keys()
        .any(|status| status.starts_with(['2', '3']) || status == "101")
    {
        found.push(format!("{name} has no response that is a success"));
    }
    if !responses.contains_key("500") {
        found.push(format!("{name} does not list the common problems"));
    }
}

fn reference_defects(document: &Value, part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                let pointer = target.strip_prefix('#');
                if pointer.is_none_or(|pointer| document.pointer(pointer).is_none()) {
                    found.push(format!("{target} leads nowhere"));
                }
            }
            members
                .values()
                .for_each(|member| reference_defects(document, member, found));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| reference_defects(document, item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One status with the problem types that it may carry.
fn problem_response(status: u16) -> (String, RefOr<Response>) {
    let kinds: Vec<_> = ProblemType::ALL
        .iter()
        .filter(|kind| kind.status() == status)
        .collect();
    let description: Vec<_> = kinds
        .iter()
        .map(|kind| format!("`{}`:{}", kind.slug(), kind.description()))
        .collect();
    let example = kinds.first().map(|kind| {
        serde_json::json!({
            "type": format!("/problems/{}", kind.slug()),
            "title": kind.title(),
            "status": status,
        })
    });
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let content: Content = ContentBuilder::new()
        .schema(Some(schema))
        .example(example)
        .build();
    let response = ResponseBuilder::new()
        .description(description.join("\n\n"))
        .content(MEDIA_TYPE, content)
        .build();
    (status.to_string(), response.into())
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi as _;

    use super::*;

    #[utoipa::path(get, path = "/good", operation_id = "good", tag = "t", responses(
        (status = 200, description = "well"), CommonProblems, NotFoundProblem,
    ))]
    #[expect(dead_code, reason = "only its document is used")]
    fn good() {}

    #[utoipa::path(get, path = "/bad", operation_id = "good", responses(
        (status = "default", description = "anything"),
    ))]
    #[expect(dead_code, reason = "only its document is used")]
    fn bad() {}

    #[derive(utoipa::OpenApi)]
    #[openapi(paths(good))]
    struct Good;

    #[derive(utoipa::OpenApi)]
    #[openapi(paths(good, bad))]
    struct Bad;

    #[test]
    fn a_document_on_the_shared_base_has_no_defects() {
        let mut document = base("t", "For the test.");
        document.merge(Good::openapi());
        assert_eq!(defects(&document), Vec::<String>::new());
    }

    #[test]
    fn each_defect_is_named() {
        let found = defects(&Bad::openapi());
        for part in [
            "GET /bad has no tags",
            "GET /bad has a default response",
            "GET /bad has no response that is a success",
            "does not list the common problems",
            "of another operation",
            "leads nowhere",
        ] {
            assert!(
                found.iter().any(|defect| defect.contains(part)),
                "{part}: {found:?}"
            );
        }
    }

    #[test]
    fn every_problem_type_is_under_some_status() {
        let body = serde_json::to_value(CommonProblems::responses()).unwrap();
        assert!(
            body["422"]["description"]
                .as_str()
                .unwrap()
                .contains("unknown-sku")
        );
    }
}

//! The shape of a problem, as the documents describe it.

use utoipa::OpenApi;

/// RFC 9457 problem details. Some types have further members; their descriptions name them.
#[derive(utoipa::ToSchema)]
#[schema(as = Problem, examples(json!({
    "type": "/problems/state-forbids",
    "title": "The state forbids this",
    "status": 409,
    "detail": "the order is collected",
    "state": "collected"
})))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct ProblemSchema {
    /// `/problems/` and the stable name of what went wrong.
    #[schema(rename = "type", examples("/problems/not-found"))]
    kind: String,
    title: String,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time.
    #[schema(nullable = false)]
    detail: Option<String>,
    #[schema(nullable = false)]
    instance: Option<String>,
    /// The values that are not acceptable, with `validation-failed`.
    #[schema(nullable = false)]
    errors: Option<Vec<FieldErrorSchema>>,
}

/// One value that is not acceptable.
#[derive(utoipa::ToSchema)]
#[schema(as = FieldError)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct FieldErrorSchema {
    #[schema(examples("lines[0].quantity"))]
    field: String,
    #[schema(examples("expected a quantity from 1 to 1000000, got 0"))]
    detail: String,
}

/// The schemas that the common answers refer to.
#[derive(OpenApi)]
#[openapi(components(schemas(ProblemSchema, FieldErrorSchema)))]
struct Shared;

/// A document with these schemas and nothing else.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    Shared::openapi()
}

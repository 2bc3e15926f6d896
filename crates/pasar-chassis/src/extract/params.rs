//! The query and the path of a request.

use axum::extract::{FromRequestParts, path::ErrorKind, rejection::PathRejection};
use http::request::Parts;
use pasar_contracts::problem::ProblemType;
use serde::de::DeserializeOwned;

use super::{
    json::field_problem,
    wording::{reworded, type_name},
};
use crate::problem::Problem;

/// The query, as a struct. Unknown and repeated parameters are refused if the struct refuses them.
/// `#[serde(flatten)]` does not work here: numbers do not pass through it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<T>(pub T);

/// The parameters of the path: one value, a tuple or a struct.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.path().contains("%00") {
            return Err(Problem::new(ProblemType::InvalidRequest)
                .detail("the path may not contain NUL characters"));
        }
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| path_problem(&rejection))
    }
}

fn query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    for (name, value) in pairs {
        if name.contains('\0') || value.contains('\0') {
            let name = name.replace('\0', "?");
            return Err(Problem::invalid_field(
                name,
                "a text may not contain NUL characters",
            ));
        }
    }
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let field = error.path().to_string();
        field_problem(&field, &error.inner().to_string())
    })
}

fn path_problem(rejection: &PathRejection) -> Problem {
    let invalid = |detail: String| Problem::new(ProblemType::InvalidRequest).detail(detail);
    let PathRejection::FailedToDeserializePathParams(error) = rejection else {
        return Problem::defect("a path without parameters was read for parameters");
    };
    match error.kind() {
        ErrorKind::ParseErrorAtKey {
            key, expected_type, ..
        } => invalid(format!(
            "{key} in the path must be {}",
            type_name(expected_type)
        )),
        ErrorKind::DeserializeError { key, message, .. } => {
            invalid(format!("{key} in the path: {}", reworded(message)))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => {
            invalid(format!("{key} in the path must be UTF-8"))
        }
        ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. } => {
            Problem::defect(&format!("a route and its parameters differ: {error}"))
        }
        _ => invalid(format!("the path cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        q: Option<String>,
        limit: Option<u16>,
    }

    #[test]
    fn a_query_is_decoded_and_its_faults_name_the_parameter() {
        let wanted = Filter {
            q: Some("kopi susu é".into()),
            limit: Some(5),
        };
        assert_eq!(
            query::<Filter>("q=kopi+susu%20%C3%A9&limit=5").unwrap(),
            wanted
        );
        for (text, field) in [
            ("limit=-1", "limit"),
            ("limit=", "limit"),
            ("limit=1&limit=2", "limit"),
            ("lim=1", "lim"),
            ("q=a%00b", "q"),
        ] {
            let problem = query::<Filter>(text).unwrap_err();
            assert_eq!(problem.status().as_u16(), 422, "{text}");
            assert_eq!(problem.to_json()["errors"][0]["field"], field, "{text}");
        }
    }
}

//! A refusal as the API tells it, and what a person can do about it.

use reqwest::StatusCode;
use serde::Deserialize;

/// A problem as the API answers it (RFC 9457), with the members that help a person on.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type", default)]
    problem_type: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: Option<String>,
    /// One entry a field that is not acceptable.
    #[serde(default)]
    pub(crate) errors: Vec<FieldError>,
    #[serde(skip)]
    pub(super) status: u16,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FieldError {
    /// Where in the request: `lines[0].quantity`.
    #[serde(default)]
    pub(crate) field: String,
    #[serde(default)]
    pub(crate) detail: String,
}

impl Problem {
    /// The stable name at the end of `type`, or the status when the answer was no problem document.
    pub(crate) fn slug(&self) -> String {
        match self.problem_type.rsplit('/').next() {
            Some(slug) if !slug.is_empty() => slug.to_owned(),
            _ => format!("status {}", self.status),
        }
    }

    /// The same call may succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self.status, 429 | 503 | 504)
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND.as_u16()
    }

    /// What happened and what to do next, on one line.
    pub(crate) fn in_words(&self) -> String {
        let what = match (&self.detail, self.title.as_str()) {
            (Some(detail), _) => detail.clone(),
            (None, "") => format!("the answer was {}", self.status),
            (None, title) => title.to_owned(),
        };
        let fields: String = self
            .errors
            .iter()
            .map(|field| format!("; {}: {}", field.field, field.detail))
            .collect();
        let advice = match self.status {
            401 => {
                ": give a valid key with --key or PASAR_KEY (the demo's are in demo.env in its data folder)"
            }
            403 => ": use a key whose role may do this (`STAFF` or `ADMIN` of demo.env)",
            404 => ": check --url and the name",
            429 | 503 | 504 => ": try again later, nothing is lost",
            500 => ": see the server's log",
            _ => "",
        };
        format!("{what}{fields}{advice}")
    }
}

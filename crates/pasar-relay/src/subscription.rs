//! A subscription, read and found valid. Pure rules; what they are checked against comes from the API model.

use pasar_chassis::problem::FieldError;
use pasar_contracts::api::relay::{
    DisableReason, Format, MAX_ATTEMPTS, MAX_CONCURRENCY, MAX_CONDITIONS, MAX_NAME_BYTES,
    MAX_PATTERNS, MAX_RATE_PER_S, Ordering, RetryPolicy, SubscriptionInput, SubscriptionState,
};
use pasar_store::{fault::Fault, lane::LaneKey};
use pasar_types::{id::SubscriptionId, time::Timestamp};
use serde_json::{Map, Value};

use crate::{
    destination::Kind,
    filter::{Condition, Filter},
    secrets::Secrets,
    topic::Pattern,
    vault::{Kinds, Vault},
};

/// A subscription as its row holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub id: SubscriptionId,
    /// `user:usr_..`, `key:key_..`, `operator`.
    pub owner: String,
    pub state: SubscriptionState,
    pub disabled_because: Option<DisableReason>,
    /// The destination without its secrets: it may be shown.
    pub input: SubscriptionInput,
    /// Where in the destination the secrets belong, as JSON pointers.
    pub secret_places: Vec<String>,
    /// Encrypted for this subscription.
    pub(crate) sealed: Option<Vec<u8>>,
    /// The name under which the configuration declares it.
    pub declared: Option<String>,
    pub created_at: Timestamp,
    /// Grows with every change: what `ETag` and `If-Match` name.
    pub version: i64,
    /// Of its newest event.
    pub keyversion: i64,
}

/// What its owner decides.
#[derive(Clone)]
pub struct Spec {
    pub name: Option<String>,
    pub filter: Filter,
    pub kind: &'static dyn Kind,
    /// With `kind`, and with secrets: never to be shown or logged.
    pub destination: Map<String, Value>,
    pub format: Format,
    pub ordering: Ordering,
    pub concurrency: u16,
    pub rate_per_s: Option<u32>,
    pub retry: RetryPolicy,
}

/// The lane from which a subscription's rows are written.
#[must_use]
pub fn lane(id: SubscriptionId) -> LaneKey {
    LaneKey::of(id.as_bytes())
}

const MAX_NAME_CHARS: usize = 100;
const MAX_WITHIN_S: u32 = 30 * 24 * 60 * 60;
const MAX_PAUSE_S: u32 = 24 * 60 * 60;

impl Spec {
    /// Reads what a client gave; names every field that is not acceptable.
    pub fn read(input: &SubscriptionInput, kinds: Kinds) -> Result<Self, Vec<FieldError>> {
        let mut errors = Errors::default();
        let filter = filter(input, &mut errors);
        let kind = kind(&input.destination, kinds, &mut errors);
        if input
            .name
            .as_ref()
            .is_some_and(|name| !(1..=MAX_NAME_CHARS).contains(&name.chars().count()))
        {
            errors.add("name", "expected 1 to 100 characters");
        }
        errors.within(
            "concurrency",
            input.concurrency.map(u32::from),
            MAX_CONCURRENCY.into(),
        );
        errors.within("rate_per_s", input.rate_per_s, MAX_RATE_PER_S);
        errors.within("retry.attempts", Some(input.retry.attempts), MAX_ATTEMPTS);
        errors.within("retry.within_s", Some(input.retry.within_s), MAX_WITHIN_S);
        errors.within("retry.first_s", Some(input.retry.first_s), MAX_PAUSE_S);
        errors.within("retry.most_s", Some(input.retry.most_s), MAX_PAUSE_S);
        match kind {
            Some(kind) if errors.0.is_empty() => Ok(Self {
                name: input.name.clone(),
                filter,
                kind,
                destination: input.destination.clone(),
                format: input.format,
                ordering: input.ordering,
                concurrency: input.concurrency.unwrap_or(kind.default_concurrency()),
                rate_per_s: input.rate_per_s,
                retry: input.retry,
            }),
            _ => Err(errors.0),
        }
    }
}

impl Stored {
    /// What its owner decides, with the secrets.
    pub(crate) fn open(&self, vault: &Vault) -> Result<Spec, Fault> {
        let mut input = self.input.clone();
        self.secrets(vault)?.put_into(&mut input.destination);
        Spec::read(&input, vault.kinds).map_err(|errors| {
            let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
            Fault::Corrupt(format!("{}: {}", self.id, fields.join(", ")))
        })
    }

    pub(crate) fn secrets(&self, vault: &Vault) -> Result<Secrets, Fault> {
        match &self.sealed {
            Some(sealed) => vault.open(self.id, sealed),
            None => Ok(Secrets::default()),
        }
    }

    /// The destination's kind, by its name.
    #[must_use]
    pub fn kind_name(&self) -> &str {
        self.input
            .destination
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// What a stored subscription takes; `None` if its filter is not one.
pub(crate) fn filter_of(input: &SubscriptionInput) -> Option<Filter> {
    let mut errors = Errors::default();
    let filter = filter(input, &mut errors);
    errors.0.is_empty().then_some(filter)
}

#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn add(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.0.push(FieldError {
            field: field.into(),
            detail: why.into(),
        });
    }

    fn within(&mut self, field: &str, value: Option<u32>, most: u32) {
        if value.is_some_and(|value| !(1..=most).contains(&value)) {
            self.add(field, format!("expected 1 to {most}"));
        }
    }
}

fn filter(input: &SubscriptionInput, errors: &mut Errors) -> Filter {
    if input.topics.is_empty() {
        errors.add("topics", "expected at least one");
    }
    if input.sources.len() > MAX_PATTERNS {
        errors.add("sources", format!("expected {MAX_PATTERNS} at most"));
    }
    if input
        .sources
        .iter()
        .any(|source| source.is_empty() || source.len() > MAX_NAME_BYTES)
    {
        errors.add(
            "sources",
            format!("expected 1 to {MAX_NAME_BYTES} bytes each"),
        );
    }
    Filter {
        topics: patterns("topics", &input.topics, errors),
        types: patterns("types", &input.types, errors),
        sources: input
            .sources
            .iter()
            .map(|source| source.as_str().into())
            .collect(),
        conditions: conditions(&input.data, errors),
    }
}

fn patterns(field: &str, texts: &[String], errors: &mut Errors) -> Vec<Pattern> {
    if texts.len() > MAX_PATTERNS {
        errors.add(field, format!("expected {MAX_PATTERNS} at most"));
    }
    let mut patterns = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match Pattern::parse(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => errors.add(format!("{field}[{index}]"), error.to_string()),
        }
    }
    patterns
}

fn conditions(data: &Map<String, Value>, errors: &mut Errors) -> Vec<Condition> {
    if data.len() > MAX_CONDITIONS {
        errors.add(
            "data",
            format!("expected {MAX_CONDITIONS} conditions at most"),
        );
    }
    let mut conditions = Vec::with_capacity(data.len());
    for (path, wanted) in data {
        let values = match wanted {
            Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        let comparable =
            |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
        let names: Vec<Box<str>> = path.split('.').map(Into::into).collect();
        if path.len() > MAX_NAME_BYTES || names.iter().any(|name| name.is_empty()) {
            errors.add(format!("data.{path}"), "expected names joined by dots");
        } else if values.is_empty() || values.len() > MAX_PATTERNS || !values.iter().all(comparable)
        {
            errors.add(
                format!("data.{path}"),
                format!("expected a string, number or boolean, or 1 to {MAX_PATTERNS} of them"),
            );
        } else {
            conditions.push(Condition {
                path: names,
                values,
            });
        }
    }
    conditions
}

fn kind(
    destination: &Map<String, Value>,
    kinds: Kinds,
    errors: &mut Errors,
) -> Option<&'static dyn Kind> {
    let Some(kind) = kinds.of(destination) else {
        let known: Vec<_> = kinds.0.iter().map(|kind| kind.name()).collect();
        errors.add(
            "destination.kind",
            format!("expected one of {}", known.join(", ")),
        );
        return None;
    };
    if let Err(error) = kind.check(destination) {
        let place = error.pointer.replace('/', ".");
        errors.add(format!("destination{place}"), error.why);
    }
    Some(kind)
}

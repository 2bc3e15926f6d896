//! What the document says of destinations: the settings of every kind that this build has, as they are given; and
//! without their secrets, as they are shown.

use std::collections::BTreeMap;

use utoipa::openapi::{
    OpenApi, Ref, RefOr, Schema,
    schema::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Type},
};

use crate::destinations::KINDS;

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// The document with each kind's settings in it.
pub(super) fn with_destinations(mut document: OpenApi) -> OpenApi {
    let Some(components) = &mut document.components else {
        return document;
    };
    let schemas = &mut components.schemas;
    for name in ["Subscription", "CreatedSubscription"] {
        let Some(schema) = schemas.get(name) else {
            continue;
        };
        // What refuses further members cannot be a part of something larger: so the parts are made one.
        let mut whole = Object::new();
        merge(&mut whole, schema, schemas);
        whole.properties.insert("destination".to_owned(), shown());
        schemas.insert(name.to_owned(), Schema::Object(whole).into());
    }
    if let Some(RefOr::T(Schema::Object(page))) = schemas.get_mut("Page_Subscription") {
        let items = ArrayBuilder::new().items(Ref::from_schema_name("Subscription"));
        page.properties
            .insert("items".to_owned(), items.build().into());
    }
    if let Some(RefOr::T(Schema::Object(input))) = schemas.get_mut("SubscriptionInput") {
        let settings = RefOr::Ref(Ref::from_schema_name("Destination"));
        input.properties.insert("destination".to_owned(), settings);
    }
    let kinds = KINDS
        .iter()
        .fold(OneOfBuilder::new(), |kinds, kind| kinds.item(kind.schema()));
    let kinds = kinds.description(Some(
        "`kind`, and what that kind needs. Secrets are stored encrypted and never shown again.",
    ));
    schemas.insert(
        "Destination".to_owned(),
        Schema::OneOf(kinds.build()).into(),
    );
    document
}

fn shown() -> RefOr<Schema> {
    let kind = ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("As it was given, without its secrets."))
        .property("kind", kind)
        .required("kind")
        .build()
        .into()
}

fn merge(whole: &mut Object, part: &RefOr<Schema>, schemas: &Schemas) {
    match part {
        RefOr::Ref(target) => {
            let name = target.ref_location.rsplit('/').next();
            if let Some(referred) = name.and_then(|name| schemas.get(name)) {
                merge(whole, referred, schemas);
            }
        }
        RefOr::T(Schema::AllOf(all)) => {
            for part in &all.items {
                merge(whole, part, schemas);
            }
        }
        RefOr::T(Schema::Object(part)) => {
            whole.properties.extend(part.properties.clone());
            whole.required.extend(part.required.iter().cloned());
            whole.description.clone_from(&part.description);
        }
        RefOr::T(_) => {}
    }
}

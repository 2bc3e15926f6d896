//! Finds the filters that take a message, at a cost that does not grow with those that do not.
//!
//! A filter is filed under its topics, and there under its most telling part: a condition on the data, else the
//! types, else the sources. What is found is checked whole. Only filters that name nothing but a shared topic,
//! or whose conditions all look at different fields, are looked at one by one.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use serde_json::Value;

use crate::{
    filter::{Filter, ParsedData},
    message::Message,
    topic::Pattern,
};

/// Filters by the key under which they were added.
pub struct Matcher<K> {
    exactly: HashMap<Box<str>, Drawer<K>>,
    /// By the stem with its dot.
    below: HashMap<Box<str>, Drawer<K>>,
    all: Drawer<K>,
    filters: HashMap<K, Arc<Filter>>,
}

/// The filters of one topic.
struct Drawer<K> {
    by_field: HashMap<Vec<Box<str>>, HashMap<Value, Vec<K>>>,
    by_type: HashMap<Box<str>, Vec<K>>,
    by_type_below: HashMap<Box<str>, Vec<K>>,
    by_source: HashMap<Box<str>, Vec<K>>,
    others: Vec<K>,
}

impl<K: Copy + Eq + Hash + Ord> Matcher<K> {
    /// Adds a filter, or replaces the one of the same key.
    pub fn insert(&mut self, key: K, filter: Arc<Filter>) {
        self.remove(key);
        for topic in &filter.topics {
            self.drawer(topic).insert(key, &filter);
        }
        self.filters.insert(key, filter);
    }

    pub fn remove(&mut self, key: K) {
        let Some(filter) = self.filters.remove(&key) else {
            return;
        };
        for topic in &filter.topics {
            self.drawer(topic).remove(key, &filter);
            match topic {
                Pattern::Exactly(name) => drop_empty(&mut self.exactly, name),
                Pattern::Below(stem) => drop_empty(&mut self.below, stem),
                Pattern::All => {}
            }
        }
    }

    /// The keys of the filters that match, each once.
    pub fn matches(&self, message: &Message, found: &mut Vec<K>) {
        found.clear();
        let mut data = ParsedData::default();
        if let Some(drawer) = self.exactly.get(&message.topic) {
            drawer.candidates(message, &mut data, found);
        }
        if !self.below.is_empty() {
            for stem in stems(&message.topic) {
                if let Some(drawer) = self.below.get(stem) {
                    drawer.candidates(message, &mut data, found);
                }
            }
        }
        self.all.candidates(message, &mut data, found);
        found.sort_unstable();
        found.dedup();
        found.retain(|key| {
            self.filters
                .get(key)
                .is_some_and(|filter| filter.matches_but_for_topics(message, &mut data))
        });
    }

    fn drawer(&mut self, topic: &Pattern) -> &mut Drawer<K> {
        match topic {
            Pattern::Exactly(name) => self.exactly.entry(name.clone()).or_default(),
            Pattern::Below(stem) => self.below.entry(stem.clone()).or_default(),
            Pattern::All => &mut self.all,
        }
    }
}

impl<K> Default for Matcher<K> {
    fn default() -> Self {
        Self {
            exactly: HashMap::new(),
            below: HashMap::new(),
            all: Drawer::default(),
            filters: HashMap::new(),
        }
    }
}

impl<K: Copy + Eq> Drawer<K> {
    fn insert(&mut self, key: K, filter: &Filter) {
        self.places(filter, |keys| keys.push(key));
    }

    fn remove(&mut self, key: K, filter: &Filter) {
        self.places(filter, |keys| keys.retain(|other| *other != key));
        if let Some(condition) = filter.conditions.first()
            && let Some(values) = self.by_field.get_mut(&condition.path)
        {
            values.retain(|_, keys| !keys.is_empty());
            if values.is_empty() {
                self.by_field.remove(&condition.path);
            }
        }
        self.by_type.retain(|_, keys| !keys.is_empty());
        self.by_type_below.retain(|_, keys| !keys.is_empty());
        self.by_source.retain(|_, keys| !keys.is_empty());
    }

    /// Every list in which a filter stands.
    fn places(&mut self, filter: &Filter, mut each: impl FnMut(&mut Vec<K>)) {
        if let Some(condition) = filter.conditions.first() {
            let values = self.by_field.entry(condition.path.clone()).or_default();
            for value in &condition.values {
                each(values.entry(value.clone()).or_default());
            }
        } else if !filter.types.is_empty() && !filter.types.contains(&Pattern::All) {
            for kind in &filter.types {
                match kind {
                    Pattern::Exactly(name) => each(self.by_type.entry(name.clone()).or_default()),
                    Pattern::Below(stem) => {
                        each(self.by_type_below.entry(stem.clone()).or_default());
                    }
                    Pattern::All => {}
                }
            }
        } else if !filter.sources.is_empty() {
            for source in &filter.sources {
                each(self.by_source.entry(source.clone()).or_default());
            }
        } else {
            each(&mut self.others);
        }
    }

    fn candidates(&self, message: &Message, data: &mut ParsedData, found: &mut Vec<K>) {
        found.extend_from_slice(&self.others);
        let mut add = |keys: Option<&Vec<K>>| {
            if let Some(keys) = keys {
                found.extend_from_slice(keys);
            }
        };
        add(self.by_type.get(&message.message_type));
        add(self.by_source.get(&message.source));
        if !self.by_type_below.is_empty() {
            for stem in stems(&message.message_type) {
                add(self.by_type_below.get(stem));
            }
        }
        for (path, values) in &self.by_field {
            let field = path
                .iter()
                .try_fold(data.of(message), |value, name| value.get(&**name));
            add(field.and_then(|field| values.get(field)));
        }
    }

    fn is_empty(&self) -> bool {
        self.others.is_empty()
            && self.by_field.is_empty()
            && self.by_type.is_empty()
            && self.by_type_below.is_empty()
            && self.by_source.is_empty()
    }
}

impl<K> Default for Drawer<K> {
    fn default() -> Self {
        Self {
            by_field: HashMap::new(),
            by_type: HashMap::new(),
            by_type_below: HashMap::new(),
            by_source: HashMap::new(),
            others: Vec::new(),
        }
    }
}

fn drop_empty<K: Copy + Eq>(drawers: &mut HashMap<Box<str>, Drawer<K>>, name: &str) {
    if drawers.get(name).is_some_and(Drawer::is_empty) {
        drawers.remove(name);
    }
}

/// `a.b.c`: `a.` and `a.b.`.
fn stems(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(at, _)| &name[..=at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{filter::Condition, testing::message};

    fn patterns() -> impl Strategy<Value = Pattern> {
        prop_oneof![
            "[ab]",
            "[ab]\\.[ab]",
            "[ab]\\.\\*",
            "[ab]\\.[ab]\\.\\*",
            Just("*".to_owned())
        ]
        .prop_map(|text| Pattern::parse(&text).unwrap())
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let condition =
            ("[xy]", 0..3_u8, any::<bool>()).prop_map(|(name, value, deep)| Condition {
                path: if deep {
                    vec![name.into(), "z".into()]
                } else {
                    vec![name.into()]
                },
                values: vec![json!(value), json!("text")],
            });
        (
            prop::collection::vec(patterns(), 1..3),
            prop::collection::vec(patterns(), 0..3),
            prop::collection::vec(
                prop_oneof![Just("/pasar/client".into()), Just("/other".into())],
                0..2,
            ),
            prop::collection::vec(condition, 0..3),
        )
            .prop_map(|(topics, types, sources, conditions)| Filter {
                topics,
                types,
                sources,
                conditions,
            })
    }

    proptest! {
        #[test]
        fn it_finds_what_each_filter_by_itself_would(
            filters in prop::collection::vec(filters(), 0..20),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
            topic in "[ab](\\.[ab]){0,2}",
            kind in "[ab](\\.[ab]){0,2}",
            x in 0..3_u8,
        ) {
            let mut matcher = Matcher::default();
            let mut kept: Vec<_> = filters.iter().cloned().map(Some).collect();
            for (key, filter) in filters.iter().enumerate() {
                matcher.insert(key, Arc::new(filter.clone()));
            }
            for index in removed {
                if !filters.is_empty() {
                    let key = index.index(filters.len());
                    matcher.remove(key);
                    kept[key] = None;
                }
            }
            let mut message = message(&topic, None, &json!({"x": x, "y": {"z": x}}));
            message.message_type = kind.into();
            let mut found = Vec::new();
            matcher.matches(&message, &mut found);
            let wanted: Vec<_> = kept
                .iter()
                .enumerate()
                .filter(|(_, filter)| filter.as_ref().is_some_and(|filter| filter.matches(&message, &mut ParsedData::default())))
                .map(|(key, _)| key)
                .collect();
            prop_assert_eq!(found, wanted);
            for key in 0..filters.len() {
                matcher.remove(key);
            }
            prop_assert!(matcher.exactly.is_empty() && matcher.below.is_empty() && matcher.all.is_empty());
        }
    }
}

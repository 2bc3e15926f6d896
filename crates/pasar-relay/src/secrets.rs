//! Taking secrets out of a destination's settings and putting them back. Places are JSON pointers (RFC 6901);
//! in what a kind declares, `*` stands for any member.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Secrets by their place. `null` means that a stored one is given up.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secrets(BTreeMap<String, Value>);

impl Secrets {
    /// Moves what stands at the places that a kind declares out of its settings.
    pub(crate) fn take_from(settings: &mut Map<String, Value>, declared: &[&str]) -> Self {
        let mut taken = Self::default();
        for pointer in declared {
            let names: Vec<_> = pointer.split('/').skip(1).collect();
            taken.take(settings, "", &names);
        }
        taken
    }

    fn take(&mut self, object: &mut Map<String, Value>, place: &str, names: &[&str]) {
        let Some((first, deeper)) = names.split_first() else {
            return;
        };
        let members: Vec<String> = match *first {
            "*" => object.keys().cloned().collect(),
            name => vec![name.to_owned()],
        };
        for name in members {
            let place = format!("{place}/{}", escape(&name));
            if deeper.is_empty() {
                if let Some(secret) = object.remove(&name) {
                    self.0.insert(place, secret);
                }
            } else if let Some(Value::Object(inner)) = object.get_mut(&name) {
                self.take(inner, &place, deeper);
            }
        }
    }

    /// Adds those of the stored ones that the new settings neither replace nor give up, and whose surroundings
    /// are as they were: a token of another login is not kept for the new one.
    pub(crate) fn keep(
        &mut self,
        stored: Self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) {
        for (place, secret) in stored.0 {
            let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
            let stays = parent.is_empty()
                || (at(new, parent).is_some() && at(new, parent) == at(old, parent));
            if stays {
                self.0.entry(place).or_insert(secret);
            }
        }
    }

    pub(crate) fn without_given_up(mut self) -> Self {
        self.0.retain(|_, secret| !secret.is_null());
        self
    }

    pub(crate) fn put_into(&self, settings: &mut Map<String, Value>) {
        for (place, secret) in &self.0 {
            let mut names: Vec<_> = place.split('/').skip(1).map(unescape).collect();
            let Some(last) = names.pop() else { continue };
            let mut object = Some(&mut *settings);
            for name in names {
                object = object.and_then(|object| {
                    object
                        .entry(name)
                        .or_insert_with(|| Value::Object(Map::new()))
                        .as_object_mut()
                });
            }
            if let Some(object) = object {
                object.insert(last, secret.clone());
            }
        }
    }

    pub(crate) fn places(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn at<'s>(settings: &'s Map<String, Value>, pointer: &str) -> Option<&'s Value> {
    let mut names = pointer.split('/').skip(1).map(unescape);
    let first = settings.get(&names.next()?)?;
    names.try_fold(first, |value, name| value.get(&name))
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DECLARED: &[&str] = &["/headers/*", "/auth/token", "/secret"];

    fn settings(value: Value) -> Map<String, Value> {
        let Value::Object(settings) = value else {
            panic!("settings are an object");
        };
        settings
    }

    #[test]
    fn what_was_taken_out_can_be_put_back() {
        let whole = settings(json!({
            "kind": "rest", "headers": {"a/b~c": "1", "x": "2"}, "auth": {"type": "bearer", "token": "t"}, "secret": "s",
        }));
        let mut bare = whole.clone();
        let secrets = Secrets::take_from(&mut bare, DECLARED);
        assert_eq!(
            Value::Object(bare.clone()),
            json!({"kind": "rest", "headers": {}, "auth": {"type": "bearer"}})
        );
        assert_eq!(
            secrets.places(),
            ["/auth/token", "/headers/a~1b~0c", "/headers/x", "/secret"]
        );
        secrets.put_into(&mut bare);
        assert_eq!(bare, whole);
    }

    #[test]
    fn a_stored_secret_stays_unless_replaced_or_given_up_or_its_surroundings_change() {
        let mut old = settings(json!({
            "headers": {"x": "1", "y": "2"}, "auth": {"type": "bearer", "token": "t"}, "secret": "s",
        }));
        let stored = Secrets::take_from(&mut old, DECLARED);
        let change = |value: Value| {
            let mut new = settings(value);
            let mut secrets = Secrets::take_from(&mut new, DECLARED);
            secrets.keep(stored.clone(), &old, &new);
            secrets.without_given_up().places()
        };
        assert_eq!(
            change(json!({"headers": {"x": null, "z": "3"}, "auth": {"type": "bearer"}})),
            ["/auth/token", "/headers/y", "/headers/z", "/secret"]
        );
        assert_eq!(change(json!({"auth": {"type": "basic"}})), ["/secret"]);
    }

    #[test]
    fn its_debug_form_shows_no_secret() {
        let secrets = Secrets::take_from(&mut settings(json!({"secret": "canary"})), DECLARED);
        assert!(!format!("{secrets:?}").contains("canary"));
    }
}

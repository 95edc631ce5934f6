//! Reads the keys of a map: which are known, which are left over, which come as `p` or `p_expression`.

use std::collections::BTreeSet;

use super::tree::{Node, Scalar, Value};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean, nearest};
use crate::expr::{self, Prop};
use crate::span::Place;

const EXPRESSION: &str = "_expression";

/// A map being read. Each key asked for becomes a known key; [`Keys::finish`] reports the others.
pub struct Keys<'a> {
    entries: &'a [(String, Place, Node)],
    place: &'a Place,
    what: &'static str,
    known: BTreeSet<&'static str>,
    /// Known keys that also exist as `key_expression`.
    dynamic: BTreeSet<&'static str>,
}

impl<'a> Keys<'a> {
    /// Starts reading `node` as a map that is `what` ("a response").
    pub fn new(node: &'a Node, what: &'static str, d: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Keys {
                entries,
                place: &node.place,
                what,
                known: BTreeSet::new(),
                dynamic: BTreeSet::new(),
            }),
            _ => {
                d.error(
                    Code::WrongType,
                    node.place.clone(),
                    format!("{what} must be a map of keys, not {}", node.kind()),
                );
                None
            }
        }
    }

    /// Says more exactly what the map is, once that is known.
    pub fn is(&mut self, what: &'static str) {
        self.what = what;
    }

    /// The place of the map.
    pub fn place(&self) -> &Place {
        self.place
    }

    fn find(&self, key: &str) -> Option<(&'a Place, &'a Node)> {
        self.entries
            .iter()
            .find(|(k, ..)| k == key)
            .map(|(_, place, node)| (place, node))
    }

    /// The place of `key` or `key_expression`, whichever is there.
    pub fn place_of(&self, key: &str) -> Option<&'a Place> {
        self.key_place(key)
            .or_else(|| self.key_place(&format!("{key}{EXPRESSION}")))
    }

    /// The value of a key as it stands.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.insert(key);
        self.find(key).map(|(_, node)| node)
    }

    /// The place of a key, if the map has it.
    pub fn key_place(&self, key: &str) -> Option<&'a Place> {
        self.find(key).map(|(place, _)| place)
    }

    /// A value that must be plain text, known when planning: no template.
    pub fn name(&mut self, key: &'static str, d: &mut Diagnostics) -> Option<(String, Place)> {
        let node = self.node(key)?;
        match &node.value {
            Value::Scalar(Scalar::Text { text, .. }) if !expr::has_template(text) => {
                Some((text.to_string(), node.place.clone()))
            }
            Value::Scalar(Scalar::Text { .. }) => {
                d.error(
                    Code::WrongType,
                    node.place.clone(),
                    format!(
                        "`{key}` of {} must be a plain name, known when planning",
                        self.what
                    ),
                )
                .help("write the name without `{{ }}`");
                None
            }
            Value::Scalar(Scalar::Null) => None,
            Value::Scalar(Scalar::Number(n)) => Some((n.to_string(), node.place.clone())),
            _ => {
                d.error(
                    Code::WrongType,
                    node.place.clone(),
                    format!("`{key}` of {} must be a string, not {}", self.what, node.kind()),
                );
                None
            }
        }
    }

    /// As [`Keys::name`], and missing is an error.
    pub fn required_name(&mut self, key: &'static str, d: &mut Diagnostics) -> Option<(String, Place)> {
        if self.find(key).is_none() {
            self.known.insert(key);
            self.missing(key, d);
        }
        self.name(key, d)
    }

    /// A boolean, known when planning.
    pub fn flag(&mut self, key: &'static str, d: &mut Diagnostics) -> Option<bool> {
        let node = self.node(key)?;
        match &node.value {
            Value::Scalar(Scalar::Bool(value)) => Some(*value),
            _ => {
                d.error(
                    Code::WrongType,
                    node.place.clone(),
                    format!(
                        "`{key}` of {} must be true or false, not {}",
                        self.what,
                        node.kind()
                    ),
                );
                None
            }
        }
    }

    /// A value as `key` (literal or Jinja) or `key_expression` (Python). Maps and lists are literal inside.
    pub fn prop(&mut self, key: &'static str, d: &mut Diagnostics) -> Option<Prop> {
        self.prop_with(key, d, |node, d| expr::literal(key, node, d))
    }

    /// A map whose single entries may be `entry_expression`, or one Python expression for the whole map.
    pub fn entries(&mut self, key: &'static str, d: &mut Diagnostics) -> Option<Prop> {
        self.prop_with(key, d, |node, d| expr::entries(key, node, d))
    }

    fn prop_with(
        &mut self,
        key: &'static str,
        d: &mut Diagnostics,
        literal: impl FnOnce(&Node, &mut Diagnostics) -> Option<Prop>,
    ) -> Option<Prop> {
        self.known.insert(key);
        self.dynamic.insert(key);
        let python_key = format!("{key}{EXPRESSION}");
        let (plain, python) = (self.find(key), self.find(&python_key));
        match (plain, python) {
            (Some(_), Some((place, _))) => {
                both_forms(key, place, d);
                None
            }
            (Some((_, node)), None) => literal(node, d),
            (None, Some((_, node))) => expr::python(&python_key, node, d),
            (None, None) => None,
        }
    }

    /// As [`Keys::prop`], and missing is an error.
    pub fn required_prop(&mut self, key: &'static str, d: &mut Diagnostics) -> Option<Prop> {
        if self.find(key).is_none() && self.find(&format!("{key}{EXPRESSION}")).is_none() {
            self.missing(key, d);
        }
        self.prop(key, d)
    }

    /// Whether `key` or `key_expression` is there.
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some() || self.find(&format!("{key}{EXPRESSION}")).is_some()
    }

    fn missing(&self, key: &str, d: &mut Diagnostics) {
        let near = self.entries.iter().map(|(k, ..)| k.as_str());
        let near = nearest(key, near.filter(|k| !self.known.contains(k)));
        d.error(
            Code::MissingKey,
            self.place.clone(),
            format!("{} needs `{key}`", self.what),
        )
        .maybe_help(near.map(|near| format!("`{near}` is there: did you mean `{key}`?")));
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self, d: &mut Diagnostics) {
        for (key, place, _) in self.entries {
            let plain = key.strip_suffix(EXPRESSION);
            if self.known.contains(key.as_str()) || plain.is_some_and(|k| self.dynamic.contains(k)) {
                continue;
            }
            let dynamic: Vec<String> = self.dynamic.iter().map(|k| format!("{k}{EXPRESSION}")).collect();
            let plain = self.known.iter().copied();
            let dynamic = dynamic.iter().map(String::as_str);
            let help = match key.ends_with(EXPRESSION) {
                true => did_you_mean(key, "known keys", dynamic),
                false => match nearest(key, plain.clone().chain(dynamic)) {
                    Some(near) => Some(format!("did you mean `{near}`?")),
                    None => did_you_mean(key, "known keys", plain),
                },
            };
            d.error(
                Code::UnknownKey,
                place.clone(),
                format!("unknown key `{key}` in {}", self.what),
            )
            .maybe_help(help);
        }
    }
}

/// Reports `p` together with `p_expression`.
pub fn both_forms(key: &str, place: &Place, d: &mut Diagnostics) {
    d.error(
        Code::BothForms,
        place.clone(),
        format!("both `{key}` and `{key}{EXPRESSION}` are given"),
    )
    .help("keep one: the plain key for a literal or Jinja, `_expression` for Python");
}

//! Reads a map by its shape: keys it does not have, keys that are missing, and each value in its form.

use serde_json::Number;

use super::maps::{bytes_of, map, seconds};
use super::shape::{EXPRESSION, Form, Key, Shape};
use super::tree::{Node, Scalar, Value};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::expr::{self, Prop};
use crate::span::Place;

/// A map being read, its keys checked against its shape.
pub struct Keys<'a> {
    pub(super) entries: &'a [(String, Place, Node)],
    pub(super) place: &'a Place,
    pub(super) shape: &'static Shape,
}

impl<'a> Keys<'a> {
    /// Starts reading `node`. Unknown and missing keys are reported now.
    pub fn new(node: &'a Node, shape: &'static Shape, d: &mut Diagnostics) -> Option<Self> {
        let entries = map(node, shape.what, d)?;
        let keys = Keys {
            entries,
            place: &node.place,
            shape,
        };
        keys.check(d);
        Some(keys)
    }

    /// Returns what the map is, as messages call it.
    pub fn what(&self) -> &'static str {
        self.shape.what
    }

    /// Returns the place of the map.
    pub fn place(&self) -> &Place {
        self.place
    }

    pub(super) fn key(&self, name: &str) -> &'static Key {
        let key = self.shape.key(name);
        debug_assert!(
            key.is_some(),
            "{} has no key {name} in its shape",
            self.shape.what
        );
        // A key that the shape lacks is a slip in the reader, which any test of it finds.
        const LOST: Key = Key::new("", Form::Value, "");
        key.unwrap_or(&LOST)
    }

    pub(super) fn find(&self, key: &Key, suffix: &str) -> Option<(&'a Place, &'a Node)> {
        let names = std::iter::once(key.name).chain(key.alias);
        let is = |written: &str, name: &str| written.strip_suffix(suffix) == Some(name);
        names
            .into_iter()
            .find_map(|name| self.entries.iter().find(|(written, ..)| is(written, name)))
            .map(|(_, place, node)| (place, node))
    }

    /// Returns the place of a key, if the map has it in either form.
    pub fn place_of(&self, name: &str) -> Option<&'a Place> {
        let key = self.key(name);
        let found = self.find(key, "").or_else(|| self.find(key, EXPRESSION));
        found.map(|(place, _)| place)
    }

    /// Tells whether the key is there in either form.
    pub fn has(&self, name: &str) -> bool {
        self.place_of(name).is_some()
    }

    /// Returns the value of a key as it stands; none when it is null, or when it says nothing and Python beside it
    /// does.
    pub fn node(&self, name: &str) -> Option<&'a Node> {
        let key = self.key(name);
        let (_, node) = self.find(key, "")?;
        let python = self.find(key, EXPRESSION).filter(|(_, code)| !code.is_null());
        let overshadowed = python.is_some() && node.is_falsy();
        (!node.is_null() && !overshadowed).then_some(node)
    }

    /// Text for people: what looks like a template in it is text, too.
    pub fn label(&self, name: &str, d: &mut Diagnostics) -> Option<String> {
        let node = self.node(name)?;
        match &node.value {
            Value::Scalar(Scalar::Text { text, .. }) => Some(text.trim_end_matches('\n').to_string()),
            Value::Scalar(Scalar::Number(n)) => Some(n.to_string()),
            Value::Scalar(Scalar::Bool(b)) => Some(b.to_string()),
            _ => self.wrong(name, "a string", node, d),
        }
    }

    /// Text that is known when planning: no template, unless the run may give it.
    pub fn name(&self, name: &str, d: &mut Diagnostics) -> Option<(String, Place)> {
        if let Some(deferred) = self.defer(name, d) {
            return Some(deferred);
        }
        let node = self.node(name)?;
        match &node.value {
            Value::Scalar(Scalar::Text { text, .. }) if !expr::has_template(text) => {
                // A block of text ends in a line break, which no name does.
                Some((text.trim_end_matches('\n').to_string(), node.place.clone()))
            }
            Value::Scalar(Scalar::Number(n)) => Some((n.to_string(), node.place.clone())),
            Value::Scalar(Scalar::Text { .. }) => {
                let message = format!(
                    "`{name}` of {} must be a plain name, known when planning",
                    self.shape.what
                );
                d.error(Code::WrongType, node.place.clone(), message)
                    .help("write the name without `{{ }}`");
                None
            }
            _ => self.wrong(name, "a string", node, d),
        }
    }

    /// Returns one of the words that the key's form allows, as its position among them.
    pub fn choice(&self, name: &str, d: &mut Diagnostics) -> Option<&'static str> {
        let Form::Choice(words) = self.key(name).form else {
            return None;
        };
        if self.defer(name, d).is_some() {
            return None;
        }
        let (word, place) = self.name(name, d)?;
        let found = words.iter().find(|w| **w == word).copied();
        if found.is_none() {
            let message = format!("`{word}` is not allowed for `{name}` of {}", self.shape.what);
            d.error(Code::BadValue, place, message).maybe_help(did_you_mean(
                &word,
                "allowed",
                words.iter().copied(),
            ));
        }
        found
    }

    /// Returns one of the words that the key's form allows, as what `meanings` has for it.
    pub fn pick<T: Copy>(&self, name: &str, meanings: &[(&str, T)], d: &mut Diagnostics) -> Option<T> {
        let word = self.choice(name, d)?;
        meanings
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, meaning)| *meaning)
    }

    /// Returns a boolean, known when planning.
    pub fn flag(&self, name: &str, d: &mut Diagnostics) -> Option<bool> {
        if self.defer(name, d).is_some() {
            return None;
        }
        let node = self.node(name)?;
        match &node.value {
            Value::Scalar(Scalar::Bool(value)) => Some(*value),
            _ => self.wrong(name, "true or false", node, d),
        }
    }

    /// Returns a number above 0, known when planning.
    pub fn positive(&self, name: &str, d: &mut Diagnostics) -> Option<f64> {
        let read = |n: &Number| n.as_f64().filter(|n| *n > 0.0);
        self.number(name, "a number above 0", d, read)
    }

    /// Returns a whole number from 0, known when planning.
    pub fn count(&self, name: &str, d: &mut Diagnostics) -> Option<u64> {
        self.number(name, "a whole number from 0", d, Number::as_u64)
    }

    /// Returns a whole number above 0, known when planning.
    pub fn whole(&self, name: &str, d: &mut Diagnostics) -> Option<u64> {
        let read = |n: &Number| n.as_u64().filter(|n| *n > 0);
        self.number(name, "a whole number above 0", d, read)
    }

    fn number<T>(
        &self,
        name: &str,
        wanted: &str,
        d: &mut Diagnostics,
        read: impl Fn(&Number) -> Option<T>,
    ) -> Option<T> {
        if self.defer(name, d).is_some() {
            return None;
        }
        let node = self.node(name)?;
        let number = match &node.value {
            Value::Scalar(Scalar::Number(n)) => read(n),
            _ => None,
        };
        number.or_else(|| self.wrong(name, wanted, node, d))
    }

    /// Returns a time above 0, known when planning, in seconds.
    pub fn duration(&self, name: &str, d: &mut Diagnostics) -> Option<f64> {
        let help = "a number of seconds, or text like 500ms, 10s, 5m, second, minute, hour, day";
        self.measured(name, "a time above 0", help, d, |value| match value {
            Scalar::Number(n) => n.as_f64().filter(|s| *s > 0.0),
            Scalar::Text { text, .. } => seconds(text).filter(|s| *s > 0.0),
            _ => None,
        })
    }

    /// Returns a number of bytes above 0, known when planning.
    pub fn size(&self, name: &str, d: &mut Diagnostics) -> Option<u64> {
        let help = "a number of bytes, or text like 500KB, 64MB, 1GB";
        self.measured(name, "a size above 0", help, d, |value| match value {
            Scalar::Number(n) => n.as_u64().filter(|n| *n > 0),
            Scalar::Text { text, .. } => bytes_of(text).filter(|n| *n > 0),
            _ => None,
        })
    }

    /// A number, or text with a unit.
    pub(super) fn measured<T>(
        &self,
        name: &str,
        wanted: &str,
        help: &str,
        d: &mut Diagnostics,
        read: impl Fn(&Scalar) -> Option<T>,
    ) -> Option<T> {
        if self.defer(name, d).is_some() {
            return None;
        }
        let node = self.node(name)?;
        let found = match &node.value {
            Value::Scalar(value) => read(value),
            _ => None,
        };
        if found.is_none() {
            let message = format!("`{name}` of {} must be {wanted}", self.shape.what);
            d.error(Code::WrongType, node.place.clone(), message).help(help);
        }
        found
    }

    /// Texts of a list, or one. `what` they are, for messages.
    pub fn texts(&self, name: &str, what: &str, d: &mut Diagnostics) -> Vec<(String, Place)> {
        let Some(node) = self.node(name) else {
            return Vec::new();
        };
        let items = node.one_or_list();
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            match item.as_text() {
                Some(text) => found.push((text.to_string(), item.place.clone())),
                None => {
                    let message = format!("`{name}` must list {what}, not {}", item.kind());
                    d.error(Code::WrongType, item.place.clone(), message);
                }
            }
        }
        found
    }

    /// Words that the key's form allows: one, or a list.
    pub fn words(&self, name: &str, d: &mut Diagnostics) -> Option<Vec<&'static str>> {
        let Form::Words(words) = self.key(name).form else {
            return None;
        };
        if self.defer(name, d).is_some() {
            return None;
        }
        let node = self.node(name)?;
        let items = node.one_or_list();
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            let text = item.as_text().map_or_else(String::new, |t| t.to_string());
            match words.iter().find(|w| **w == text) {
                Some(word) => found.push(*word),
                None => {
                    let message = format!("`{text}` is not allowed for `{name}` of {}", self.shape.what);
                    d.error(Code::BadValue, item.place.clone(), message)
                        .maybe_help(did_you_mean(&text, "allowed", words.iter().copied()));
                }
            }
        }
        Some(found)
    }

    fn wrong<T>(&self, name: &str, wanted: &str, node: &Node, d: &mut Diagnostics) -> Option<T> {
        let mut message = format!("`{name}` of {} must be {wanted}", self.shape.what);
        // "a number above 0, not a number" says nothing.
        if !wanted.contains("number") || node.kind() != "a number" {
            message.push_str(&format!(", not {}", node.kind()));
        }
        d.error(Code::WrongType, node.place.clone(), message);
        None
    }

    /// Returns a value as `key` (literal or Jinja) or `key_expression` (Python).
    pub fn prop(&self, name: &str, d: &mut Diagnostics) -> Option<Prop> {
        let key = self.key(name);
        let plain = self.find(key, "").map(|(_, node)| node);
        let python = self
            .find(key, EXPRESSION)
            .filter(|(_, code)| key.python && !code.is_null());
        if let Some((_, code)) = python
            && plain.is_none_or(Node::is_falsy)
        {
            return expr::python(&format!("{name}{EXPRESSION}"), code, d);
        }
        let node = plain?;
        match key.form {
            Form::Entries => expr::entries(name, node, d),
            Form::Text | Form::Method if node.is_null() => None,
            Form::Text | Form::Method if matches!(node.value, Value::List(_) | Value::Map(_)) => {
                self.wrong(name, "text", node, d)
            }
            _ => expr::literal(name, node, d),
        }
    }

    /// Returns a list of maps; each is read by `read`.
    pub fn list<T>(
        &self,
        name: &str,
        d: &mut Diagnostics,
        mut read: impl FnMut(&'a Node, &mut Diagnostics) -> Option<T>,
    ) -> Vec<T> {
        if self.defer(name, d).is_some() {
            return Vec::new();
        }
        match self.node(name) {
            None => Vec::new(),
            Some(node) => match &node.value {
                Value::List(items) => items.iter().filter_map(|item| read(item, d)).collect(),
                _ => {
                    self.wrong::<()>(name, "a list", node, d);
                    Vec::new()
                }
            },
        }
    }
}

//! The YAML tree: every value knows its place.

use std::sync::Arc;

use serde_json::Number;

use crate::span::Place;

/// A value of a YAML file and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    pub value: Value,
    pub place: Place,
    /// The key it stands under in a map, where that is no text.
    pub key: Option<Box<Scalar>>,
}

/// A YAML value.
#[derive(Debug, Clone)]
pub enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    /// Entries in the order written; the key's place is that of the `String`'s node.
    Map(Vec<(String, Place, Node)>),
}

/// The key of the JSON object that stands for a value JSON does not have: `{TYPED: kind, "value": text}`.
pub const TYPED: &str = "\u{1}type";

/// What the name of a key begins with whose rest is the JSON of a key that is no text: `{1: a}`.
pub const KEYED: &str = "\u{2}";

fn typed_json(kind: &str, text: &str) -> serde_json::Value {
    serde_json::json!({TYPED: kind, "value": text})
}

/// The first line of a text whose lines are not lines of the file: quoted or folded text.
pub const UNKNOWN_LINES: usize = 0;

/// A YAML scalar, resolved by the core schema of YAML 1.2.
#[derive(Debug, Clone)]
pub enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    /// What JSON has no value for: `integer` (of more than 64 bits), `float` (not finite), `date`, `timestamp`, `stamp`
    /// (a timestamp written with a `T`), `bytes` (as base64).
    Typed {
        kind: &'static str,
        text: Arc<str>,
    },
    Text {
        text: Arc<str>,
        /// The line of the file on which the text's first line stands.
        first_line: usize,
    },
}

impl Node {
    /// Returns what kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(Scalar::Null) => "nothing",
            Value::Scalar(Scalar::Bool(_)) => "a boolean",
            Value::Scalar(Scalar::Number(_)) => "a number",
            Value::Scalar(Scalar::Typed { kind, .. }) => match *kind {
                "integer" | "float" => "a number",
                "bytes" => "bytes",
                _ => "a date",
            },
            Value::Scalar(Scalar::Text { .. }) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Returns the text of a string.
    pub fn as_text(&self) -> Option<&Arc<str>> {
        match &self.value {
            Value::Scalar(Scalar::Text { text, .. }) => Some(text),
            _ => None,
        }
    }

    /// Returns the items of a list; another value as the one item.
    pub fn one_or_list(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// Tells whether it is null or empty (`key:` with nothing behind it).
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar(Scalar::Null))
    }

    /// Tells whether it says nothing: null, `""`, `{}`, `[]` or `false`. Beside the same property as Python it counts
    /// as not given.
    pub fn is_falsy(&self) -> bool {
        match &self.value {
            Value::Scalar(Scalar::Null | Scalar::Bool(false)) => true,
            Value::Scalar(Scalar::Text { text, .. }) => text.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            Value::Scalar(_) => false,
        }
    }

    /// Returns a value that stands at a place, templates in it not looked at.
    pub fn of_json(value: &serde_json::Value, place: &Place) -> Node {
        use serde_json::Value as Json;
        let value = match value {
            Json::Null => Value::Scalar(Scalar::Null),
            Json::Bool(b) => Value::Scalar(Scalar::Bool(*b)),
            Json::Number(n) => Value::Scalar(Scalar::Number(n.clone())),
            Json::String(text) => Value::Scalar(Scalar::Text {
                text: text.as_str().into(),
                first_line: place.line,
            }),
            Json::Array(items) => Value::List(items.iter().map(|item| Node::of_json(item, place)).collect()),
            Json::Object(entries) => {
                let entries = entries
                    .iter()
                    .map(|(name, value)| (name.clone(), place.clone(), Node::of_json(value, place)));
                Value::Map(entries.collect())
            }
        };
        Node {
            value,
            place: place.clone(),
            key: None,
        }
    }

    /// Returns the name of its key where values are meant: one that is no text says what it is.
    pub fn key_name(&self, name: &str) -> String {
        match &self.key {
            None => name.to_string(),
            Some(key) => {
                let key = Node {
                    value: Value::Scalar((**key).clone()),
                    place: self.place.clone(),
                    key: None,
                };
                format!("{KEYED}{}", key.to_json())
            }
        }
    }

    /// Returns the value as JSON, templates not looked at.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Scalar(Scalar::Null) => Json::Null,
            Value::Scalar(Scalar::Bool(b)) => Json::Bool(*b),
            Value::Scalar(Scalar::Number(n)) => Json::Number(n.clone()),
            Value::Scalar(Scalar::Typed { kind, text }) => typed_json(kind, text),
            Value::Scalar(Scalar::Text { text, .. }) => Json::String(text.to_string()),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => {
                let entries = entries.iter();
                Json::Object(entries.map(|(k, _, v)| (v.key_name(k), v.to_json())).collect())
            }
        }
    }
}

//! Names and options of a step that only the run knows: `source: "{{ var('warehouse') }}"`. The step is planned with what is
//! known; when it starts they are evaluated, put into its text, and it is planned again.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{EXPRESSION, Node, Value, plain};

/// A key whose value must be known to plan the step, and is known only when it starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeferredKey {
    /// Without `_expression`.
    pub key: &'static str,
    pub value: Prop,
    /// Where the key stands: what it is found by in the step's text.
    #[serde(skip)]
    pub at: Place,
    /// Whether its value is text whatever it looks like: a name, a word.
    #[serde(skip)]
    pub is_text: bool,
}

/// The deferred keys of a step, and its text.
#[derive(Debug, Clone)]
pub struct Deferred {
    pub keys: Vec<DeferredKey>,
    pub node: Arc<Node>,
}

impl Deferred {
    /// Whether `key` is among them.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|k| k.key == key)
    }

    /// The step's text with these values, one for each key.
    pub fn filled(&self, values: &[Json]) -> Node {
        let mut node = (*self.node).clone();
        for (key, value) in self.keys.iter().zip(values) {
            fill(&mut node, key, value);
        }
        node
    }
}

fn fill(node: &mut Node, key: &DeferredKey, value: &Json) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| fill(item, key, value)),
        Value::Map(entries) => {
            for (name, place, inner) in entries.iter_mut() {
                let same = (place.start, &place.file) == (key.at.start, &key.at.file);
                match same && name.strip_suffix(EXPRESSION).unwrap_or(name) == key.key {
                    true => {
                        *inner = Node::of_json(value, &inner.place);
                        // What Jinja gives is text; here it is read as the file's own would be.
                        if !key.is_text
                            && let Some(scalar) = inner.as_text().and_then(|text| plain(text))
                        {
                            inner.value = Value::Scalar(scalar);
                        }
                        *name = key.key.to_string();
                    }
                    false => fill(inner, key, value),
                }
            }
            // What stood beside the expression said nothing.
            let filled =
                |(name, place, _): &(String, Place, Node)| name != key.key || place.start == key.at.start;
            if entries
                .iter()
                .any(|(name, place, _)| name == key.key && place.start == key.at.start)
            {
                entries.retain(filled);
            }
        }
        Value::Scalar(_) => {}
    }
}

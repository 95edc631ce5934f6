//! Names and options of a step that only the run knows: `source: "{{ var('warehouse') }}"`. The step is planned with what is
//! known; when it starts they are evaluated, put into its text, and it is planned again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::diagnostic::{Deferral, Diagnostics};
use crate::expr::{self, Prop};
use crate::span::Place;
use crate::syntax::{EXPRESSION, Node, Value, plain};

/// A key whose value must be known to plan the step, and is known only when it starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeferredKey {
    /// Without `_expression`.
    pub key: String,
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
    /// Returns what a step leaves to the run, with the values as the step's text has them; none where nothing is left.
    pub(super) fn read(deferrals: Vec<Deferral>, node: &Node, d: &mut Diagnostics) -> Option<Deferred> {
        let keys = deferrals.into_iter().filter_map(|deferral| {
            let (name, value) = find(node, &deferral)?;
            let value = match name.ends_with(EXPRESSION) {
                true => expr::python(name, value, d),
                false => expr::literal(name, value, d),
            };
            Some(DeferredKey {
                key: deferral.key.to_string(),
                value: value?,
                at: deferral.at,
                is_text: deferral.is_text,
            })
        });
        let keys: Vec<DeferredKey> = keys.collect();
        (!keys.is_empty()).then(|| Deferred {
            keys,
            node: Arc::new(node.clone()),
        })
    }

    /// Tells whether `key` is among them.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|k| k.key == key)
    }

    /// Returns the step's text with these values, one for each key.
    pub fn filled(&self, values: &[Json]) -> Node {
        let mut node = (*self.node).clone();
        for (key, value) in self.keys.iter().zip(values) {
            fill(&mut node, key, value);
        }
        node
    }
}

/// Whether a key of the text is the deferred one.
fn is_it(name: &str, place: &Place, (key, at): (&str, &Place)) -> bool {
    let same = (place.start, &place.file) == (at.start, &at.file);
    same && name.strip_suffix(EXPRESSION).unwrap_or(name) == key
}

fn find<'n>(node: &'n Node, deferral: &Deferral) -> Option<(&'n str, &'n Node)> {
    match &node.value {
        Value::List(items) => items.iter().find_map(|item| find(item, deferral)),
        Value::Map(entries) => entries.iter().find_map(|(name, place, inner)| {
            match is_it(name, place, (deferral.key, &deferral.at)) {
                true => Some((name.as_str(), inner)),
                false => find(inner, deferral),
            }
        }),
        Value::Scalar(_) => None,
    }
}

fn fill(node: &mut Node, key: &DeferredKey, value: &Json) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| fill(item, key, value)),
        Value::Map(entries) => {
            for (name, place, inner) in entries.iter_mut() {
                match is_it(name, place, (&key.key, &key.at)) {
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
                |(name, place, _): &(String, Place, Node)| *name != key.key || place.start == key.at.start;
            if entries
                .iter()
                .any(|(name, place, _)| *name == key.key && place.start == key.at.start)
            {
                entries.retain(filled);
            }
        }
        Value::Scalar(_) => {}
    }
}

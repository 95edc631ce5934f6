//! A page as the API gave it, before anything was filtered, and what stands at a path of it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use sequor_planner::expr::PathStep;
use sequor_planner::nearest;
use sequor_planner::ops::DataPath;

use crate::exchange::Response;
use crate::value::Value;
use crate::value::json::{value_at, value_of};

/// A page as the API gave it.
pub struct Page {
    pub response: Arc<Response>,
    /// How many rows it has, before filters and rules; none where that is not known.
    pub rows: Option<u64>,
    /// Whether that is the longest of several lists.
    pub several: bool,
    /// The texts of its lists of rows, where they are known.
    pub lists: Vec<Bytes>,
    /// How many rows were taken from it; none where no table is filled.
    pub taken: Option<u64>,
}

impl Page {
    /// Returns how many rows it has; how many were taken where that is not known.
    pub(super) fn rows_or_taken(&self) -> Option<u64> {
        self.rows.or(self.taken)
    }

    /// Tells whether it has no rows, as far as that is known.
    pub(super) fn is_empty(&self) -> bool {
        self.rows_or_taken() == Some(0) || self.response.body.trim_ascii().is_empty()
    }

    /// Tells whether nothing in its body may be a row: no list in it has an item.
    pub(super) fn body_is_empty(&self) -> bool {
        fn has_items(value: &Value) -> bool {
            match value {
                Value::List(items) => !items.is_empty(),
                Value::Map(entries) => entries.values().any(has_items),
                _ => false,
            }
        }
        let body = self.response.body.trim_ascii();
        body.is_empty() || value_at(body, &[]).is_some_and(|value| !has_items(&value))
    }

    /// Returns its body as text; as it is where it fits no charset: whoever reads rows finds that out.
    pub(super) fn text(&self) -> Cow<'_, [u8]> {
        self.response.utf8().unwrap_or(Cow::Borrowed(&self.response.body))
    }

    /// Returns what stands at a path.
    pub(super) fn at(&self, path: &DataPath) -> Option<Value> {
        value_of(&self.text(), path)
    }
}

/// Where a path ends that leads to nothing.
pub(super) struct Absent {
    /// The path to what has not the next key, as people write it; empty: the response itself.
    around: String,
    /// How deep that is.
    pub depth: usize,
    /// The key that is not there.
    key: String,
    /// The keys that are.
    there: Vec<String>,
    /// How deep the path goes.
    length: usize,
}

impl Absent {
    /// Looks for where a path leaves what is there; none where it can't be said.
    pub fn find(body: &[u8], path: &DataPath) -> Option<Absent> {
        let DataPath::Steps(steps) = path else {
            return None;
        };
        let mut value = value_at(body, &[])?;
        for (depth, step) in steps.iter().enumerate() {
            let PathStep::Key(key) = step else {
                return None;
            };
            let Value::Map(entries) = &value else {
                return None;
            };
            match entries.get(key) {
                Some(inner) => value = inner.clone(),
                None => {
                    return Some(Absent {
                        around: DataPath::Steps(steps[..depth].to_vec()).to_string(),
                        depth,
                        key: key.clone(),
                        there: entries.keys().cloned().collect(),
                        length: steps.len(),
                    });
                }
            }
        }
        None
    }

    /// Returns a key that is there and has nearly the name.
    pub fn near(&self) -> Option<&str> {
        nearest(&self.key, self.there.iter().map(String::as_str))
    }

    /// Tells whether an object that the path goes through is absent, inside one that is there.
    pub fn is_object(&self) -> bool {
        self.depth > 0 && self.depth + 1 < self.length
    }

    /// Returns what was looked for and what is there.
    pub fn says(&self) -> String {
        const MOST: usize = 8;
        let around = match self.depth {
            0 => "the response".to_string(),
            _ => format!("`{}`", self.around),
        };
        let mut there: Vec<String> = self
            .there
            .iter()
            .take(MOST)
            .map(|key| format!("`{key}`"))
            .collect();
        if self.there.len() > MOST {
            there.push("...".into());
        }
        match there.as_slice() {
            [] => format!("{around} has no `{}`: it is empty", self.key),
            there => format!("{around} has no `{}`: it has {}", self.key, there.join(", ")),
        }
    }
}

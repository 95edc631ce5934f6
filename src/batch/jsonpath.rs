//! JSONPath (RFC 9535), by the crate `serde_json_path`: it says where the rows are; they are read from the text itself, so
//! that numbers stay as they are written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::Value as Json;
use serde_json::value::RawValue;
use serde_json_path::{JsonPath, NormalizedPath, PathElement};

use crate::error::{Error, ErrorKind, Result};

/// Returns the objects that a path finds, as texts, in its order. A list gives its items.
pub fn find<'t>(text: &'t [u8], path: &str) -> Result<Vec<&'t [u8]>> {
    let path = JsonPath::parse(path)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("`{path}` is not a JSONPath: {e}")))?;
    let mut found = Vec::new();
    for value in values(text, &path)? {
        match value {
            [b'[', ..] => {
                let items: Vec<&RawValue> = serde_json::from_slice(value).map_err(|e| not_json(text, &e))?;
                found.extend(items.into_iter().map(|item| item.get().as_bytes()));
            }
            _ => found.push(value),
        }
    }
    Ok(found)
}

fn not_json(text: &[u8], error: &serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Data,
        format!("the response is not valid JSON: {error}"),
    )
    .help(format!(
        "the response starts with: {}",
        crate::exchange::excerpt(text)
    ))
}

/// Returns the values that a path finds, as texts, in its order.
pub fn values<'t>(text: &'t [u8], path: &JsonPath) -> Result<Vec<&'t [u8]>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let not_json = |e: serde_json::Error| not_json(text, &e);
    let tree: Json = serde_json::from_slice(text).map_err(not_json)?;
    let root: &RawValue = serde_json::from_slice(text).map_err(not_json)?;
    let mut reached = Reached::default();
    let mut found = Vec::new();
    for node in path.query_located(&tree).all() {
        let raw = reached.at(root, node.location()).map_err(not_json)?;
        found.push(raw.get().as_bytes());
    }
    Ok(found)
}

/// The parts of a text that were looked into, each taken apart once.
#[derive(Default)]
struct Reached<'t> {
    /// By the addresses of their texts.
    lists: HashMap<usize, Vec<&'t RawValue>>,
    objects: HashMap<usize, HashMap<String, &'t RawValue>>,
}

impl<'t> Reached<'t> {
    fn at(&mut self, root: &'t RawValue, location: &NormalizedPath<'_>) -> serde_json::Result<&'t RawValue> {
        let mut raw = root;
        for element in location.iter() {
            let address = raw.get().as_ptr() as usize;
            let next = match element {
                PathElement::Index(index) => {
                    let list = match self.lists.entry(address) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => new.insert(serde_json::from_str(raw.get())?),
                    };
                    list.get(*index).copied()
                }
                PathElement::Name(name) => {
                    let object = match self.objects.entry(address) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => new.insert(serde_json::from_str(raw.get())?),
                    };
                    object.get(*name).copied()
                }
            };
            // The tree of the same text has it.
            raw = next.unwrap_or(raw);
        }
        Ok(raw)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::find;

    fn found(text: &str, path: &str) -> Vec<String> {
        let found = find(text.as_bytes(), path).unwrap();
        found
            .into_iter()
            .map(|raw| String::from_utf8(raw.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn numbers_stay_as_written() {
        let text = r#"{"pages": [{"rows": [{"id": 12345678901234567890123, "p": 1.10}]}, {"rows": [{"id": 2}]}], "rows": []}"#;
        assert_eq!(
            found(text, "$.pages[*].rows[*]"),
            [r#"{"id": 12345678901234567890123, "p": 1.10}"#, r#"{"id": 2}"#]
        );
        assert_eq!(found(text, "$.pages[*].rows").len(), 2);
        assert_eq!(found(text, "$..rows[?@.id < 3]"), [r#"{"id": 2}"#]);
        assert_eq!(found(text, "$.nothing[*]").len(), 0);
    }
}

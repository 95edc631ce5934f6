//! JSON text as values.

use std::sync::Arc;

use indexmap::IndexMap;
use jiter::{Jiter, Peek};
use sequor_planner::expr::PathStep;
use sequor_planner::ops::DataPath;
use serde_json_path::JsonPath;

use super::Value;
use crate::batch::json::read_at;

/// Returns the value at `path` of a JSON text; none when there is none, or the text is no good JSON: whoever asks has
/// to find out.
pub fn value_at(text: &[u8], path: &[PathStep]) -> Option<Value> {
    read_at(text, path, |json| read(json, MAX_DEPTH))
}

/// Returns the first value that a path finds in a JSON text; none when there is none, or the text is no good JSON.
pub fn value_of(text: &[u8], path: &DataPath) -> Option<Value> {
    match path {
        DataPath::Steps(steps) => value_at(text, steps),
        DataPath::JsonPath(path) => {
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            let tree: serde_json::Value = serde_json::from_slice(text).ok()?;
            let path = JsonPath::parse(path).ok()?;
            path.query(&tree).first().map(Value::from)
        }
    }
}

/// How deep values may be nested: Python's own limit is not far above.
const MAX_DEPTH: usize = 200;

fn read(json: &mut Jiter<'_>, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let peek = json.peek().ok()?;
    Some(match peek {
        Peek::Null => {
            json.known_null().ok()?;
            Value::Null
        }
        Peek::True | Peek::False => Value::Bool(json.known_bool(peek).ok()?),
        Peek::String => Value::text(json.known_str().ok()?),
        Peek::Array => {
            let mut items = Vec::new();
            let mut item = json.known_array().ok()?;
            while item.is_some() {
                items.push(read(json, depth)?);
                item = json.array_step().ok()?;
            }
            Value::list(items)
        }
        Peek::Object => {
            let mut entries = IndexMap::new();
            let mut key = json.known_object().ok()?.map(str::to_string);
            while let Some(name) = key {
                let value = read(json, depth)?;
                entries.insert(name, value);
                key = json.next_key().ok()?.map(str::to_string);
            }
            Value::Map(Arc::new(entries))
        }
        _ => {
            let number = json.known_number_bytes(peek).ok()?;
            let number = std::str::from_utf8(number).ok()?;
            match number.contains(['.', 'e', 'E']) {
                true => Value::Float(number.parse().ok()?),
                false => match number.parse() {
                    Ok(n) => Value::Int(n),
                    Err(_) if number.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) => {
                        Value::BigInt(number.into())
                    }
                    Err(_) => return None,
                },
            }
        }
    })
}

//! `data_path`: where the rows are in the JSON of a response.

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{self, PathStep, Prop};
use crate::syntax::{Keys, Node, Scalar, Value};

/// Reads `data_path`. It means what the same subscripts mean in Python.
pub fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<Prop> {
    let parts = path(keys, "data_path", d)?;
    let place = keys.node("data_path")?.place.clone();
    let mut code = String::from("response.json()");
    for part in parts {
        match part {
            // JSON's quoting of a text is Python's, too.
            PathStep::Key(key) => code.push_str(&format!("[{}]", serde_json::Value::from(key))),
            PathStep::Index(index) => code.push_str(&format!("[{index}]")),
        }
    }
    let node = Node {
        value: Value::Scalar(Scalar::Text {
            text: code.into(),
            first_line: place.line,
        }),
        place,
    };
    expr::python("data_path", &node, d)
}

/// Reads a key that holds a path into the JSON of a response.
pub fn path(keys: &Keys<'_>, key: &str, d: &mut Diagnostics) -> Option<Vec<PathStep>> {
    let (text, place) = keys.name(key, d)?;
    let parsed = parse(text.trim());
    if parsed.is_none() {
        d.error(Code::BadValue, place, format!("`{text}` is not a path"))
            .help("keys with dots between them, like `data.items`; `[0]` for an item, `['a.b']` for a key with a dot, `$` for the whole");
    }
    parsed
}

fn parse(text: &str) -> Option<Vec<PathStep>> {
    let mut rest = text.strip_prefix('$').unwrap_or(text);
    let mut parts = Vec::new();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("['") {
            let (key, after) = inner.split_once("']")?;
            parts.push(PathStep::Key(key.to_string()));
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            parts.push(PathStep::Index(index.parse().ok()?));
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let key = &rest[..end];
            let odd = |c: char| matches!(c, ']' | '{' | '}' | '$' | '\'' | '"');
            if key.is_empty() || key.starts_with(char::is_whitespace) || key.contains(odd) {
                return None;
            }
            parts.push(PathStep::Key(key.to_string()));
            rest = &rest[end..];
        }
    }
    Some(parts)
}

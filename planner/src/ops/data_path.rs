//! `data_path`: where the rows are in a response.

use serde::{Deserialize, Serialize};
use serde_json_path::JsonPath;

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::PathStep;
use crate::syntax::Keys;

/// Where the rows are in a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataPath {
    /// Keys and positions, read without a tree of the whole.
    Steps(Vec<PathStep>),
    /// A JSONPath (RFC 9535): each list it finds gives its items, each object is a row.
    JsonPath(String),
}

/// Reads `data_path`.
pub fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<DataPath> {
    let (text, place) = keys.name("data_path", d)?;
    let text = text.trim();
    if let Some(steps) = parse(text) {
        return Some(DataPath::Steps(steps));
    }
    let full = match text.starts_with('$') {
        true => text.to_string(),
        false if text.starts_with('[') => format!("${text}"),
        false => format!("$.{text}"),
    };
    match JsonPath::parse(&full) {
        Ok(_) => Some(DataPath::JsonPath(full)),
        Err(e) => {
            let message = match e.message() {
                "parser error" => format!("`{text}` is not a path"),
                why => format!("`{text}` is not a path: {why}"),
            };
            d.error(Code::BadValue, place, message).help(HELP);
            None
        }
    }
}

const HELP: &str = "keys with dots between them, like `data.items`; `[0]` for an item, `['a.b']` for a key with a dot, `$` for the whole";

/// Reads a key that holds a path into the JSON of a response.
pub fn path(keys: &Keys<'_>, key: &str, d: &mut Diagnostics) -> Option<Vec<PathStep>> {
    let (text, place) = keys.name(key, d)?;
    let parsed = parse(text.trim());
    if parsed.is_none() {
        d.error(Code::BadValue, place, format!("`{text}` is not a path"))
            .help(HELP);
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

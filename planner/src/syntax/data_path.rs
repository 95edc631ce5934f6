//! `data_path`: where the rows are in a response.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json_path::JsonPath;

use super::Keys;
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::PathStep;

/// Where the rows are in a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataPath {
    /// Keys and positions, read without a tree of the whole.
    Steps(Vec<PathStep>),
    /// A JSONPath (RFC 9535): each list it finds gives its items, each object is a row.
    JsonPath(String),
}

impl DataPath {
    /// Returns the keys and positions of a path that has nothing else.
    pub fn steps(text: &str) -> Option<Vec<PathStep>> {
        parse(text)
    }

    /// Reads a path: keys and positions, or a JSONPath.
    ///
    /// # Errors
    /// What is wrong with the text, as a message says it.
    pub fn read(text: &str) -> Result<DataPath, String> {
        let text = text.trim();
        if let Some(steps) = parse(text) {
            return Ok(DataPath::Steps(steps));
        }
        let full = match text.starts_with('$') {
            true => text.to_string(),
            false if text.starts_with('[') => format!("${text}"),
            false => format!("$.{text}"),
        };
        match JsonPath::parse(&full) {
            Ok(_) => Ok(DataPath::JsonPath(full)),
            Err(e) => Err(match e.message() {
                "parser error" => format!("`{text}` is not a path"),
                why => format!("`{text}` is not a path: {why}"),
            }),
        }
    }

    /// Returns the key that a path begins with, and the path below it; none where it does not begin with a key.
    pub fn head(&self) -> Option<(String, DataPath)> {
        let path = match self {
            DataPath::Steps(steps) => {
                let (first, rest) = steps.split_first()?;
                let PathStep::Key(key) = first else { return None };
                return Some((key.clone(), DataPath::Steps(rest.to_vec())));
            }
            DataPath::JsonPath(path) => path.strip_prefix('$')?,
        };
        let (head, rest) = match path.strip_prefix('.') {
            Some(name) => {
                let end = name.find(['.', '[']).unwrap_or(name.len());
                name.split_at(end)
            }
            None => path.split_at(path.find(']')? + 1),
        };
        let key = match head.strip_prefix(['[']) {
            None => head,
            Some(quoted) => {
                let quoted = quoted.strip_suffix(']')?;
                let inner = quoted.strip_prefix(['\'', '"'])?;
                inner.strip_suffix(['\'', '"'])?
            }
        };
        let plain = !key.is_empty() && !key.contains(['*', '\'', '"', '\\']);
        plain.then(|| (key.to_string(), DataPath::JsonPath(format!("${rest}"))))
    }

    /// Returns the path of the list that is filtered or taken apart, and whether each item of it may be a row: what a
    /// JSONPath says before its first selector that is no name and no position. None where it filters nothing.
    pub fn unfiltered(&self) -> Option<(Vec<PathStep>, bool)> {
        let DataPath::JsonPath(path) = self else {
            return None;
        };
        if !path.contains('?') {
            return None;
        }
        let at = path
            .find(['*', '?'])
            .map(|at| path[..at].rfind('[').unwrap_or(at))?;
        let at = path.find("..").map_or(at, |deep| deep.min(at));
        let steps = parse(path[..at].trim_end_matches('.'))?;
        let rest = &path[at..];
        let one_filter =
            rest.starts_with("[?") && rest.ends_with(']') && !rest.contains("][") && !rest.contains("].");
        Some((steps, one_filter))
    }
}

impl fmt::Display for DataPath {
    /// As a flow writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = match self {
            DataPath::JsonPath(path) => return f.write_str(path.strip_prefix("$.").unwrap_or(path)),
            DataPath::Steps(steps) if steps.is_empty() => return f.write_str("$"),
            DataPath::Steps(steps) => steps,
        };
        for (at, step) in steps.iter().enumerate() {
            match step {
                PathStep::Key(key) if key.contains(['.', '[']) => write!(f, "['{key}']")?,
                PathStep::Key(key) if at == 0 => f.write_str(key)?,
                PathStep::Key(key) => write!(f, ".{key}")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Reads a key that holds a path into the JSON of a response.
pub fn read(keys: &Keys<'_>, key: &str, d: &mut Diagnostics) -> Option<DataPath> {
    let (text, place) = keys.name(key, d)?;
    let read = DataPath::read(&text);
    read.map_err(|why| {
        d.error(Code::BadValue, place, why).help(HELP);
    })
    .ok()
}

const HELP: &str = "keys with dots between them, like `data.items`; `[0]` for an item, `['a.b']` for a key with a dot, `$` for the whole";

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

//! Writes what came out into the files of tests: the value of a key is replaced, all else stays as it is.

use std::collections::HashMap;
use std::path::PathBuf;

use sequor_planner::Place;

use super::files::Suite;
use crate::error::{Error, ErrorKind, Result};

/// A change to what a test expects.
#[derive(Debug, Clone)]
pub enum Edit {
    /// The value of a key.
    Value { key: Place, value: NewValue },
    /// A file with rows.
    File { path: PathBuf, text: String },
}

/// What stands behind a key.
#[derive(Debug, Clone)]
pub enum NewValue {
    /// On the key's line.
    Inline(String),
    /// A list, an item a line.
    List(Vec<String>),
}

/// Writes changes, by file of tests; returns the files that changed.
///
/// # Errors
/// Files that can't be written; keys whose value can't be told from what is around it.
pub fn write(suite: &Suite, edits: HashMap<&str, Vec<&Edit>>) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for (name, edits) in edits {
        let Some(file) = suite.files.iter().find(|file| file.name == name) else {
            continue;
        };
        let mut text = file.text.clone();
        // From the end, so that places in front stay where they are.
        let mut values: Vec<(&Place, &NewValue)> = Vec::new();
        for edit in edits {
            match edit {
                Edit::Value { key, value } => values.push((key, value)),
                Edit::File { path, text } => {
                    save(path, text)?;
                    changed.push(path.display().to_string());
                }
            }
        }
        values.sort_by_key(|(key, _)| std::cmp::Reverse(key.start));
        for (key, value) in &values {
            text = replaced(&text, key, value)?;
        }
        if !values.is_empty() {
            save(&file.path, &text)?;
            changed.push(file.file.file.to_string());
        }
    }
    changed.sort();
    changed.dedup();
    Ok(changed)
}

fn save(path: &std::path::Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|e| Error::new(ErrorKind::Io, format!("{} can't be written: {e}", path.display())))
}

/// A text with the value of a key replaced.
fn replaced(text: &str, key: &Place, value: &NewValue) -> Result<String> {
    let unclear = || {
        Error::new(ErrorKind::Project, "what is expected here can't be updated")
            .at(key)
            .help("write the key on a line of its own, not in braces")
    };
    let line = text
        .get(..key.start)
        .map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
    let before = text.get(line..key.start).ok_or_else(unclear)?;
    if !before.chars().all(|c| c == ' ' || c == '-') {
        return Err(unclear());
    }
    let indent = before.len();
    let rest = text.get(key.end..).ok_or_else(unclear)?;
    let colon = rest.find(':').ok_or_else(unclear)?;
    let begin = key.end + colon + 1;
    let end = end_of_value(text, begin, indent);
    let mut new = String::new();
    match value {
        NewValue::Inline(value) => new.push_str(&format!(" {value}")),
        NewValue::List(items) if items.is_empty() => new.push_str(" []"),
        NewValue::List(items) => {
            for item in items {
                new.push_str(&format!("\n{}- {item}", " ".repeat(indent + 2)));
            }
        }
    }
    let (head, tail) = (
        text.get(..begin).ok_or_else(unclear)?,
        text.get(end..).unwrap_or_default(),
    );
    Ok(format!("{head}{new}{tail}"))
}

/// Where the value behind a key ends: in front of the line break of its last line.
fn end_of_value(text: &str, begin: usize, indent: usize) -> usize {
    let rest = text.get(begin..).unwrap_or_default();
    let mut end = begin + rest.find('\n').unwrap_or(rest.len());
    let mut at = end;
    // What is in front of the first line break is the key's own line.
    for line in text.get(end..).unwrap_or_default().split('\n').skip(1) {
        at += 1 + line.len();
        let spaces = line.len() - line.trim_start_matches(' ').len();
        // A comment belongs to what is behind it.
        let is_blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        let inside = spaces > indent || (spaces == indent && line.trim_start().starts_with("- "));
        match (is_blank, inside) {
            (true, _) => {}
            (false, true) => end = at,
            (false, false) => break,
        }
    }
    end
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn place(text: &str, key: &str) -> Place {
        let start = text.find(key).unwrap();
        Place {
            file: "t.yaml".into(),
            line: 1,
            column: 1,
            start,
            end: start + key.len(),
        }
    }

    #[test]
    fn only_the_value_of_the_key_is_replaced() {
        let text = "tests:\n- name: a\n  expect:\n    tables:\n      wh.t:\n        rows:\n        - {id: 1}\n        # kept out\n        - {id: 2}\n\n      wh.u: [{id: 1},\n        {id: 2}]\n    variables:\n      n: 1  # how many\n- name: b\n";
        let list = NewValue::List(vec!["{id: 3}".into(), "{id: 4}".into()]);
        let new = replaced(text, &place(text, "rows"), &list).unwrap();
        assert_eq!(
            new,
            "tests:\n- name: a\n  expect:\n    tables:\n      wh.t:\n        rows:\n          - {id: 3}\n          - {id: 4}\n\n      wh.u: [{id: 1},\n        {id: 2}]\n    variables:\n      n: 1  # how many\n- name: b\n"
        );
        let new = replaced(text, &place(text, "wh.u"), &list).unwrap();
        assert!(
            new.contains("      wh.u:\n        - {id: 3}\n        - {id: 4}\n    variables:\n"),
            "{new}"
        );
        let n = Place {
            end: text.find("n: 1").unwrap() + 1,
            ..place(text, "n: 1")
        };
        assert!(
            replaced(text, &n, &NewValue::Inline("7".into()))
                .unwrap()
                .contains("      n: 7\n- name: b")
        );
        let flow = "expect: {rows: [{id: 1}]}\n";
        assert!(replaced(flow, &place(flow, "rows"), &list).is_err());
    }
}

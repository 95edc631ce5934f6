//! Tables and their rows, as tests name them.

use std::fmt;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::names::name_parts;
use crate::span::Place;
use crate::syntax::{Node, Value};

/// The columns of a row, by their names.
pub type RowValues = IndexMap<String, Json>;

/// A table: `source.table`, with schema and database between them where they are named.
#[derive(Debug, Clone, PartialEq)]
pub struct TableKey {
    pub source: String,
    /// Its name in SQL: `table`, `schema.table`, `"Quoted Name"`.
    pub name: String,
    pub place: Place,
}

impl fmt::Display for TableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.source, self.name)
    }
}

impl TableKey {
    /// Reads `source.table`.
    pub(super) fn read(text: &str, place: &Place, d: &mut Diagnostics) -> Option<TableKey> {
        let parts = name_parts(text).filter(|parts| (2..=4).contains(&parts.len()));
        match (parts, text.split_once('.')) {
            (Some(_), Some((source, name))) => Some(TableKey {
                source: source.to_string(),
                name: name.to_string(),
                place: place.clone(),
            }),
            _ => {
                let message = format!("`{text}` names no table");
                d.error(Code::BadValue, place.clone(), message)
                    .help("write its source in front of it: source.table, or source.schema.table");
                None
            }
        }
    }
}

/// Rows that a table must have.
#[derive(Debug, Clone)]
pub enum ExpectedRows {
    /// As they stand in the test; the place is that of their key.
    Inline(Vec<RowValues>, Place),
    /// A file, from the folder of the test's: `.csv`, `.jsonl` or `.parquet`.
    File(String, Place),
}

impl ExpectedRows {
    /// Reads a list of rows, or `file: PATH`. `key`: the place of its key.
    pub(super) fn read(what: &str, node: &Node, key: &Place, d: &mut Diagnostics) -> Option<ExpectedRows> {
        match file(node) {
            Some((file, place)) => Some(ExpectedRows::File(file, place)),
            None => inline(what, node, d).map(|rows| ExpectedRows::Inline(rows, key.clone())),
        }
    }
}

/// The path of `{file: PATH}`.
fn file(node: &Node) -> Option<(String, Place)> {
    match &node.value {
        Value::Map(entries) => match entries.as_slice() {
            [(key, _, value)] if key == "file" => value
                .as_text()
                .map(|text| (text.to_string(), value.place.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// Reads a list of rows.
pub(super) fn inline(what: &str, node: &Node, d: &mut Diagnostics) -> Option<Vec<RowValues>> {
    let Value::List(items) = &node.value else {
        let message = format!("{what} must be a list of rows, not {}", node.kind());
        d.error(Code::WrongType, node.place.clone(), message)
            .help("write a row a line, `- {id: 1, name: Ann}`, or name a file: `file: rows.csv`");
        return None;
    };
    let row = |item: &Node, d: &mut Diagnostics| match &item.value {
        Value::Map(entries) if entries.is_empty() => {
            d.error(Code::BadValue, item.place.clone(), "a row without columns")
                .help("name the columns that count: `- {id: 1}`; how many rows there are, `row_count` says");
            None
        }
        Value::Map(entries) => {
            let columns = entries
                .iter()
                .map(|(name, _, value)| (name.clone(), value.to_json()));
            Some(columns.collect())
        }
        _ => {
            let message = format!("a row is a map of columns to values, not {}", item.kind());
            d.error(Code::WrongType, item.place.clone(), message);
            None
        }
    };
    items.iter().map(|item| row(item, d)).collect()
}

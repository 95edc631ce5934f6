//! `given`: the tables that a flow finds.

use serde_json::Value as Json;

use super::rows::{RowValues, TableKey, inline};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Node, Shape, Value};

/// A table that the flow finds.
static GIVEN: Shape = Shape {
    what: "a given table",
    doc: "A table that the flow finds.",
    with: &[],
    keys: &[
        Key::new(
            "rows",
            Form::Value,
            "Its rows, as a list of maps of columns to values.",
        )
        .planned(),
        Key::new(
            "file",
            Form::Name,
            "A file with its rows: `.csv`, `.jsonl` or `.parquet`; its path begins at the test's file.",
        ),
        Key::new(
            "sql",
            Form::Label,
            "A query that gives its rows, in the SQL of its source; it needs no table.",
        ),
        Key::new(
            "columns",
            Form::Plain,
            "Types of its columns, as its database writes them; others are those of the values.",
        ),
    ],
};

/// A table that the flow finds.
#[derive(Debug, Clone)]
pub struct Given {
    pub table: TableKey,
    pub rows: GivenRows,
    /// Names of columns with their types.
    pub columns: Vec<(String, String)>,
}

/// Where its rows are.
#[derive(Debug, Clone)]
pub enum GivenRows {
    Inline(Vec<RowValues>),
    /// A path, from the folder of the test's file.
    File(String, Place),
    Sql(String, Place),
}

/// Reads `given`.
pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Vec<Given> {
    let Value::Map(entries) = &node.value else {
        let message = format!(
            "`given` must be a map of tables to their rows, not {}",
            node.kind()
        );
        d.error(Code::WrongType, node.place.clone(), message);
        return Vec::new();
    };
    let each = entries.iter().filter_map(|(name, place, node)| {
        let table = TableKey::read(name, place, d);
        let (rows, columns) = rows(name, node, d)?;
        Some(Given {
            table: table?,
            rows,
            columns,
        })
    });
    each.collect()
}

type Columns = Vec<(String, String)>;

fn rows(name: &str, node: &Node, d: &mut Diagnostics) -> Option<(GivenRows, Columns)> {
    let what = format!("the given table `{name}`");
    if matches!(node.value, Value::List(_)) {
        let rows = inline(&what, node, d)?;
        if rows.is_empty() {
            d.error(
                Code::BadValue,
                node.place.clone(),
                format!("{what} has no columns"),
            )
            .help("give their types: `{columns: {id: integer}}`");
            return None;
        }
        return Some((GivenRows::Inline(rows), Columns::new()));
    }
    let keys = Keys::new(node, &GIVEN, d)?;
    let columns = columns(&keys, d);
    let file = keys
        .name("file", d)
        .map(|(path, place)| GivenRows::File(path, place));
    let sql = keys.node("sql").and_then(|node| {
        let text = keys.label("sql", d)?;
        Some(GivenRows::Sql(text, node.place.clone()))
    });
    let given = keys
        .node("rows")
        .and_then(|node| inline(&what, node, d))
        .map(GivenRows::Inline);
    let mut all = [file, sql, given].into_iter().flatten();
    match (all.next(), all.next()) {
        (Some(rows), None) => Some((rows, columns)),
        (None, _) if !columns.is_empty() && !keys.has("rows") => {
            Some((GivenRows::Inline(Vec::new()), columns))
        }
        (None, _) if keys.has("rows") || keys.has("file") || keys.has("sql") => None,
        (found, _) => {
            let message = match found {
                None => format!("{what} has no rows"),
                Some(_) => format!("{what} has its rows from several places"),
            };
            d.error(Code::BadValue, node.place.clone(), message)
                .help("give one of `rows`, `file` and `sql`; or only `columns`, where it has none");
            None
        }
    }
}

fn columns(keys: &Keys<'_>, d: &mut Diagnostics) -> Columns {
    let Some(node) = keys.node("columns") else {
        return Columns::new();
    };
    let Value::Map(entries) = &node.value else {
        let message = format!("`columns` must be a map of names to types, not {}", node.kind());
        d.error(Code::WrongType, node.place.clone(), message);
        return Columns::new();
    };
    let each = entries.iter().filter_map(|(name, _, node)| match node.to_json() {
        Json::String(text) => Some((name.clone(), text)),
        _ => {
            let message = format!("the type of `{name}` must be a string, not {}", node.kind());
            d.error(Code::WrongType, node.place.clone(), message);
            None
        }
    });
    each.collect()
}

//! `expect`: what must come out of a flow.

use serde_json::Value as Json;

use super::rows::{ExpectedRows, RowValues, TableKey, inline};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Node, Shape, Value};

/// `expect` of a test.
pub(super) static EXPECT: Shape = Shape {
    what: "`expect`",
    doc: "What must come out. What it does not name is not looked at.",
    with: &[],
    keys: &[
        Key::new(
            "tables",
            Form::Value,
            "Tables, by `source.table`: a list of exactly its rows, or `rows`, `contains`, `row_count`, `file`, `absent`.",
        )
        .planned(),
        Key::new("no_rows", Form::List(&NO_ROWS), "Queries that must give no rows.").planned(),
        Key::new("variables", Form::Plain, "Variables with their values behind the run."),
        Key::new(
            "requests",
            Form::Value,
            "Requests that were sent, by step: a list of all of them, a number, or `contains`, `count`, `in_order`.",
        )
        .planned(),
        Key::new("printed", Form::Value, "What `print` steps print, in their order.").planned(),
        Key::new("rejects", Form::Value, "Rows that were rejected, by step: how many, or a list of them.").planned(),
        Key::new(
            "error",
            Form::Value,
            "The error that the flow must fail with: its code, or `code`, `message`, `step`.",
        )
        .planned(),
    ],
};

static NO_ROWS: Shape = Shape {
    what: "a query of `no_rows`",
    doc: "A query that must give no rows.",
    with: &[],
    keys: &[
        Key::new("source", Form::Name, "The source that it asks.").required(),
        Key::new("sql", Form::Label, "The query, in the SQL of the source.").required(),
    ],
};

static TABLE: Shape = Shape {
    what: "an expected table",
    doc: "What a table must hold.",
    with: &[],
    keys: &[
        Key::new("rows", Form::Value, "All of its rows, in any order.").planned(),
        Key::new(
            "file",
            Form::Name,
            "A file with all of its rows: `.csv`, `.jsonl` or `.parquet`.",
        ),
        Key::new("contains", Form::Value, "Rows that are among them.").planned(),
        Key::new("row_count", Form::Count, "How many it has.").planned(),
        Key::new("absent", Form::Flag, "Whether the table must not be there.").planned(),
    ],
};

static REQUESTS: Shape = Shape {
    what: "expected requests",
    doc: "Requests that a step sends.",
    with: &[],
    keys: &[
        Key::new("sent", Form::Value, "All of them.").planned(),
        Key::new("contains", Form::Value, "Requests that are among them.").planned(),
        Key::new("count", Form::Count, "How many there are.").planned(),
        Key::new("in_order", Form::Flag, "Whether `sent` are in this order.").planned(),
    ],
};

static REQUEST: Shape = Shape {
    what: "an expected request",
    doc: "A request that is sent: what is left out is not looked at.",
    with: &[],
    keys: &[
        Key::new("method", Form::Label, "Its method."),
        Key::new(
            "url",
            Form::Label,
            "Its url, with or without the query; or its path.",
        ),
        Key::new("query", Form::Plain, "Parameters of its query."),
        Key::new("headers", Form::Plain, "Headers that it has."),
        Key::new("json", Form::Value, "Its body, as JSON.").planned(),
        Key::new("body", Form::Label, "Its body, as text."),
    ],
};

static ERROR: Shape = Shape {
    what: "`error`",
    doc: "The error that the flow must fail with.",
    with: &[],
    keys: &[
        Key::new("code", Form::Label, "Its code, like SQ1006."),
        Key::new("message", Form::Label, "Text that is in its message."),
        Key::new("step", Form::Label, "The step that fails."),
    ],
};

/// What must come out.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    pub tables: Vec<ExpectedTable>,
    pub no_rows: Vec<NoRows>,
    pub variables: Vec<(String, Json, Place)>,
    pub requests: Vec<ExpectedRequests>,
    /// None: whatever is printed.
    pub printed: Option<(Vec<String>, Place)>,
    pub rejects: Vec<ExpectedRejects>,
    /// None: the flow must succeed.
    pub error: Option<ExpectedError>,
    /// The place of `expect`.
    pub place: Option<Place>,
}

/// What a table must hold.
#[derive(Debug, Clone)]
pub struct ExpectedTable {
    pub table: TableKey,
    pub rows: Option<ExpectedRows>,
    pub contains: Vec<RowValues>,
    /// With the place of its key.
    pub row_count: Option<(u64, Place)>,
    pub absent: bool,
}

/// A query that must give no rows.
#[derive(Debug, Clone)]
pub struct NoRows {
    pub source: String,
    pub sql: String,
    pub place: Place,
}

/// Requests of a step.
#[derive(Debug, Clone)]
pub struct ExpectedRequests {
    pub step: String,
    pub place: Place,
    /// All of them, and the place of their key.
    pub sent: Option<(Vec<ExpectedRequest>, Place)>,
    pub contains: Vec<ExpectedRequest>,
    /// With the place of its key.
    pub count: Option<(u64, Place)>,
    pub in_order: bool,
}

/// A request: what is none is not looked at.
#[derive(Debug, Clone, Default)]
pub struct ExpectedRequest {
    pub method: Option<String>,
    pub url: Option<String>,
    pub query: Vec<(String, Json)>,
    pub headers: Vec<(String, Json)>,
    pub json: Option<Json>,
    pub body: Option<String>,
}

/// Rejected rows of a step.
#[derive(Debug, Clone)]
pub struct ExpectedRejects {
    pub step: String,
    pub place: Place,
    pub count: u64,
    /// None: only their number counts.
    pub rows: Option<Vec<RowValues>>,
}

/// The error that the flow must fail with: what is none is not looked at.
#[derive(Debug, Clone)]
pub struct ExpectedError {
    pub code: Option<String>,
    pub message: Option<String>,
    pub step: Option<String>,
    /// The place of its key.
    pub place: Place,
}

/// Reads `expect`.
pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Expected {
    let Some(keys) = Keys::new(node, &EXPECT, d) else {
        return Expected::default();
    };
    Expected {
        tables: named(&keys, "tables", d, table),
        no_rows: keys.list("no_rows", d, no_rows),
        variables: values(&keys, "variables", d),
        requests: named(&keys, "requests", d, requests),
        printed: keys.node("printed").map(|node| {
            let texts = node.one_or_list().iter().map(text_of);
            let key = keys.place_of("printed").unwrap_or(&node.place);
            (texts.collect(), key.clone())
        }),
        rejects: named(&keys, "rejects", d, rejects),
        error: keys
            .node("error")
            .and_then(|node| error(node, keys.place_of("error")?, d)),
        place: Some(node.place.clone()),
    }
}

/// Each entry of a map.
fn named<T>(
    keys: &Keys<'_>,
    name: &str,
    d: &mut Diagnostics,
    mut read: impl FnMut(&str, &Place, &Node, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    let Some(node) = keys.node(name) else {
        return Vec::new();
    };
    let Value::Map(entries) = &node.value else {
        let message = format!("`{name}` of `expect` must be a map, not {}", node.kind());
        d.error(Code::WrongType, node.place.clone(), message);
        return Vec::new();
    };
    let each = entries
        .iter()
        .filter_map(|(name, place, node)| read(name, place, node, d));
    each.collect()
}

fn values(keys: &Keys<'_>, name: &str, d: &mut Diagnostics) -> Vec<(String, Json, Place)> {
    named(keys, name, d, |name, place, node, _| {
        Some((name.to_string(), node.to_json(), place.clone()))
    })
}

/// Entries of a map, without their places.
fn entries(keys: &Keys<'_>, name: &str, d: &mut Diagnostics) -> Vec<(String, Json)> {
    let all = values(keys, name, d).into_iter();
    all.map(|(name, value, _)| (name, value)).collect()
}

fn text_of(node: &Node) -> String {
    match node.to_json() {
        Json::String(text) => text.trim_end_matches('\n').to_string(),
        other => other.to_string(),
    }
}

fn table(name: &str, place: &Place, node: &Node, d: &mut Diagnostics) -> Option<ExpectedTable> {
    let table = TableKey::read(name, place, d)?;
    let what = format!("the expected table `{name}`");
    let none = ExpectedTable {
        table,
        rows: None,
        contains: Vec::new(),
        row_count: None,
        absent: false,
    };
    if matches!(node.value, Value::List(_)) {
        let rows = ExpectedRows::read(&what, node, place, d)?;
        return Some(ExpectedTable {
            rows: Some(rows),
            ..none
        });
    }
    let keys = Keys::new(node, &TABLE, d)?;
    let file = keys
        .name("file", d)
        .map(|(path, place)| ExpectedRows::File(path, place));
    let key = keys.place_of("rows").unwrap_or(place);
    let rows = keys
        .node("rows")
        .and_then(|node| ExpectedRows::read(&what, node, key, d));
    if let (Some(_), Some(_)) = (&file, &rows) {
        d.error(
            Code::BadValue,
            node.place.clone(),
            format!("{what} has `rows` and a `file`"),
        )
        .help("keep one of them");
    }
    let contains = keys
        .node("contains")
        .and_then(|node| inline(&format!("`contains` of {what}"), node, d));
    let expected = ExpectedTable {
        rows: rows.or(file),
        contains: contains.unwrap_or_default(),
        row_count: counted(&keys, "row_count", d),
        absent: keys.flag("absent", d).unwrap_or_default(),
        ..none
    };
    let holds = expected.rows.is_some() || !expected.contains.is_empty() || expected.row_count.is_some();
    if expected.absent == holds {
        let message = match holds {
            true => format!("{what} is absent, and has rows"),
            false => format!("nothing is expected of {what}"),
        };
        d.error(Code::BadValue, place.clone(), message)
            .help("give its rows, `row_count: 3`, or `absent: true`");
    }
    Some(expected)
}

/// A number, with the place of its key.
fn counted(keys: &Keys<'_>, name: &str, d: &mut Diagnostics) -> Option<(u64, Place)> {
    let count = keys.count(name, d)?;
    Some((count, keys.place_of(name)?.clone()))
}

fn no_rows(node: &Node, d: &mut Diagnostics) -> Option<NoRows> {
    let keys = Keys::new(node, &NO_ROWS, d)?;
    let (source, _) = keys.name("source", d)?;
    Some(NoRows {
        source,
        sql: keys.label("sql", d)?,
        place: node.place.clone(),
    })
}

fn requests(step: &str, place: &Place, node: &Node, d: &mut Diagnostics) -> Option<ExpectedRequests> {
    let none = ExpectedRequests {
        step: step.to_string(),
        place: place.clone(),
        sent: None,
        contains: Vec::new(),
        count: None,
        in_order: false,
    };
    let list = |node: &Node, d: &mut Diagnostics| {
        let each = node.one_or_list().iter().filter_map(|node| request(node, d));
        each.collect::<Vec<_>>()
    };
    if matches!(node.value, Value::List(_)) {
        return Some(ExpectedRequests {
            sent: Some((list(node, d), place.clone())),
            ..none
        });
    }
    if let Json::Number(count) = node.to_json() {
        let count = count.as_u64();
        if count.is_none() {
            d.error(
                Code::BadValue,
                node.place.clone(),
                "a number of requests is a whole number from 0",
            );
        }
        let count = count.map(|count| (count, place.clone()));
        return Some(ExpectedRequests { count, ..none });
    }
    let keys = Keys::new(node, &REQUESTS, d)?;
    Some(ExpectedRequests {
        sent: keys.node("sent").map(|node| {
            let key = keys.place_of("sent").unwrap_or(place);
            (list(node, d), key.clone())
        }),
        contains: keys
            .node("contains")
            .map(|node| list(node, d))
            .unwrap_or_default(),
        count: counted(&keys, "count", d),
        in_order: keys.flag("in_order", d).unwrap_or_default(),
        ..none
    })
}

fn request(node: &Node, d: &mut Diagnostics) -> Option<ExpectedRequest> {
    let keys = Keys::new(node, &REQUEST, d)?;
    Some(ExpectedRequest {
        method: keys.label("method", d),
        url: keys.label("url", d),
        query: entries(&keys, "query", d),
        headers: entries(&keys, "headers", d),
        json: keys.node("json").map(Node::to_json),
        body: keys.label("body", d),
    })
}

fn rejects(step: &str, place: &Place, node: &Node, d: &mut Diagnostics) -> Option<ExpectedRejects> {
    let (count, rows) = match node.to_json().as_u64() {
        Some(count) => (count, None),
        None => {
            let rows = inline(&format!("the rejects of `{step}`"), node, d)?;
            (rows.len() as u64, Some(rows))
        }
    };
    Some(ExpectedRejects {
        step: step.to_string(),
        place: place.clone(),
        count,
        rows,
    })
}

fn error(node: &Node, place: &Place, d: &mut Diagnostics) -> Option<ExpectedError> {
    let place = place.clone();
    if let Some(text) = node.as_text() {
        let code = Some(text.to_string());
        return Some(ExpectedError {
            code,
            message: None,
            step: None,
            place,
        });
    }
    let keys = Keys::new(node, &ERROR, d)?;
    Some(ExpectedError {
        place,
        code: keys.label("code", d),
        message: keys.label("message", d),
        step: keys.label("step", d),
    })
}

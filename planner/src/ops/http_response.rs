//! The `response` of an http_request: which status is a success, and where its data goes.

use serde::{Deserialize, Serialize};

use super::columns::{COLUMNS, Columns, read_columns};
use super::payload::{self, PAYLOAD, Payload};
use super::reshape::{self, RESHAPE, Reshape};
use super::rules::{self, RULE, Rule};
use super::set_variable::{VariableScope, VariableSet, variables_of};
use super::table::{TABLE, TableDefaults, TableRef};
use super::write_mode::{WRITE_MODE, WriteMode, check_primary_key, read_write_mode};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{PathStep, Prop};
use crate::span::Place;
use crate::syntax::data_path::{self, DataPath};
use crate::syntax::{Form, Key, Keys, Node, Shape, Value};

/// A table filled from a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseTable {
    pub target: TableRef,
    pub columns: Columns,
    /// A list of objects; none when a parser gives the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Prop>,
    /// Where the page's list is, of which an expression keeps some rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<DataPath>,
    /// Where the rows are, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_path: Option<DataPath>,
    pub write_mode: WriteMode,
    /// What becomes of fields that the table has no column for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaPolicy>,
    #[serde(default, skip_serializing_if = "Reshape::is_default")]
    pub reshape: Reshape,
    #[serde(skip)]
    pub place: Place,
}

/// What becomes of fields in the data that a table has no column for. When it is not said: columns that are declared are
/// all there are (`discard`), those that come from the data grow with it (`evolve`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaPolicy {
    /// The table gets a column.
    Evolve,
    /// The step fails.
    Freeze,
    /// They are left out.
    Discard,
}

/// The policies by their names.
const SCHEMA_POLICIES: [(&str, SchemaPolicy); 3] = [
    ("evolve", SchemaPolicy::Evolve),
    ("freeze", SchemaPolicy::Freeze),
    ("discard", SchemaPolicy::Discard),
];

/// How rows are written in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowFormat {
    Json,
    /// A JSON value in each line.
    Jsonl,
    /// RFC 4180, with a line of names.
    Csv,
    Xml,
}

/// The formats of rows by their names.
const ROW_FORMATS: [(&str, RowFormat); 4] = [
    ("json", RowFormat::Json),
    ("jsonl", RowFormat::Jsonl),
    ("csv", RowFormat::Csv),
    ("xml", RowFormat::Xml),
];

/// What is done with a response.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResponseSpec {
    /// Statuses that are a success; any 2xx when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_status: Option<Prop>,
    /// How rows are written; as its content type says when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<RowFormat>,
    /// How its bytes become text and rows.
    #[serde(default, skip_serializing_if = "Payload::is_default")]
    pub payload: Payload,
    /// What else tells success from failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<ResponseTable>,
    /// What tables that a parser names leave out.
    #[serde(default, skip_serializing_if = "TableDefaults::is_empty")]
    pub defaults: TableDefaults,
    /// One function for tables, variables and `while` together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<Prop>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<VariableSet>,
    /// Whether the parser is all of the response: `response_expression`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// True: ask again, with the request evaluated anew.
    #[serde(rename = "while", default, skip_serializing_if = "Option::is_none")]
    pub while_: Option<Prop>,
    #[serde(skip)]
    pub while_place: Option<Place>,
}

static RESPONSE_TABLE: Shape = Shape {
    what: "a table of a response",
    doc: "A table that gets rows from the response.",
    with: &[&TABLE, &COLUMNS, &WRITE_MODE, &RESHAPE],
    keys: &[
        Key::new(
            "data",
            Form::Value,
            "The rows: a list of objects. For example `data_expression: response.json()['orders']`.",
        ),
        Key::new(
            "data_path",
            Form::JsonPath,
            "Where the rows are in the response, instead of `data`: `orders`, `data.items`, `$.pages[*].rows`, any JSONPath; `$` for the whole.",
        ),
        Key::new(
            "where",
            Form::Code,
            "Which rows are kept: an expression of `row`, like `row['status'] != 'draft'`. Pages are counted before it.",
        ),
        Key::new(
            "schema",
            Form::Choice(&["evolve", "freeze", "discard"]),
            "What becomes of fields that the table has no column for: `evolve`: it gets one; `freeze`: the step fails; `discard`: they are left out.",
        ).default("`discard` where columns are declared, else `evolve`"),
    ],
};

pub(super) static RESPONSE: Shape = Shape {
    what: "a response",
    doc: "What is done with the response.",
    with: &[&TABLE, &PAYLOAD],
    keys: &[
        Key::new(
            "success_status",
            Form::Statuses,
            "HTTP statuses that are a success.",
        ).default("any 2xx"),
        Key::new(
            "format",
            Form::Choice(&["json", "jsonl", "csv", "xml"]),
            "How the rows of `data_path` are written.",
        ).default("as the content type says"),
        Key::new(
            "rules",
            Form::List(&RULE),
            "What responses mean that their status does not say; the first that holds counts.",
        ),
        Key::new(
            "tables",
            Form::List(&RESPONSE_TABLE),
            "Tables that get rows. What an entry leaves out of source, database, namespace and table is taken from the response.",
        )
        .deferred(),
        Key::new(
            "parser",
            Form::Code,
            "Instead of `data_expression`: returns {\"tables\": {name: rows}, \"variables\": {...}, \"while\": True}.",
        ),
        Key::new(
            "variables",
            Form::Variables,
            "Variables set from the response, visible when the step has succeeded.",
        )
        .or_python(),
        Key::new(
            "while",
            Form::Text,
            "True: ask again, with the request evaluated anew.",
        ),
    ],
};

pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<ResponseSpec> {
    let keys = Keys::new(node, &RESPONSE, d)?;
    let success_status = keys.prop("success_status", d);
    if let Some(Prop::Literal(statuses)) = &success_status {
        check_statuses(statuses, keys.place_of("success_status"), d);
    }
    let defaults = TableDefaults::read(&keys, d);
    let parser = keys.prop("parser", d);
    let format = keys.pick("format", &ROW_FORMATS, d);
    // Their rows are all there is.
    let whole = matches!(format, Some(RowFormat::Jsonl | RowFormat::Csv));
    let tables = keys.list("tables", d, |item, d| {
        if let Some(RowFormat::Jsonl | RowFormat::Csv | RowFormat::Xml) = format {
            refuse_where(item, d);
        }
        read_table(item, &defaults, parser.is_some(), whole, d)
    });
    for (at, table) in tables.iter().enumerate() {
        let same =
            |other: &ResponseTable| other.target.table.as_text().is_some() && other.target == table.target;
        if tables[..at].iter().any(same) {
            let name = table.target.table.as_text().unwrap_or_default();
            let message = format!("table `{name}` is declared twice in the response");
            d.error(Code::DuplicateKey, table.place.clone(), message)
                .help("give all its columns in one entry");
        }
    }
    Some(ResponseSpec {
        success_status,
        format,
        payload: payload::read(&keys, d),
        rules: keys.list("rules", d, rules::read),
        tables,
        defaults,
        parser,
        variables: variables_of(&keys, "variables", VariableScope::Project, d),
        whole: false,
        while_: keys.prop("while", d),
        while_place: keys.place_of("while").cloned(),
    })
}

fn check_statuses(statuses: &serde_json::Value, place: Option<&Place>, d: &mut Diagnostics) {
    let is_status = |v: &serde_json::Value| v.as_u64().is_some_and(|s| (100..600).contains(&s));
    let good = match statuses {
        serde_json::Value::Array(list) => !list.is_empty() && list.iter().all(is_status),
        serde_json::Value::Null => true,
        one => is_status(one),
    };
    if !good {
        d.error(
            Code::WrongType,
            place.cloned(),
            "`success_status` must be a list of HTTP statuses",
        )
        .help("for example `success_status: [200, 201]`");
    }
}

fn read_table(
    node: &Node,
    defaults: &TableDefaults,
    has_parser: bool,
    whole: bool,
    d: &mut Diagnostics,
) -> Option<ResponseTable> {
    let keys = Keys::new(node, &RESPONSE_TABLE, d)?;
    let target = defaults.table(&keys, d);
    let columns = read_columns(&keys, d);
    let data = keys.prop("data", d);
    let data_path = match keys.has("data_path") {
        true => data_path::read(&keys, "data_path", d),
        false if whole && data.is_none() && !has_parser => Some(DataPath::Steps(Vec::new())),
        false => None,
    };
    if keys.has("data") && keys.has("data_path") {
        let place = keys.place_of("data_path").cloned();
        d.error(Code::BothForms, place, "both `data` and `data_path` are given")
            .help("keep one of them");
    }
    let has_data = keys.has("data") || keys.has("data_path");
    if has_data && has_parser {
        d.warning(
            Code::BothForms,
            keys.place().clone(),
            "the response has a parser and the table has `data_expression`: the parser counts",
        )
        .help("keep one: a parser gives the rows of all tables");
    }
    if !has_data && !has_parser && !whole {
        d.error(
            Code::MissingKey,
            node.place.clone(),
            "a table of a response needs `data_expression`",
        )
        .help("for example `data_expression: response.json()['orders']`, `data_path: orders`, or `data_path: $` for the whole; CSV and JSON lines need neither with `format: csv` or `format: jsonl`");
    }
    let (data, data_path, listed) = match keys.has("where") {
        true => kept_rows(&keys, data, data_path, d)?,
        false => (data, data_path, None),
    };
    let write_mode = read_write_mode(&keys, d);
    if let Some(columns) = &columns {
        check_primary_key(&keys, &write_mode, columns, d);
    }
    Some(ResponseTable {
        target: target?,
        columns: columns?,
        data: data.filter(|_| !has_parser),
        data_path: data_path.filter(|_| !has_parser),
        write_mode,
        listed,
        schema: keys.pick("schema", &SCHEMA_POLICIES, d),
        reshape: reshape::read(&keys, d),
        place: node.place.clone(),
    })
}

/// Reports `where_expression` beside a format that it does not read.
fn refuse_where(table: &Node, d: &mut Diagnostics) {
    let Value::Map(entries) = &table.value else { return };
    let given = entries.iter().find(|(key, ..)| key == "where_expression");
    if let Some((_, place, _)) = given {
        d.error(
            Code::BadValue,
            place.clone(),
            "`where_expression` reads rows of JSON alone",
        )
        .help("leave rows out in SQL behind it, or by a `data_expression`");
    }
}

/// The rows that `where_expression` keeps, as one expression, and where their list is.
#[allow(clippy::type_complexity)]
fn kept_rows(
    keys: &Keys<'_>,
    data: Option<Prop>,
    data_path: Option<DataPath>,
    d: &mut Diagnostics,
) -> Option<(Option<Prop>, Option<DataPath>, Option<DataPath>)> {
    let filter = keys.prop("where", d)?;
    let place = keys.place_of("where").cloned();
    let mut refused = |why: &str, help: &str| {
        d.error(Code::BadValue, place.clone(), why).help(help);
        None
    };
    let Prop::Python { code, .. } = &filter else {
        return None;
    };
    if code.text.trim().contains('\n') {
        return refused(
            "`where_expression` must be one expression",
            "filter in `data_expression` instead",
        );
    }
    let (rows, listed) = match (&data, &data_path) {
        (Some(Prop::Python { code: data, .. }), _) if !data.text.trim().contains('\n') => {
            (data.text.trim().to_string(), None)
        }
        (None, Some(path @ DataPath::Steps(steps))) => {
            let mut rows = "response.json()".to_string();
            for step in steps {
                match step {
                    PathStep::Key(key) => {
                        rows.push_str(&format!("[{}]", serde_json::Value::from(key.as_str())))
                    }
                    PathStep::Index(index) => rows.push_str(&format!("[{index}]")),
                }
            }
            (rows, Some(path.clone()))
        }
        _ => {
            return refused(
                "`where_expression` needs rows by `data_path`, keys with dots between them, or by a `data_expression` of one line",
                "a JSONPath has filters of its own: `$.orders[?@.total > 10]`",
            );
        }
    };
    let text = format!("[row for row in (({rows}) or []) if ({})]", code.text.trim());
    let node = Node::of_json(&text.into(), &code.place);
    let data = crate::expr::python("where_expression", &node, d);
    Some((data, None, listed))
}

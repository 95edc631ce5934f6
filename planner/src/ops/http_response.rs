//! The `response` of an http_request: which status is a success, and where its data goes.

use serde::Serialize;

use super::messages::{VariableScope, VariableSet, read_variables};
use super::table::{ColumnSpec, TableDefaults, TableRef, WriteMode, read_columns, read_write_mode};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{Keys, Node, Value};

/// A table filled from a response.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResponseTable {
    pub target: TableRef,
    pub columns: Vec<ColumnSpec>,
    /// A list of objects; none when a parser gives the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Prop>,
    pub write_mode: WriteMode,
    #[serde(skip)]
    pub place: Place,
}

/// What is done with a response.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Response {
    /// Statuses that are a success; any 2xx when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_status: Option<Prop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<ResponseTable>,
    /// One function for tables, variables and `while` together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parser: Option<Prop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<VariableSet>,
    /// True: ask again, with the request evaluated anew.
    #[serde(rename = "while", skip_serializing_if = "Option::is_none")]
    pub while_: Option<Prop>,
}

pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<Response> {
    let mut keys = Keys::new(node, "a response", d)?;
    let success_status = keys.prop("success_status", d);
    if let Some(Prop::Literal(statuses)) = &success_status {
        check_statuses(statuses, keys.key_place("success_status"), d);
    }
    let defaults = TableDefaults::read(&mut keys, d);
    let parser = keys.prop("parser", d);
    if let (Some(Prop::Literal(_) | Prop::Jinja { .. }), Some(place)) = (&parser, keys.key_place("parser")) {
        d.error(Code::WrongType, place.clone(), "a parser is Python code")
            .help("write it as `parser_expression`");
    }
    let tables = match keys.node("tables") {
        None => Vec::new(),
        Some(Node {
            value: Value::List(items),
            ..
        }) => items
            .iter()
            .filter_map(|item| read_table(item, &defaults, parser.is_some(), d))
            .collect(),
        Some(node) => {
            d.error(
                Code::WrongType,
                node.place.clone(),
                format!("`tables` must be a list, not {}", node.kind()),
            )
            .help("each item has `source`, `table`, `columns` and `data_expression`");
            Vec::new()
        }
    };
    let variables = keys
        .node("variables")
        .map(|node| read_variables(node, VariableScope::Project, d))
        .unwrap_or_default();
    let while_ = keys.prop("while", d);
    keys.finish(d);
    Some(Response {
        success_status,
        tables,
        parser,
        variables,
        while_,
    })
}

fn check_statuses(statuses: &serde_json::Value, place: Option<&Place>, d: &mut Diagnostics) {
    let is_status = |v: &serde_json::Value| v.as_u64().is_some_and(|s| (100..600).contains(&s));
    let good = match statuses {
        serde_json::Value::Array(list) => !list.is_empty() && list.iter().all(is_status),
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
    d: &mut Diagnostics,
) -> Option<ResponseTable> {
    let mut keys = Keys::new(node, "a table of a response", d)?;
    let target = defaults.table(&mut keys, "a table of a response", d);
    let mut columns = keys.node("columns");
    if let Some(model) = keys.node("model")
        && let Some(mut keys) = Keys::new(model, "a model", d)
    {
        columns = columns.or(keys.node("columns"));
        keys.finish(d);
    }
    let columns = match columns {
        Some(node) => read_columns(node, d),
        None => {
            d.error(
                Code::MissingKey,
                node.place.clone(),
                "a table of a response needs `columns`",
            )
            .help("for example `columns: {id: bigint, total: \"numeric(10,2)\"}`");
            Vec::new()
        }
    };
    let data = keys.prop("data", d);
    if data.is_some() && has_parser {
        d.error(
            Code::BothForms,
            keys.place().clone(),
            "the response has a parser and the table has `data_expression`",
        )
        .help("keep one: a parser gives the rows of all tables");
    }
    if data.is_none() && !has_parser && !keys.has("data") {
        d.error(
            Code::MissingKey,
            node.place.clone(),
            "a table of a response needs `data_expression`",
        )
        .help("for example `data_expression: response.json()['orders']`");
    }
    let write_mode = read_write_mode(&mut keys, d);
    keys.finish(d);
    Some(ResponseTable {
        target: target?,
        columns,
        data,
        write_mode,
        place: node.place.clone(),
    })
}

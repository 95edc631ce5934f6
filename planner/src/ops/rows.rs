//! What a `for_each` goes through: the rows of a table or of a query, or a list.

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use super::table::TableRef;
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::effects::{Effects, FlowScope};
use crate::expr::Prop;
use crate::span::Place;
use crate::sql;
use crate::syntax::{Form, Key, Keys, Shape};

/// Rows or values, one by one, under a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowsOf {
    #[serde(flatten)]
    pub from: RowSource,
    /// The variable that holds the row.
    #[serde(rename = "as")]
    pub variable: String,
    /// So many rows at once: the variable holds a list of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u64>,
    /// Only rows that have changed since they were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
}

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)]
pub enum RowSource {
    Table(TableRef),
    Query(RowQuery),
    /// A list, each item of which is a value of any kind.
    Values(Prop),
}

/// A query whose rows are gone through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowQuery {
    pub source: String,
    pub query: Prop,
    #[serde(skip)]
    pub place: Place,
}

impl RowsOf {
    /// Returns the table whose rows they are; none for a query and a list.
    pub fn table(&self) -> Option<&TableRef> {
        match &self.from {
            RowSource::Table(table) => Some(table),
            RowSource::Query(_) | RowSource::Values(_) => None,
        }
    }

    /// Returns the database that the rows come from, and where it is named; none for a list.
    pub fn database(&self) -> Option<(&str, &Place)> {
        match &self.from {
            RowSource::Table(table) => Some((&table.source, &table.place)),
            RowSource::Query(query) => Some((&query.source, &query.place)),
            RowSource::Values(_) => None,
        }
    }

    /// Adds what finding the rows reads.
    pub fn read(&self, effects: &mut Effects, scope: &FlowScope<'_>) {
        match &self.from {
            RowSource::Table(table) => {
                let table = table.resource(effects, scope);
                effects.reads.insert(table);
            }
            RowSource::Query(rows) => effects.sql_prop(&rows.source, &rows.query, scope, false),
            RowSource::Values(list) => effects.read_uses(&list.uses(), scope),
        }
    }

    /// Reports a query that changes something.
    pub fn check(&self, d: &mut Diagnostics) {
        let RowSource::Query(rows) = &self.from else {
            return;
        };
        let text = match &rows.query {
            Prop::Literal(text) => text.as_str(),
            Prop::Jinja { code, .. } => Some(&*code.text),
            _ => None,
        };
        if text.is_some_and(|text| !text.trim_start().starts_with('{') && !sql::only_reads(text)) {
            d.error(
                Code::BadValue,
                rows.place.clone(),
                "`query` of a for_each must be a query",
            )
            .help("a SELECT: what changes something belongs in an `execute`");
        }
    }

    /// Returns what the rows are of, in one line.
    pub fn in_short(&self) -> String {
        match &self.from {
            RowSource::Table(table) => table.in_short(),
            RowSource::Query(rows) => format!("a query of {}: {}", rows.source, rows.query.in_short()),
            RowSource::Values(list) => list.in_short(),
        }
    }
}

/// The keys that name rows and the variable that holds one.
pub static ROWS: Shape = Shape {
    what: "a for_each",
    doc: "The rows of a table or a query, or the values of a list, one by one.",
    with: &[],
    keys: &[
        Key::new("source", Form::Name, "The database source of `table` or `query`.").deferred(),
        Key::new(
            "database",
            Form::Text,
            "The database, where the source has several.",
        ),
        Key::new("namespace", Form::Text, "The schema."),
        Key::new("table", Form::Text, "The table whose rows are gone through.").filled(),
        Key::new(
            "query",
            Form::Text,
            "Instead of `table`: a query of the source, whose rows are gone through.",
        )
        .filled(),
        Key::new(
            "values",
            Form::Value,
            "Instead of a table: a list, `[eu, us]`, or `values_expression`. The variable holds each item as it is.",
        ),
        Key::new("as", Form::Name, "The variable that holds the row.")
            .required()
            .deferred(),
    ],
};

/// Reads what is gone through, and `as`.
pub fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<RowsOf> {
    let (database, namespace) = (keys.prop("database", d), keys.prop("namespace", d));
    let (table, query) = (keys.prop("table", d), keys.prop("query", d));
    let source = keys.name("source", d);
    let variable = keys.name("as", d);
    // What is blank is not given.
    let given: Vec<&str> = [
        ("table", table.is_some()),
        ("query", query.is_some()),
        ("values", keys.has("values")),
    ]
    .into_iter()
    .filter_map(|(key, given)| given.then_some(key))
    .collect();
    let [kind] = given.as_slice() else {
        let message = match given.as_slice() {
            [] => format!("{} needs `table`", keys.what()),
            [first, second, ..] => format!("both `{first}` and `{second}` are given"),
            [_] => return None,
        };
        let code = if given.is_empty() {
            Code::MissingKey
        } else {
            Code::BothForms
        };
        let place = given
            .last()
            .and_then(|key| keys.place_of(key))
            .unwrap_or(keys.place());
        d.error(code, place.clone(), message)
            .help("name one: `table`, or a `query`, or a list of `values`");
        return None;
    };
    for key in ["source", "database", "namespace"] {
        let means = match *kind {
            "table" => true,
            "query" => key == "source",
            _ => false,
        };
        if keys.has(key) && !means {
            let message = format!("`{key}` means nothing beside `{kind}`");
            d.error(Code::BadValue, keys.place_of(key).cloned(), message)
                .help(format!("leave `{key}` out"));
        }
    }
    if *kind == "values" {
        let values = keys.prop("values", d);
        if let Some(Prop::Literal(literal)) = &values
            && !literal.is_array()
        {
            let place = keys.place_of("values").cloned();
            d.error(Code::WrongType, place, "`values` must be a list")
                .help("for example `values: [eu, us]`, or `values_expression: var('regions')`");
        }
        return Some(RowsOf {
            from: RowSource::Values(values?),
            variable: variable?.0,
            batch_size: None,
            changes: None,
        });
    }
    let Some((source, place)) = source else {
        let message = format!("`{kind}` of {} needs `source`", keys.what());
        d.error(Code::MissingKey, keys.place().clone(), message);
        return None;
    };
    let place = keys.place_of(kind).unwrap_or(&place).clone();
    let from = match table {
        Some(table) => RowSource::Table(TableRef {
            source,
            database,
            namespace,
            table,
            place,
        }),
        None => {
            let query = query?;
            RowSource::Query(RowQuery { source, query, place })
        }
    };
    Some(RowsOf {
        from,
        variable: variable?.0,
        batch_size: None,
        changes: None,
    })
}

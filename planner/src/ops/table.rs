//! Tables and columns as steps name them.

use serde::Serialize;

use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::expr::{self, Prop};
use crate::span::Place;
use crate::syntax::{Keys, Node, Scalar, Value};

/// A table of a source. Source is known when planning; the rest may be computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableRef {
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Prop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Prop>,
    pub table: Prop,
    #[serde(skip)]
    pub place: Place,
}

/// The rows of a table, one by one, under a name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowsOf {
    pub table: TableRef,
    /// The variable that holds the row.
    #[serde(rename = "as")]
    pub variable: String,
}

/// What a step does with the rows its target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    Create,
    Append,
}

/// A column's name and type, as written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnSpec {
    pub name: String,
    #[serde(rename = "type")]
    pub sql_type: String,
    #[serde(skip)]
    pub place: Place,
}

/// Parts of a table's name that entries inherit.
#[derive(Debug, Clone, Default)]
pub struct TableDefaults {
    pub source: Option<(String, Place)>,
    pub database: Option<Prop>,
    pub namespace: Option<Prop>,
    pub table: Option<Prop>,
}

impl TableDefaults {
    /// Reads `source`, `database`, `namespace` and `table`, all optional.
    pub fn read(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Self {
        TableDefaults {
            source: keys.name("source", d),
            database: keys.prop("database", d),
            namespace: keys.prop("namespace", d),
            table: keys.prop("table", d),
        }
    }

    /// Reads a table's name, taking from `self` what is not given.
    pub fn table(&self, keys: &mut Keys<'_>, what: &str, d: &mut Diagnostics) -> Option<TableRef> {
        let own = TableDefaults::read(keys, d);
        let (source, place) = match own.source.or_else(|| self.source.clone()) {
            Some(found) => found,
            None if keys.key_place("source").is_some() => return None,
            None => {
                missing("source", what, keys.place(), d);
                return None;
            }
        };
        let place = keys.key_place("table").unwrap_or(&place).clone();
        let Some(table) = own.table.or_else(|| self.table.clone()) else {
            if !keys.has("table") {
                missing("table", what, keys.place(), d);
            }
            return None;
        };
        Some(TableRef {
            source,
            database: own.database.or_else(|| self.database.clone()),
            namespace: own.namespace.or_else(|| self.namespace.clone()),
            table,
            place,
        })
    }
}

fn missing(key: &str, what: &str, place: &Place, d: &mut Diagnostics) {
    d.error(Code::MissingKey, place.clone(), format!("{what} needs `{key}`"));
}

/// Reads `source`, `database`, `namespace`, `table` and `as`.
pub fn read_rows(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<RowsOf> {
    let table = TableDefaults::default().table(keys, "a for_each", d);
    let variable = keys.required_name("as", d);
    Some(RowsOf {
        table: table?,
        variable: variable?.0,
    })
}

/// Reads `write_mode`.
pub fn read_write_mode(keys: &mut Keys<'_>, d: &mut Diagnostics) -> WriteMode {
    let Some((mode, place)) = keys.name("write_mode", d) else {
        return WriteMode::Create;
    };
    match mode.as_str() {
        "create" | "replace" => WriteMode::Create,
        "append" => WriteMode::Append,
        _ => {
            let modes = ["create", "replace", "append"];
            d.error(Code::BadValue, place, format!("`{mode}` is not a write mode"))
                .maybe_help(did_you_mean(&mode, "write modes", modes));
            WriteMode::Create
        }
    }
}

/// Reads columns: a map of names to types, or a list of `{name, type}`.
pub fn read_columns(node: &Node, d: &mut Diagnostics) -> Vec<ColumnSpec> {
    let mut columns: Vec<ColumnSpec> = Vec::new();
    let mut add = |name: &str, place: &Place, sql_type: Option<String>, d: &mut Diagnostics| {
        let Some(sql_type) = sql_type else { return };
        if columns.iter().any(|c| c.name == name) {
            d.error(
                Code::DuplicateKey,
                place.clone(),
                format!("column `{name}` is given twice"),
            );
        }
        columns.push(ColumnSpec {
            name: name.to_string(),
            sql_type,
            place: place.clone(),
        });
    };
    match &node.value {
        Value::Map(entries) => {
            for (name, place, node) in entries {
                let sql_type = read_type(node, d);
                add(name, place, sql_type, d);
            }
        }
        Value::List(items) => {
            for item in items {
                let Some(mut keys) = Keys::new(item, "a column", d) else {
                    continue;
                };
                let name = keys.required_name("name", d);
                let sql_type = match keys.node("type") {
                    Some(node) => read_type(node, d),
                    None => {
                        missing("type", "a column", &item.place, d);
                        None
                    }
                };
                let sizes = [keys.node("precision"), keys.node("scale")];
                keys.finish(d);
                let sql_type = sql_type.and_then(|t| sized(&t, sizes, &item.place, d));
                if let Some((name, place)) = name {
                    add(&name, &place, sql_type, d);
                }
            }
        }
        _ => {
            d.error(
                Code::WrongType,
                node.place.clone(),
                format!("`columns` must be a map of names to types, not {}", node.kind()),
            )
            .help("for example `columns: {id: bigint, total: \"numeric(10,2)\"}`");
        }
    }
    columns
}

/// A type: a string, or `{name, precision, scale}`.
fn read_type(node: &Node, d: &mut Diagnostics) -> Option<String> {
    match &node.value {
        Value::Scalar(Scalar::Text { text, .. }) if !expr::has_template(text) => {
            checked(text, &node.place, d)
        }
        Value::Map(_) => {
            let mut keys = Keys::new(node, "a column type", d)?;
            let name = keys.required_name("name", d);
            let sizes = [keys.node("precision"), keys.node("scale")];
            keys.finish(d);
            sized(&name?.0, sizes, &node.place, d)
        }
        _ => {
            d.error(
                Code::WrongType,
                node.place.clone(),
                format!("a column's type must be the name of a type, not {}", node.kind()),
            );
            None
        }
    }
}

/// `numeric` with precision and scale from their own keys.
fn sized(name: &str, sizes: [Option<&Node>; 2], place: &Place, d: &mut Diagnostics) -> Option<String> {
    let sizes: Vec<String> = sizes
        .into_iter()
        .flatten()
        .filter_map(|node| match &node.value {
            Value::Scalar(Scalar::Number(n)) => Some(n.to_string()),
            _ => {
                d.error(
                    Code::WrongType,
                    node.place.clone(),
                    format!("precision and scale must be numbers, not {}", node.kind()),
                );
                None
            }
        })
        .collect();
    if sizes.is_empty() {
        return checked(name, place, d);
    }
    checked(&format!("{name}({})", sizes.join(",")), place, d)
}

/// A type's name ends up in CREATE TABLE: it must be one type and nothing else.
fn checked(sql_type: &str, place: &Place, d: &mut Diagnostics) -> Option<String> {
    use sqlparser::{dialect::GenericDialect, parser::Parser, tokenizer::Token};
    let good = Parser::new(&GenericDialect {})
        .try_with_sql(sql_type)
        .and_then(|mut p| {
            p.parse_data_type()?;
            p.expect_token(&Token::EOF)
        })
        .is_ok();
    if !good {
        d.error(
            Code::BadColumnType,
            place.clone(),
            format!("`{sql_type}` is not a column type"),
        )
        .help("use a type of the target database, like text, bigint, numeric(10,2), timestamp, jsonb");
        return None;
    }
    Some(sql_type.trim().to_string())
}

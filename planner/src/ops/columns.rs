//! Columns of tables, and their types.

use serde::{Deserialize, Serialize};

use super::column_value::{self, COLUMN_VALUE, ColumnValue, TimeFormat};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{self, Prop};
use crate::span::Place;
use crate::syntax::{EXPRESSION, Form, Key, Keys, Node, Scalar, Shape, Value};

/// A column's name and type, as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSpec {
    pub name: String,
    #[serde(rename = "type")]
    pub sql_type: String,
    /// Where its value comes from; none: from the field of its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ColumnValue>,
    /// How a date or time is written in the data; none: as a database writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<TimeFormat>,
    #[serde(skip)]
    pub place: Place,
}

/// Which columns a table gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Columns {
    Declared(Vec<ColumnSpec>),
    /// Python gives them when the step starts.
    Computed(Prop),
    /// Columns and types come from the data.
    Inferred,
}

/// The keys that give a table's columns.
pub static COLUMNS: Shape = Shape {
    what: "columns",
    doc: "The columns of a table.",
    with: &[],
    keys: &[
        Key::new(
            "columns",
            Form::Columns,
            "Names and types, a map or a list of {name, type}; in place of a type also {type, path, value, format}.",
        ).default("names and types come from the data"),
        Key::new("model", Form::Map(&MODEL), "The long form of `columns`.").or_python(),
    ],
};

static MODEL: Shape = Shape {
    what: "a model",
    doc: "The long form of `columns`.",
    with: &[],
    keys: &[Key::new(
        "columns",
        Form::Columns,
        "Names and types, a map or a list of {name, type}.",
    )
    .required()],
};

/// A column in the list form.
pub static COLUMN: Shape = Shape {
    what: "a column",
    doc: "A column of a table.",
    with: &[&TYPED, &SIZES, &COLUMN_VALUE],
    keys: &[Key::new("name", Form::Name, "The column's name.")
        .required()
        .deferred()],
};

/// What stands in place of a column's type where there is more to say of the column.
pub static COLUMN_OPTIONS: Shape = Shape {
    what: "a column",
    doc: "A column of a table.",
    with: &[&TYPED, &SIZES, &COLUMN_VALUE],
    keys: &[],
};

static TYPED: Shape = Shape {
    what: "a type",
    doc: "The type of a column.",
    with: &[],
    keys: &[
        Key::new("description", Form::Label, "What the column holds."),
        Key::new(
            "type",
            Form::Value,
            "A type of the target database, or {name, precision, scale}.",
        )
        .required()
        .deferred(),
    ],
};

/// A type in the long form.
pub static COLUMN_TYPE: Shape = Shape {
    what: "a column type",
    doc: "The type of a column.",
    with: &[&SIZES],
    keys: &[Key::new("name", Form::Name, "The type's name.")
        .required()
        .deferred()],
};

static SIZES: Shape = Shape {
    what: "sizes",
    doc: "The sizes of a numeric type.",
    with: &[],
    keys: &[
        Key::new("precision", Form::Count, "How many digits."),
        Key::new("scale", Form::Count, "How many of them behind the point."),
    ],
};

/// Reads `columns`, `columns_expression` or `model`. None when they are there and wrong.
pub fn read_columns(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<Columns> {
    let model = keys.node("model").map(|node| Keys::new(node, &MODEL, d));
    if model.is_none()
        && let Some(computed @ Prop::Python { .. }) = keys.prop("model", d)
    {
        return Some(Columns::Computed(computed));
    }
    let keys = match &model {
        None => keys,
        Some(model) => {
            if keys.has("columns") {
                let place = keys.place_of("columns").cloned();
                d.warning(
                    Code::BothForms,
                    place,
                    "both `columns` and `model` are given: `model` counts",
                )
                .help("keep one: they mean the same");
            }
            model.as_ref()?
        }
    };
    match (keys.node("columns"), keys.has("columns")) {
        (Some(node), _) if is_computed(node) => expr::computed("columns", node, d).map(Columns::Computed),
        (Some(node), _) => column_list(node, d).map(Columns::Declared),
        (None, false) => Some(Columns::Inferred),
        // Python, or a null that stands for nothing.
        (None, true) => Some(
            keys.prop("columns", d)
                .map_or(Columns::Inferred, |prop| match prop {
                    Prop::Literal(_) => Columns::Inferred,
                    prop => Columns::Computed(prop),
                }),
        ),
    }
}

/// Tells whether names or types are given by Jinja or Python. Values are no matter of the columns.
fn is_computed(node: &Node) -> bool {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .any(|(key, _, node)| key.ends_with(EXPRESSION) || is_computed_column(node)),
        _ => is_computed_column(node),
    }
}

fn is_computed_column(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(Scalar::Text { text, .. }) => expr::has_template(text),
        Value::Scalar(_) => false,
        Value::List(items) => items.iter().any(is_computed_column),
        Value::Map(entries) => entries
            .iter()
            .filter(|(key, ..)| !matches!(key.as_str(), "description" | "value" | "value_expression"))
            .any(|(key, _, node)| key.ends_with(EXPRESSION) || is_computed_column(node)),
    }
}

/// Columns: a map of names to types, or a list of `{name, type}`. None when they are no columns at all.
fn column_list(node: &Node, d: &mut Diagnostics) -> Option<Vec<ColumnSpec>> {
    let mut columns: Vec<ColumnSpec> = Vec::new();
    let mut add = |name: &str, place: &Place, column: Option<ColumnSpec>, d: &mut Diagnostics| {
        let Some(column) = column else { return };
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if columns
            .iter()
            .any(|c| c.name == name || (plain && c.name.eq_ignore_ascii_case(name)))
        {
            d.error(
                Code::DuplicateKey,
                place.clone(),
                format!("column `{name}` is given twice"),
            );
        }
        columns.push(ColumnSpec {
            name: name.to_string(),
            place: place.clone(),
            ..column
        });
    };
    match &node.value {
        Value::Map(entries) => {
            for (name, place, node) in entries {
                let column = match has_options(node) {
                    true => Keys::new(node, &COLUMN_OPTIONS, d).and_then(|keys| with_options(&keys, d)),
                    false => read_type(node, d).map(|t| of_type(t, &node.place)),
                };
                add(name, place, column, d);
            }
        }
        Value::List(items) => {
            for item in items {
                let Some(keys) = Keys::new(item, &COLUMN, d) else {
                    continue;
                };
                let name = keys.name("name", d);
                let column = with_options(&keys, d);
                if let Some((name, place)) = name {
                    add(&name, &place, column, d);
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
            return None;
        }
    }
    if matches!(&node.value, Value::Map(e) if e.is_empty())
        || matches!(&node.value, Value::List(l) if l.is_empty())
    {
        d.error(Code::BadValue, node.place.clone(), "`columns` is empty")
            .help("name at least one column, or leave `columns` out: then columns come from the data");
    }
    Some(columns)
}

/// Tells whether a map says more of a column than its type.
fn has_options(node: &Node) -> bool {
    match &node.value {
        Value::Map(entries) => {
            let has = |wanted: &str| entries.iter().any(|(key, ..)| key == wanted);
            has("type") || !has("name")
        }
        _ => false,
    }
}

fn of_type(sql_type: String, place: &Place) -> ColumnSpec {
    ColumnSpec {
        name: String::new(),
        sql_type,
        value: None,
        format: None,
        place: place.clone(),
    }
}

/// A column by its `type`, `path`, `value` and `format`, without its name.
fn with_options(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<ColumnSpec> {
    let sql_type = keys.node("type").and_then(|node| read_type(node, d));
    let sql_type = sql_type.and_then(|t| sized(&t, keys, d));
    let (value, format) = column_value::read(keys, d);
    let sql_type = sql_type?;
    if let Some(format) = &format
        && holds_no_time(&sql_type)
    {
        let message = format!(
            "`format: {}` is for dates and times, and the type is `{sql_type}`",
            format.name()
        );
        d.error(Code::BadColumnType, keys.place_of("format").cloned(), message)
            .help("use a type like timestamp, date or time, or leave `format` out");
    }
    Some(ColumnSpec {
        value,
        format,
        ..of_type(sql_type, keys.place())
    })
}

/// Tells whether a type is one of the common ones that hold no date and no time.
fn holds_no_time(sql_type: &str) -> bool {
    const OTHERS: [&str; 18] = [
        "text",
        "varchar",
        "char",
        "character",
        "string",
        "integer",
        "int",
        "bigint",
        "smallint",
        "numeric",
        "decimal",
        "real",
        "double",
        "float",
        "boolean",
        "bool",
        "json",
        "jsonb",
    ];
    let name = sql_type.split([' ', '(']).next().unwrap_or_default();
    OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// A type: a string, or `{name, precision, scale}`.
fn read_type(node: &Node, d: &mut Diagnostics) -> Option<String> {
    match &node.value {
        Value::Scalar(Scalar::Text { text, .. }) if !expr::has_template(text) => {
            checked(text, &node.place, d)
        }
        Value::Map(_) => {
            let keys = Keys::new(node, &COLUMN_TYPE, d)?;
            let (name, _) = keys.name("name", d)?;
            sized(&name, &keys, d)
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
fn sized(name: &str, keys: &Keys<'_>, d: &mut Diagnostics) -> Option<String> {
    let sizes = [keys.count("precision", d), keys.count("scale", d)];
    let sizes: Vec<String> = sizes.into_iter().flatten().map(|n| n.to_string()).collect();
    match sizes.is_empty() {
        true => checked(name, keys.place(), d),
        false => checked(&format!("{name}({})", sizes.join(",")), keys.place(), d),
    }
}

fn checked(sql_type: &str, place: &Place, d: &mut Diagnostics) -> Option<String> {
    if !is_column_type(sql_type) {
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

/// Tells whether text can be a column's type, with what a database allows behind it (`not null`, `default 'd'`, `check
/// (v > 0)`): it ends up in CREATE TABLE, so it must not reach beyond its column.
pub fn is_column_type(sql_type: &str) -> bool {
    use sqlparser::dialect::GenericDialect;
    use sqlparser::tokenizer::{Token, Tokenizer};
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql_type).tokenize() else {
        return false;
    };
    let mut open = Vec::new();
    let mut first = true;
    for token in tokens {
        match token {
            Token::Whitespace(sqlparser::tokenizer::Whitespace::SingleLineComment { .. })
            | Token::SemiColon
            | Token::EOF => return false,
            Token::Whitespace(_) => continue,
            Token::Comma if open.is_empty() => return false,
            Token::LParen => open.push(Token::RParen),
            Token::LBracket => open.push(Token::RBracket),
            Token::LBrace => open.push(Token::RBrace),
            Token::RParen | Token::RBracket | Token::RBrace if open.pop().as_ref() != Some(&token) => {
                return false;
            }
            Token::Word(_) => {}
            // A type begins with its name.
            _ if first => return false,
            _ => {}
        }
        first = false;
    }
    !first && open.is_empty()
}

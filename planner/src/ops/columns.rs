//! Columns of tables, and their types.

use serde::{Deserialize, Serialize};

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
            "Names and types, a map or a list of {name, type}. Left out: both come from the data.",
        ),
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
    with: &[&SIZES],
    keys: &[
        Key::new("name", Form::Name, "The column's name.")
            .required()
            .deferred(),
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

/// Whether names or types are given by Jinja or Python.
fn is_computed(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(Scalar::Text { text, .. }) => expr::has_template(text),
        Value::Scalar(_) => false,
        Value::List(items) => items.iter().any(is_computed),
        Value::Map(entries) => entries
            .iter()
            .filter(|(key, ..)| key != "description")
            .any(|(key, _, node)| key.ends_with(EXPRESSION) || is_computed(node)),
    }
}

/// Columns: a map of names to types, or a list of `{name, type}`. None when they are no columns at all.
fn column_list(node: &Node, d: &mut Diagnostics) -> Option<Vec<ColumnSpec>> {
    let mut columns: Vec<ColumnSpec> = Vec::new();
    let mut add = |name: &str, place: &Place, sql_type: Option<String>, d: &mut Diagnostics| {
        let Some(sql_type) = sql_type else { return };
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
                let Some(keys) = Keys::new(item, &COLUMN, d) else {
                    continue;
                };
                let name = keys.name("name", d);
                let sql_type = keys.node("type").and_then(|node| read_type(node, d));
                let sql_type = sql_type.and_then(|t| sized(&t, &keys, d));
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

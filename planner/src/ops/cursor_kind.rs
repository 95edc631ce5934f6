//! What the values of a cursor are, as far as the flow says it.

use chrono::NaiveDate;
use serde_json::Value as Json;

use super::columns::Columns;
use super::http_response::ResponseSpec;
use super::incremental::{Incremental, lead};
use super::{ColumnSpec, TimeFormat};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;

/// What a declared column makes of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A time or a date.
    Moment,
    /// A number that counts seconds since 1970.
    Seconds,
    /// A number of which nobody knows where it ends.
    Number,
    /// Values that say nothing of how new a row is.
    NoCursor,
    /// Only its database, or the values, can tell.
    Unknown,
}

/// Tells whether the cursor is declared as a number that counts no time.
pub fn counts(response: &ResponseSpec, incremental: &Incremental) -> bool {
    column(response, incremental).is_some_and(|column| kind(column, incremental) == Kind::Number)
}

/// Reports what does not go with the column that is the cursor.
pub fn check(response: &ResponseSpec, incremental: &Incremental, d: &mut Diagnostics) {
    let Some(column) = column(response, incremental) else {
        return;
    };
    let cursor = &incremental.cursor;
    let mut wrong = |message: String, help: &str| {
        d.error(Code::BadValue, incremental.place.clone(), message)
            .help(help);
    };
    let initial = match &incremental.initial {
        Some(Prop::Literal(Json::String(text))) => Some(text.trim().to_string()),
        Some(Prop::Literal(Json::Number(number))) => Some(number.to_string()),
        _ => None,
    };
    let initial = initial.filter(|text| !text.is_empty());
    let kind = kind(column, incremental);
    if let Some(text) = initial.filter(|text| !is_like(kind, text)) {
        wrong(
            format!(
                "`initial` is `{text}`, and the cursor `{cursor}` is a {}",
                column.sql_type
            ),
            "write it as the cursor has it, like `initial: 2024-01-01`",
        );
    }
    match kind {
        Kind::NoCursor => wrong(
            format!("the cursor `{cursor}` is a {}", column.sql_type),
            "a cursor is a time, a date, a whole number, or a text that sorts: give its column such a type",
        ),
        Kind::Number => {
            let number = format!("the cursor `{cursor}` is a number ({})", column.sql_type);
            if incremental.end_param.is_some() || incremental.window.is_some() {
                wrong(
                    format!("{number}, and nobody knows where the range that is asked for ends"),
                    "leave `end_param` and `window` out: the end is the largest cursor that comes. Where it counts seconds, say so by `format: unix`",
                );
            }
            if incremental.delay.is_some() {
                wrong(
                    format!("{number}, and `delay` is a time"),
                    "leave `delay` out. Where the cursor counts seconds, say so by `format: unix`",
                );
            }
            if incremental.lookback_is_time {
                wrong(
                    format!("{number}, and `lookback` is a time"),
                    "write a number, like `lookback: 100`. Where the cursor counts seconds, say so by `format: unix`",
                );
            }
        }
        Kind::Moment | Kind::Seconds | Kind::Unknown => {}
    }
}

/// Tells whether a text can be a value of the cursor, as far as that is known.
fn is_like(kind: Kind, text: &str) -> bool {
    let is_number = text.parse::<i128>().is_ok();
    let is_time = || {
        let (day, rest) = (text.get(..10).unwrap_or(text), text.get(10..).unwrap_or(""));
        let is_day = NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok();
        is_day && (rest.is_empty() || rest.starts_with(['T', 't', ' ']))
    };
    match kind {
        Kind::Number => is_number,
        Kind::Seconds => is_number || is_time(),
        Kind::Moment => is_time(),
        Kind::NoCursor | Kind::Unknown => true,
    }
}

/// The column that is the cursor, where it is declared.
fn column<'r>(response: &'r ResponseSpec, incremental: &'r Incremental) -> Option<&'r ColumnSpec> {
    let (at, name) = lead(response, incremental)?;
    match &response.tables.get(at)?.columns {
        Columns::Declared(columns) => columns.iter().find(|column| column.name == name),
        Columns::Inferred | Columns::Computed(_) => None,
    }
}

fn kind(column: &ColumnSpec, incremental: &Incremental) -> Kind {
    let sql = column.sql_type.to_ascii_lowercase();
    let end = sql.find(|c: char| c == '(' || c.is_whitespace());
    let (name, rest) = sql.split_at(end.unwrap_or(sql.len()));
    let counts = match incremental.format {
        Some(TimeFormat::Unix | TimeFormat::UnixMs) => Kind::Seconds,
        _ => Kind::Number,
    };
    match name {
        "bigint" | "int" | "integer" | "smallint" | "tinyint" | "mediumint" | "int2" | "int4" | "int8" => {
            counts
        }
        "numeric" | "decimal" | "number" => match places(rest) {
            Some(0) => counts,
            Some(_) => Kind::NoCursor,
            None => Kind::Unknown,
        },
        "bool" | "boolean" | "float" | "float4" | "float8" | "real" | "double" | "json" | "jsonb"
        | "bytea" | "blob" => Kind::NoCursor,
        _ if name == "date" || name.starts_with("timestamp") || name.starts_with("datetime") => Kind::Moment,
        _ => Kind::Unknown,
    }
}

/// The places behind the point that a decimal type has; none where it does not say.
fn places(rest: &str) -> Option<u32> {
    let inside = rest.trim().strip_prefix('(')?.split(')').next()?;
    match inside.split_once(',') {
        Some((_, places)) => places.trim().parse().ok(),
        None => Some(0),
    }
}

//! Rows that another program has in memory, as batches: each column has the type that all of its values have.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use futures::{StreamExt, stream};
use indexmap::IndexMap;

use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Rows;
use crate::value::Value;

/// Returns rows, each of them names and values; a column that a row does not have is null there.
///
/// # Errors
/// A column with values of several kinds, and what no table holds.
pub fn rows_of(rows: &[IndexMap<String, Value>]) -> Result<Rows> {
    let mut columns: IndexMap<&str, Vec<&Value>> = IndexMap::new();
    for (at, row) in rows.iter().enumerate() {
        for (name, value) in row {
            let column = columns.entry(name).or_default();
            column.resize(at, &Value::Null);
            column.push(value);
        }
    }
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (name, mut values) in columns {
        values.resize(rows.len(), &Value::Null);
        let kind = kind_of(name, &values)?;
        fields.push(kind.field(name));
        arrays.push(kind.array(name, &values)?);
    }
    let schema = Arc::new(Schema::new(fields));
    let batches = match arrays.is_empty() {
        true => Vec::new(),
        false => vec![Ok(RecordBatch::try_new(schema.clone(), arrays)?)],
    };
    Ok(Rows {
        schema,
        batches: stream::iter(batches).boxed(),
    })
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bool,
    Int,
    Float,
    /// With so many digits behind the point.
    Decimal(i8),
    Bytes,
    Date,
    Time,
    Timestamp,
    Instant,
    Json,
}

fn kind_of(name: &str, values: &[&Value]) -> Result<Kind> {
    let mut found: Option<Kind> = None;
    for value in values {
        let Some(kind) = of_value(name, value)? else {
            continue;
        };
        found = Some(match found {
            None => kind,
            Some(before) => both(before, kind).ok_or_else(|| {
                let message = format!("column `{name}` has {} and {}", before.name(), kind.name());
                Error::new(ErrorKind::Data, message)
                    .help("give all of its values one type: str(value) makes a text")
            })?,
        });
    }
    // A whole number beyond 53 bits would be another one as a float.
    if found == Some(Kind::Float)
        && let Some(whole) = values
            .iter()
            .find(|value| matches!(value, Value::Int(n) if n.unsigned_abs() > EXACT))
    {
        let message = format!("column `{name}` has floats, and {} is none", whole.to_text());
        return Err(Error::new(ErrorKind::Data, message).help("give all of its values as decimal.Decimal"));
    }
    // Nothing but nulls is a text.
    Ok(found.unwrap_or(Kind::Text))
}

fn of_value(name: &str, value: &Value) -> Result<Option<Kind>> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) => Kind::Int,
        Value::Float(_) => Kind::Float,
        Value::BigInt(_) => Kind::Decimal(0),
        Value::Number(text) => {
            let behind = text.split_once('.').map_or(0, |(_, behind)| behind.len());
            Kind::Decimal(i8::try_from(behind).unwrap_or(i8::MAX))
        }
        Value::Text(_) | Value::Uuid(_) => Kind::Text,
        Value::Bytes(_) => Kind::Bytes,
        Value::Date(_) => Kind::Date,
        Value::Time(_) => Kind::Time,
        Value::Timestamp(_) | Value::Stamp(_, None) => Kind::Timestamp,
        Value::Instant(_) | Value::Stamp(_, Some(_)) => Kind::Instant,
        Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Row(_) => Kind::Json,
        Value::Duration(_) | Value::Object(_) => {
            let message = format!("column `{name}` has {}, which tables can't hold", value.kind());
            return Err(Error::new(ErrorKind::Data, message).help("make it a text or a number"));
        }
    }))
}

/// Whole numbers that a float has exactly: up to 2 to the power of 53.
const EXACT: u64 = 1 << 53;

/// The kind that holds values of both.
fn both(one: Kind, other: Kind) -> Option<Kind> {
    Some(match (one, other) {
        _ if one == other => one,
        (Kind::Int, Kind::Float) | (Kind::Float, Kind::Int) => Kind::Float,
        (Kind::Int, Kind::Decimal(digits)) | (Kind::Decimal(digits), Kind::Int) => Kind::Decimal(digits),
        (Kind::Decimal(a), Kind::Decimal(b)) => Kind::Decimal(a.max(b)),
        _ => return None,
    })
}

impl Kind {
    /// What it is, for messages.
    fn name(self) -> &'static str {
        match self {
            Kind::Text => "a string",
            Kind::Bool => "a boolean",
            Kind::Int => "an integer",
            Kind::Float => "a float",
            Kind::Decimal(_) => "a decimal",
            Kind::Bytes => "bytes",
            Kind::Date => "a date",
            Kind::Time => "a time",
            Kind::Timestamp => "a timestamp without a zone",
            Kind::Instant => "a timestamp with a zone",
            Kind::Json => "an object or a list",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Kind::Text | Kind::Json => DataType::Utf8,
            Kind::Bool => DataType::Boolean,
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Decimal(digits) => DataType::Decimal128(38, digits),
            Kind::Bytes => DataType::Binary,
            Kind::Date => DataType::Date32,
            Kind::Time => DataType::Time64(TimeUnit::Microsecond),
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    fn field(self, name: &str) -> Field {
        let field = Field::new(name, self.data_type(), true);
        match self {
            Kind::Json => Logical::Json.mark(field),
            _ => field,
        }
    }

    fn array(self, name: &str, values: &[&Value]) -> Result<ArrayRef> {
        if self == Kind::Bytes {
            let bytes = values.iter().map(|value| match value {
                Value::Bytes(bytes) => Some(bytes.as_ref()),
                _ => None,
            });
            return Ok(Arc::new(bytes.collect::<BinaryArray>()));
        }
        let wrong = |e: &dyn std::fmt::Display| Error::new(ErrorKind::Data, format!("column `{name}`: {e}"));
        let texts = values.iter().map(|value| match value {
            Value::Null => Ok(None),
            Value::Bool(truth) => Ok(Some(truth.to_string())),
            value if self == Kind::Json => serde_json::to_string(value).map(Some).map_err(|e| wrong(&e)),
            value => Ok(Some(value.to_text())),
        });
        let texts: ArrayRef = Arc::new(texts.collect::<Result<StringArray>>()?);
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        cast_with_options(&texts, &self.data_type(), &strict).map_err(|e| wrong(&e))
    }
}

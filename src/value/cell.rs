//! A value of an expression on its way into a column.

use super::{Value, span};
use crate::batch::cell::Cell;
use crate::error::{Error, ErrorKind, Result};

/// Returns a value as a column takes it: numbers as they are written, lists and maps as JSON.
///
/// # Errors
/// A value that has no JSON.
pub fn cell(value: &Value) -> Result<Cell<'static>> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Bool(b) => Cell::Bool(*b),
        Value::Int(n) => Cell::Int(*n),
        Value::BigInt(text) | Value::Number(text) => Cell::Number(text.to_string().into()),
        Value::Float(n) => Cell::Float(*n),
        Value::Bytes(bytes) => Cell::Bytes(bytes.to_vec().into()),
        Value::Duration(span) => Cell::Text(span::interval_text(*span).into()),
        list @ (Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Row(_)) => {
            let json = serde_json::to_string(list);
            let json = json.map_err(|e| Error::new(ErrorKind::Value, e.to_string()))?;
            Cell::Json(json.into())
        }
        Value::Object(object) => {
            let data = object.data();
            return cell(&data.map_err(|why| Error::new(ErrorKind::Value, why))?);
        }
        other => Cell::Text(other.to_text().into()),
    })
}

//! Arrays as PostgreSQL writes them: <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use serde_json::Value;

use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};

/// Returns the columns of a batch, its lists, which are JSON, as literals of arrays.
pub fn as_literals(batch: &RecordBatch, columns: &[Column]) -> Result<Vec<ArrayRef>> {
    let mut changed = Vec::with_capacity(columns.len());
    for (column, values) in columns.iter().zip(batch.columns()) {
        changed.push(match column.column_type.logical {
            Logical::Array => literals(values)
                .map_err(|e| Error::new(ErrorKind::Value, format!("column `{}`: {e}", column.name)))?,
            _ => values.clone(),
        });
    }
    Ok(changed)
}

fn literals(values: &ArrayRef) -> serde_json::Result<ArrayRef> {
    let texts = values.as_string::<i32>();
    let literals: StringArray = texts
        .iter()
        .map(|text| text.map(literal).transpose())
        .collect::<serde_json::Result<_>>()?;
    debug_assert_eq!(literals.len(), values.len());
    Ok(Arc::new(literals))
}

/// A JSON list as the literal of an array.
fn literal(json: &str) -> serde_json::Result<String> {
    let mut out = String::with_capacity(json.len() + 2);
    element(&serde_json::from_str(json)?, &mut out);
    Ok(out)
}

fn element(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("NULL"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => quoted(text, out),
        Value::Array(items) => {
            out.push('{');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                element(item, out);
            }
            out.push('}');
        }
        // For arrays of JSON.
        Value::Object(_) => quoted(&value.to_string(), out),
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::literal;

    #[test]
    fn literals_of_arrays() {
        for (json, sql) in [
            ("[]", "{}"),
            ("[1, null, 2.50]", "{1,NULL,2.5}"),
            (
                r#"["a", "NULL", "", "b\"c\\d, {e}"]"#,
                r#"{"a","NULL","","b\"c\\d, {e}"}"#,
            ),
            ("[[1],[2]]", "{{1},{2}}"),
            (r#"[{"a": 1}]"#, r#"{"{\"a\":1}"}"#),
        ] {
            assert_eq!(literal(json).unwrap(), sql);
        }
    }
}

//! JSON of values, and texts that are JSON.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;
use indexmap::IndexMap;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::computed::{computed, gives};
use super::{ARRAY, OBJECT, TO_JSON};
use crate::batch::types::Logical;

fn json_field() -> Field {
    Logical::Json.mark(gives(DataType::Utf8))
}

/// A text that is JSON: in the order of PostgreSQL's `jsonb`, or as it is written.
pub fn as_json(name: &'static str, ordered: bool) -> ScalarUDF {
    let returns = |_: &[FieldRef]| Ok(json_field());
    computed(name, Some(1), returns, move |columns, fields| {
        let ([column], [field]) = (columns, fields) else {
            return exec_err!("one text is read as JSON");
        };
        let is_text = matches!(
            column.data_type(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null | DataType::Union(..)
        );
        if !is_text {
            return Ok(written(values(column, field)?));
        }
        let column = cast(column, &DataType::Utf8)?;
        let column = column.as_string::<i32>();
        let mut made = Vec::with_capacity(column.len());
        for text in column {
            made.push(match text {
                None => None,
                Some(text) if ordered => match spaced(text) {
                    Ok(text) => Some(text),
                    Err(e) => return exec_err!("a text is no JSON: {e}"),
                },
                Some(text) => match serde_json::from_str::<IgnoredAny>(text) {
                    Ok(_) => Some(text.to_string()),
                    Err(e) => return exec_err!("a text is no JSON: {e}"),
                },
            });
        }
        Ok(Arc::new(made.into_iter().collect::<StringArray>()))
    })
}

fn read(text: &str) -> Result<Value> {
    serde_json::from_str(text).or_else(|e| exec_err!("a text is no JSON: {e}"))
}

fn written(values: Vec<Option<Value>>) -> ArrayRef {
    let texts = values
        .into_iter()
        .map(|value| value.map(|value| value.to_string()));
    Arc::new(texts.collect::<StringArray>())
}

/// JSON as PostgreSQL writes `jsonb`: names in the order of their lengths, numbers with the digits that they have.
fn spaced(text: &str) -> serde_json::Result<String> {
    let text = text.trim();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let object: IndexMap<String, &RawValue> = serde_json::from_str(text)?;
            let mut entries: Vec<(String, &RawValue)> = object.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| (a.len(), a.as_bytes()).cmp(&(b.len(), b.as_bytes())));
            let mut each = Vec::with_capacity(entries.len());
            for (name, value) in entries {
                each.push(format!("{}: {}", Value::String(name), spaced(value.get())?));
            }
            format!("{{{}}}", each.join(", "))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            let each: serde_json::Result<Vec<String>> = items.iter().map(|item| spaced(item.get())).collect();
            format!("[{}]", each?.join(", "))
        }
        Some(b'"') => serde_json::from_str::<Value>(text)?.to_string(),
        _ => {
            serde_json::from_str::<IgnoredAny>(text)?;
            text.to_string()
        }
    })
}

/// JSON of a value.
pub fn to_json() -> ScalarUDF {
    let returns = |_: &[FieldRef]| Ok(json_field());
    computed(TO_JSON, Some(1), returns, |columns, fields| {
        let ([column], [field]) = (columns, fields) else {
            return exec_err!("one value is made JSON");
        };
        Ok(written(values(column, field)?))
    })
}

/// JSON of names and values, one behind the other.
pub fn object() -> ScalarUDF {
    let returns = |fields: &[FieldRef]| match fields.len() % 2 {
        0 => Ok(json_field()),
        _ => exec_err!("an object is made of names with a value each"),
    };
    computed(OBJECT, None, returns, |columns, fields| {
        let mut pairs = Vec::new();
        for (pair, of) in columns.chunks(2).zip(fields.chunks(2)) {
            pairs.push((cast(&pair[0], &DataType::Utf8)?, values(&pair[1], &of[1])?));
        }
        let rows = columns.first().map_or(1, |column| column.len());
        let mut made = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut object = Map::new();
            for (names, values) in &pairs {
                let names = names.as_string::<i32>();
                if names.is_null(row) {
                    return exec_err!("a name of an object is null");
                }
                let value = values.get(row).cloned().flatten();
                object.insert(names.value(row).to_string(), value.unwrap_or_default());
            }
            made.push(Some(Value::Object(object)));
        }
        Ok(written(made))
    })
}

/// JSON of values.
pub fn array() -> ScalarUDF {
    let returns = |_: &[FieldRef]| Ok(json_field());
    computed(ARRAY, None, returns, |columns, fields| {
        let each = columns.iter().zip(fields);
        let each: Vec<_> = each
            .map(|(column, field)| values(column, field))
            .collect::<Result<_>>()?;
        let rows = columns.first().map_or(1, |column| column.len());
        let made = (0..rows).map(|row| {
            let items = each.iter().map(|values| values.get(row).cloned().flatten());
            Some(Value::Array(items.map(Option::unwrap_or_default).collect()))
        });
        Ok(written(made.collect()))
    })
}

/// The JSON of each row's value; a null is none.
fn values(column: &ArrayRef, field: &FieldRef) -> Result<Vec<Option<Value>>> {
    let rows = 0..column.len();
    Ok(match column.data_type() {
        DataType::Null => rows.map(|_| None).collect(),
        DataType::Boolean => {
            let column = column.as_boolean();
            column.iter().map(|value| value.map(Value::Bool)).collect()
        }
        other if other.is_integer() => {
            let numbers = cast(column, &DataType::Int64)?;
            let numbers = numbers.as_primitive::<Int64Type>();
            numbers.iter().map(|value| value.map(Value::from)).collect()
        }
        other if other.is_floating() => {
            let numbers = cast(column, &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            numbers.iter().map(|value| value.map(Value::from)).collect()
        }
        DataType::List(item) => {
            let lists = column.as_list::<i32>();
            let mut made = Vec::with_capacity(lists.len());
            for list in lists.iter() {
                made.push(match list {
                    None => None,
                    Some(list) => {
                        let items = values(&list, item)?;
                        Some(Value::Array(
                            items.into_iter().map(Option::unwrap_or_default).collect(),
                        ))
                    }
                });
            }
            made
        }
        other => {
            // A decimal has the digits that it has; JSON stays what it is.
            let is_json = Logical::of(field) == Logical::Json || matches!(other, DataType::Decimal128(..));
            let texts = cast(column, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>();
            let mut made = Vec::with_capacity(texts.len());
            for text in texts {
                made.push(match text {
                    None => None,
                    Some(text) if is_json => Some(read(text)?),
                    Some(text) => Some(Value::String(text.to_string())),
                });
            }
            made
        }
    })
}

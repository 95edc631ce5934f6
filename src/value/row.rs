//! One row of a batch, read column by column when asked.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{self as types, DataType, Field, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;

use super::{Value, column, json};
use crate::batch::types::Logical;

/// A row of a table. Shares its batch with the other rows.
#[derive(Clone)]
pub struct Row {
    batch: Arc<RecordBatch>,
    index: usize,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Row {
    /// Creates the row at `index` of the batch; `index` must be below its number of rows.
    pub fn new(batch: Arc<RecordBatch>, index: usize) -> Row {
        Row { batch, index }
    }

    /// Returns the number of columns.
    pub fn len(&self) -> usize {
        self.batch.num_columns()
    }

    /// Tells whether the row has no column.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the names of the columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.batch.schema_ref().fields().iter().map(|f| f.name().as_str())
    }

    /// Returns the value of a column: by its name as it is, else in any case (warehouses fold names differently).
    pub fn get(&self, name: &str) -> Option<Value> {
        let exact = self.names().position(|n| n == name);
        let column = exact.or_else(|| self.names().position(|n| n.eq_ignore_ascii_case(name)))?;
        Some(self.value(column))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value)> {
        self.names().enumerate().map(|(i, name)| (name, self.value(i)))
    }

    fn value(&self, column: usize) -> Value {
        value(
            self.batch.column(column),
            self.batch.schema_ref().field(column),
            self.index,
        )
    }
}

/// The value of an array at a place.
fn value(array: &dyn Array, field: &Field, i: usize) -> Value {
    if array.is_null(i) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(i)),
        DataType::Int8 => Value::Int(array.as_primitive::<types::Int8Type>().value(i).into()),
        DataType::Int16 => Value::Int(array.as_primitive::<types::Int16Type>().value(i).into()),
        DataType::Int32 => Value::Int(array.as_primitive::<types::Int32Type>().value(i).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<types::Int64Type>().value(i)),
        DataType::UInt8 => Value::Int(array.as_primitive::<types::UInt8Type>().value(i).into()),
        DataType::UInt16 => Value::Int(array.as_primitive::<types::UInt16Type>().value(i).into()),
        DataType::UInt32 => Value::Int(array.as_primitive::<types::UInt32Type>().value(i).into()),
        DataType::Float32 => {
            let small = array.as_primitive::<types::Float32Type>().value(i);
            // Its shortest text is what was meant: 0.1, and not what a wider float makes of its bits.
            Value::Float(small.to_string().parse().unwrap_or_else(|_| small.into()))
        }
        DataType::Float64 => Value::Float(array.as_primitive::<types::Float64Type>().value(i)),
        // What databases give their widest integers as, such as sums.
        DataType::Decimal128(38, 0) => {
            let number = array.as_primitive::<types::Decimal128Type>().value(i);
            i64::try_from(number).map_or_else(|_| Value::BigInt(number.to_string().into()), Value::Int)
        }
        DataType::Decimal128(_, scale) => {
            let array = array.as_primitive::<types::Decimal128Type>();
            Value::Number(decimal_text(array.value_as_string(i), *scale).into())
        }
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(i);
            match Logical::of(field) {
                Logical::Json => json::value_at(text.as_bytes(), &[]).unwrap_or_else(|| Value::text(text)),
                Logical::Array => column::array(field, text),
                Logical::Numeric => Value::Number(text.into()),
                Logical::Plain => Value::text(text),
                Logical::Other => column::text(field, text),
            }
        }
        DataType::Binary => Value::Bytes(array.as_binary::<i32>().value(i).into()),
        DataType::Date32 => array
            .as_primitive::<types::Date32Type>()
            .value_as_date(i)
            .map_or(Value::Null, Value::Date),
        DataType::Time64(TimeUnit::Microsecond) => array
            .as_primitive::<types::Time64MicrosecondType>()
            .value_as_time(i)
            .map_or(Value::Null, Value::Time),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = array.as_primitive::<types::TimestampMicrosecondType>().value(i);
            match (DateTime::from_timestamp_micros(micros), zone) {
                (Some(time), Some(_)) => Value::Instant(column::instant(field, time)),
                (Some(time), None) => Value::Timestamp(time.naive_utc()),
                (None, _) => Value::Null,
            }
        }
        DataType::List(item) => {
            let items = array.as_list::<i32>().value(i);
            let items = (0..items.len()).map(|at| value(&items, item, at));
            Value::list(items.collect())
        }
        DataType::Struct(fields) => {
            let parts = array.as_struct();
            let entries = fields.iter().zip(parts.columns());
            let entries = entries.map(|(field, part)| (field.name().clone(), value(part, field, i)));
            Value::Map(Arc::new(entries.collect()))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Value::Null;
            };
            let map = array.as_map().value(i);
            let part = |at: usize, i: usize| value(map.column(at), &fields[at], i);
            let pairs: Vec<(Value, Value)> = (0..map.len()).map(|i| (part(0, i), part(1, i))).collect();
            let named = pairs.iter().map(|(key, value)| match key {
                Value::Text(name) => Some((name.to_string(), value.clone())),
                _ => None,
            });
            match named.collect() {
                Some(entries) => Value::Map(Arc::new(entries)),
                None => Value::Pairs(Arc::new(pairs)),
            }
        }
        _ => match ArrayFormatter::try_new(array, &FormatOptions::default()) {
            Ok(formatter) => Value::text(formatter.value(i).to_string()),
            Err(_) => Value::Null,
        },
    }
}

/// A decimal of the fixed wide type that stands for "any precision" loses the zeros its scale adds.
fn decimal_text(text: String, scale: i8) -> String {
    if scale != 10 || !text.contains('.') {
        return text;
    }
    let short = text.trim_end_matches('0');
    short.trim_end_matches('.').to_string()
}

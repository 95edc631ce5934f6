//! Rows of a batch as the parameters of multi-row INSERTs.

use arrow::array::{
    Array, BinaryArray, BooleanArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, RecordBatchOptions, StringArray, as_boolean_array, as_primitive_array, as_string_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::FormatOptions;
use sqlx::{Arguments, AssertSqlSafe, Database, Encode, Type};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// How a database writes times of the clock.
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";

/// Returns the batch with dates, times and decimals as text, which databases read. `zoned`: how a time with a zone is
/// written.
pub fn written_out(batch: &RecordBatch, zoned: &str) -> Result<RecordBatch> {
    let format = FormatOptions::new()
        .with_timestamp_format(Some(TIMESTAMP))
        .with_timestamp_tz_format(Some(zoned))
        .with_time_format(Some("%H:%M:%S%.f"));
    let options = CastOptions {
        safe: false,
        format_options: format,
    };
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let text = match column.data_type() {
            DataType::Decimal128(..)
            | DataType::Date32
            | DataType::Time64(_)
            | DataType::Timestamp(..)
            | DataType::Null => Some(DataType::Utf8),
            _ => None,
        };
        let column = match &text {
            Some(text) => cast_with_options(column, text, &options)?,
            None => column.clone(),
        };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// A column whose values can be bound.
enum Values<'a> {
    Bool(&'a BooleanArray),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
}

impl<'a> Values<'a> {
    fn of(column: &'a dyn Array) -> Result<Values<'a>> {
        Ok(match column.data_type() {
            DataType::Boolean => Values::Bool(as_boolean_array(column)),
            DataType::Int16 => Values::Int16(as_primitive_array(column)),
            DataType::Int32 => Values::Int32(as_primitive_array(column)),
            DataType::Int64 => Values::Int64(as_primitive_array(column)),
            DataType::Float32 => Values::Float32(as_primitive_array(column)),
            DataType::Float64 => Values::Float64(as_primitive_array(column)),
            DataType::Utf8 => Values::Text(as_string_array(column)),
            DataType::Binary => match column.as_any().downcast_ref() {
                Some(bytes) => Values::Bytes(bytes),
                None => return Err(unknown(column.data_type())),
            },
            other => return Err(unknown(other)),
        })
    }
}

fn unknown(data_type: &DataType) -> Error {
    Error::new(
        ErrorKind::Value,
        format!("values of Arrow type {data_type} have no counterpart in this database"),
    )
    .help("cast the column in the query")
}

/// The parameters of one statement, for a number of rows.
pub struct Bound<DB: Database> {
    pub rows: usize,
    pub arguments: DB::Arguments,
}

/// Cuts a batch, as [`written_out`] gives it, into statements of at most `rows` rows and about `bytes` bytes.
pub fn bound<DB>(batch: &RecordBatch, rows: usize, bytes: usize) -> Result<Vec<Bound<DB>>>
where
    DB: Database,
    for<'q> &'q str: Encode<'q, DB> + Type<DB>,
    for<'q> &'q [u8]: Encode<'q, DB> + Type<DB>,
    for<'q> bool: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
    for<'q> f64: Encode<'q, DB> + Type<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB>,
{
    let columns: Vec<Values<'_>> = batch
        .columns()
        .iter()
        .map(|column| Values::of(column.as_ref()))
        .collect::<Result<_>>()?;
    // By the average row: a statement has a size at most, and no more is known before.
    let width = batch.get_array_memory_size() / batch.num_rows().max(1);
    let step = rows.min(bytes / width.max(1)).max(1);
    let mut all = Vec::with_capacity(batch.num_rows().div_ceil(step));
    let mut from = 0;
    while from < batch.num_rows() {
        let to = (from + step).min(batch.num_rows());
        let mut arguments = DB::Arguments::default();
        arguments.reserve((to - from) * columns.len(), 0);
        for row in from..to {
            for (at, values) in columns.iter().enumerate() {
                let added = match values {
                    _ if batch.column(at).is_null(row) => arguments.add(None::<i64>),
                    Values::Bool(values) => arguments.add(values.value(row)),
                    Values::Int16(values) => arguments.add(i64::from(values.value(row))),
                    Values::Int32(values) => arguments.add(i64::from(values.value(row))),
                    Values::Int64(values) => arguments.add(values.value(row)),
                    Values::Float32(values) => arguments.add(f64::from(values.value(row))),
                    Values::Float64(values) => arguments.add(values.value(row)),
                    Values::Text(values) => arguments.add(values.value(row)),
                    Values::Bytes(values) => arguments.add(values.value(row)),
                };
                added.map_err(|e| Error::new(ErrorKind::Value, format!("a value can't be sent: {e}")))?;
            }
        }
        all.push(Bound {
            rows: to - from,
            arguments,
        });
        from = to;
    }
    Ok(all)
}

/// The INSERTs of a load. Nearly all are for the same number of rows: their text is made once.
pub struct Inserts {
    /// `INSERT INTO t (a, b)`.
    into: String,
    columns: usize,
    last: (usize, Arc<str>),
}

impl Inserts {
    /// Into a table by `into`, which begins each of them, with values for so many columns.
    pub fn new(into: String, columns: usize) -> Inserts {
        Inserts {
            into,
            columns,
            last: (0, Arc::from("")),
        }
    }

    /// Returns the statement for a number of rows: `INSERT INTO t (a, b) VALUES (?,?),(?,?)`.
    pub fn of(&mut self, rows: usize) -> AssertSqlSafe<Arc<str>> {
        if self.last.0 != rows {
            let row = format!("({})", vec!["?"; self.columns].join(","));
            let values = vec![row.as_str(); rows].join(",");
            self.last = (rows, format!("{} VALUES {values}", self.into).into());
        }
        // Quoted names and question marks.
        AssertSqlSafe(self.last.1.clone())
    }
}

/// # Errors
/// A number that is none, which SQL databases do not hold. Names the column.
pub fn refuse_non_finite(batch: &RecordBatch) -> Result<()> {
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let finite = match column.data_type() {
            DataType::Float32 => as_primitive_array::<arrow::datatypes::Float32Type>(column)
                .iter()
                .flatten()
                .all(f32::is_finite),
            DataType::Float64 => as_primitive_array::<arrow::datatypes::Float64Type>(column)
                .iter()
                .flatten()
                .all(f64::is_finite),
            _ => true,
        };
        if !finite {
            let message = format!(
                "column `{}` has NaN or an infinity, which this database does not hold",
                field.name()
            );
            return Err(Error::new(ErrorKind::Value, message).help("make them null in the query"));
        }
    }
    Ok(())
}

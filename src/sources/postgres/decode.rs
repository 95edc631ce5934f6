//! PostgreSQL rows to Arrow arrays.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use sqlx::postgres::PgRow;
use sqlx::{Column as _, Row, ValueRef as _};

use super::error::explain;
use crate::batch::bounds::{is_date, is_time};
use crate::batch::origin;
use crate::batch::types::Logical;
use crate::error::Result;

/// How a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Text,
    Bytes,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Numeric,
    Json,
    /// The server writes it as a JSON list.
    Array,
    /// Any other type: the server writes it as text.
    Other,
}

impl Kind {
    /// Returns the kind of a PostgreSQL type.
    pub fn of(name: &str) -> Kind {
        match name {
            "BOOL" => Kind::Bool,
            "INT2" => Kind::Int2,
            "INT4" => Kind::Int4,
            "INT8" => Kind::Int8,
            "FLOAT4" => Kind::Float4,
            "FLOAT8" => Kind::Float8,
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => Kind::Text,
            "BYTEA" => Kind::Bytes,
            "DATE" => Kind::Date,
            "TIME" => Kind::Time,
            "TIMESTAMP" => Kind::Timestamp,
            "TIMESTAMPTZ" => Kind::TimestampTz,
            "NUMERIC" => Kind::Numeric,
            "JSON" | "JSONB" => Kind::Json,
            name if name.ends_with("[]") => Kind::Array,
            _ => Kind::Other,
        }
    }

    /// Tells whether the query must write the column as text.
    pub fn needs_text(self) -> bool {
        matches!(self, Kind::Numeric | Kind::Json | Kind::Array | Kind::Other)
    }

    /// Returns the column in Arrow. `sql`: the name of its type; `zone`: that of the session.
    pub fn field(self, name: &str, sql: &str, zone: &str) -> Field {
        match self {
            Kind::Other | Kind::Array => origin::typed(self.plain_field(name), sql),
            Kind::TimestampTz if zone != "UTC" => origin::zoned(self.plain_field(name), zone),
            _ => self.plain_field(name),
        }
    }

    fn plain_field(self, name: &str) -> Field {
        let (arrow, logical) = match self {
            Kind::Bool => (DataType::Boolean, Logical::Plain),
            Kind::Int2 => (DataType::Int16, Logical::Plain),
            Kind::Int4 => (DataType::Int32, Logical::Plain),
            Kind::Int8 => (DataType::Int64, Logical::Plain),
            Kind::Float4 => (DataType::Float32, Logical::Plain),
            Kind::Float8 => (DataType::Float64, Logical::Plain),
            Kind::Text => (DataType::Utf8, Logical::Plain),
            Kind::Bytes => (DataType::Binary, Logical::Plain),
            Kind::Date => (DataType::Date32, Logical::Plain),
            Kind::Time => (DataType::Time64(TimeUnit::Microsecond), Logical::Plain),
            Kind::Timestamp => (DataType::Timestamp(TimeUnit::Microsecond, None), Logical::Plain),
            Kind::TimestampTz => (
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                Logical::Plain,
            ),
            Kind::Numeric => (DataType::Utf8, Logical::Numeric),
            Kind::Json => (DataType::Utf8, Logical::Json),
            Kind::Array => (DataType::Utf8, Logical::Array),
            Kind::Other => (DataType::Utf8, Logical::Other),
        };
        logical.mark(Field::new(name, arrow, true))
    }
}

/// Collects rows into a batch.
pub struct Decoder {
    schema: SchemaRef,
    columns: Vec<Values>,
    rows: usize,
}

enum Values {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    TimestampTz(TimestampMicrosecondBuilder),
}

impl Decoder {
    /// Creates a decoder for rows of these columns.
    pub fn new(schema: SchemaRef, kinds: Vec<Kind>) -> Decoder {
        let columns = kinds
            .into_iter()
            .map(|kind| match kind {
                Kind::Bool => Values::Bool(BooleanBuilder::new()),
                Kind::Int2 => Values::Int2(Int16Builder::new()),
                Kind::Int4 => Values::Int4(Int32Builder::new()),
                Kind::Int8 => Values::Int8(Int64Builder::new()),
                Kind::Float4 => Values::Float4(Float32Builder::new()),
                Kind::Float8 => Values::Float8(Float64Builder::new()),
                Kind::Text | Kind::Numeric | Kind::Json | Kind::Array | Kind::Other => {
                    Values::Text(StringBuilder::new())
                }
                Kind::Bytes => Values::Bytes(BinaryBuilder::new()),
                Kind::Date => Values::Date(Date32Builder::new()),
                Kind::Time => Values::Time(Time64MicrosecondBuilder::new()),
                Kind::Timestamp => Values::Timestamp(TimestampMicrosecondBuilder::new()),
                Kind::TimestampTz => {
                    Values::TimestampTz(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
                }
            })
            .collect();
        Decoder {
            schema,
            columns,
            rows: 0,
        }
    }

    /// Rows collected since the last batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row.
    pub fn push(&mut self, row: &PgRow) -> Result<()> {
        for (i, values) in self.columns.iter_mut().enumerate() {
            values
                .push(row, i)
                .map_err(|e| explain(&Self::named(&self.schema, e, i)))?;
        }
        self.rows += 1;
        Ok(())
    }

    /// The error with the column as it is called in the table: statements may call it otherwise.
    fn named(schema: &SchemaRef, error: sqlx::Error, i: usize) -> sqlx::Error {
        match error {
            sqlx::Error::ColumnDecode { source, .. } => sqlx::Error::ColumnDecode {
                index: format!("`{}`", schema.field(i).name()),
                source,
            },
            other => other,
        }
    }

    /// Returns the batch of the rows so far.
    pub fn take(&mut self) -> Result<RecordBatch> {
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(Values::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        Ok(RecordBatch::try_new_with_options(
            self.schema.clone(),
            arrays,
            &options,
        )?)
    }
}

/// From 1970-01-01 to 2000-01-01, from where PostgreSQL counts.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A value of a fixed width, as the server sends it: dates and times are counts, and the greatest of them infinite.
fn fixed<const WIDTH: usize>(row: &PgRow, i: usize) -> sqlx::Result<Option<[u8; WIDTH]>> {
    let value = row.try_get_raw(i)?;
    if value.is_null() {
        return Ok(None);
    }
    let bytes = value.as_bytes().map_err(|source| unreadable(row, i, source))?;
    let bytes = bytes
        .try_into()
        .map_err(|_| unreadable(row, i, "of another width".into()))?;
    Ok(Some(bytes))
}

fn infinite(row: &PgRow, i: usize, what: &str) -> sqlx::Error {
    let source = format!(
        "an infinite {what}, or one beyond the year 262142; cast the column to text, or leave such rows out"
    );
    unreadable(row, i, source.into())
}

fn unreadable(row: &PgRow, i: usize, source: sqlx::error::BoxDynError) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: format!("`{}`", row.column(i).name()),
        source,
    }
}

impl Values {
    fn push(&mut self, row: &PgRow, i: usize) -> sqlx::Result<()> {
        match self {
            Values::Bool(b) => b.append_option(row.try_get(i)?),
            Values::Int2(b) => b.append_option(row.try_get(i)?),
            Values::Int4(b) => b.append_option(row.try_get(i)?),
            Values::Int8(b) => b.append_option(row.try_get(i)?),
            Values::Float4(b) => b.append_option(row.try_get(i)?),
            Values::Float8(b) => b.append_option(row.try_get(i)?),
            Values::Text(b) => b.append_option(row.try_get_unchecked::<Option<&str>, _>(i)?),
            Values::Bytes(b) => b.append_option(row.try_get::<Option<&[u8]>, _>(i)?),
            Values::Date(b) => {
                let days = fixed(row, i)?.map(i32::from_be_bytes);
                let days = days.map(|days| days.checked_add(EPOCH_DAYS).filter(|days| is_date(*days)));
                b.append_option(
                    days.map(|days| days.ok_or_else(|| infinite(row, i, "date")))
                        .transpose()?,
                );
            }
            Values::Time(b) => {
                let micros = fixed(row, i)?.map(i64::from_be_bytes);
                // 24:00:00 is the end of a day, which clocks here do not show.
                let day = micros.map(|micros| Some(micros).filter(|micros| *micros < 86_400_000_000));
                b.append_option(
                    day.map(|micros| {
                        micros.ok_or_else(|| unreadable(row, i, "24:00:00; cast the column to text".into()))
                    })
                    .transpose()?,
                );
            }
            Values::Timestamp(b) | Values::TimestampTz(b) => {
                let micros = fixed(row, i)?.map(i64::from_be_bytes);
                let micros =
                    micros.map(|micros| micros.checked_add(EPOCH_MICROS).filter(|micros| is_time(*micros)));
                b.append_option(
                    micros
                        .map(|micros| micros.ok_or_else(|| infinite(row, i, "time")))
                        .transpose()?,
                );
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Bool(b) => Arc::new(b.finish()),
            Values::Int2(b) => Arc::new(b.finish()),
            Values::Int4(b) => Arc::new(b.finish()),
            Values::Int8(b) => Arc::new(b.finish()),
            Values::Float4(b) => Arc::new(b.finish()),
            Values::Float8(b) => Arc::new(b.finish()),
            Values::Text(b) => Arc::new(b.finish()),
            Values::Bytes(b) => Arc::new(b.finish()),
            Values::Date(b) => Arc::new(b.finish()),
            Values::Time(b) => Arc::new(b.finish()),
            Values::Timestamp(b) | Values::TimestampTz(b) => Arc::new(b.finish()),
        }
    }
}

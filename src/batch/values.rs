//! The values of one column, built one by one.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::DataType;

use super::bounds;
use super::cell::{self, Cell};
use super::types::Logical;
use crate::batch::column::Column;
use crate::error::{Error, ErrorKind, Result};

/// The builder of a column's array.
pub enum Values {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder, bool),
    Binary(BinaryBuilder),
}

impl Values {
    /// Returns a builder for an Arrow type; an error for one that no column of ours has.
    pub fn new(arrow: &DataType) -> Result<Values> {
        Ok(match arrow {
            DataType::Utf8 => Values::Text(StringBuilder::new()),
            DataType::Boolean => Values::Bool(BooleanBuilder::new()),
            DataType::Int16 => Values::Int16(Int16Builder::new()),
            DataType::Int32 => Values::Int32(Int32Builder::new()),
            DataType::Int64 => Values::Int64(Int64Builder::new()),
            DataType::Float32 => Values::Float32(Float32Builder::new()),
            DataType::Float64 => Values::Float64(Float64Builder::new()),
            DataType::Decimal128(p, s) => {
                Values::Decimal(Decimal128Builder::new().with_data_type(arrow.clone()), *p, *s)
            }
            DataType::Date32 => Values::Date(Date32Builder::new()),
            DataType::Time64(_) => Values::Time(Time64MicrosecondBuilder::new()),
            DataType::Timestamp(_, zone) => Values::Timestamp(
                TimestampMicrosecondBuilder::new().with_data_type(arrow.clone()),
                zone.is_some(),
            ),
            DataType::Binary => Values::Binary(BinaryBuilder::new()),
            other => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("no builder for columns of Arrow type {other}"),
                ));
            }
        })
    }

    /// Adds a value; the bytes of text it took. The error is what to say behind "does not fit", often nothing.
    pub fn push(&mut self, cell: &Cell<'_>, logical: Logical, lenient: bool) -> Result<usize, String> {
        if matches!(cell, Cell::Null) {
            self.push_null();
            return Ok(0);
        }
        match self {
            Values::Text(b) => {
                cell::check_json(cell)?;
                let text = match logical {
                    Logical::Json => cell::json_text(cell)?,
                    Logical::Array => cell::array_text(cell)?,
                    Logical::Numeric => cell::number_text(cell)?,
                    Logical::Plain | Logical::Other => cell::text(cell),
                };
                b.append_value(&text);
                return Ok(text.len());
            }
            Values::Bool(b) => b.append_value(cell::boolean(cell)?),
            Values::Int16(b) => b.append_value(cell::integer(cell)?),
            Values::Int32(b) => b.append_value(cell::integer(cell)?),
            Values::Int64(b) => b.append_value(cell::integer(cell)?),
            Values::Float32(b) => b.append_value(cell::small_float(cell)?),
            Values::Float64(b) => b.append_value(cell::float(cell)?),
            Values::Decimal(b, p, s) => b.append_value(cell::decimal(cell, *p, *s)?),
            Values::Date(b) => b.append_value(match cell::date(cell) {
                Err(_) if !lenient => cell::any_date(cell)?,
                read => read?,
            }),
            Values::Time(b) => b.append_value(cell::time(cell)?),
            // Without an offset, the database's own zone is meant.
            Values::Timestamp(_, true) if lenient && !cell::has_offset(cell) => return Err(String::new()),
            Values::Timestamp(b, zoned) => b.append_value(match cell::timestamp(cell, *zoned) {
                Err(_) if !lenient => cell::any_timestamp(cell)?,
                read => read?,
            }),
            // Escapes are the database's.
            Values::Binary(_) if lenient && cell::has_escapes(cell) => return Err(String::new()),
            Values::Binary(b) => b.append_value(cell::bytes(cell)),
        }
        Ok(0)
    }

    /// Adds null.
    pub fn push_null(&mut self) {
        match self {
            Values::Text(b) => b.append_null(),
            Values::Bool(b) => b.append_null(),
            Values::Int16(b) => b.append_null(),
            Values::Int32(b) => b.append_null(),
            Values::Int64(b) => b.append_null(),
            Values::Float32(b) => b.append_null(),
            Values::Float64(b) => b.append_null(),
            Values::Decimal(b, ..) => b.append_null(),
            Values::Date(b) => b.append_null(),
            Values::Time(b) => b.append_null(),
            Values::Timestamp(b, _) => b.append_null(),
            Values::Binary(b) => b.append_null(),
        }
    }

    /// Returns the array of what was added, and begins anew.
    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Text(b) => Arc::new(b.finish()),
            Values::Bool(b) => Arc::new(b.finish()),
            Values::Int16(b) => Arc::new(b.finish()),
            Values::Int32(b) => Arc::new(b.finish()),
            Values::Int64(b) => Arc::new(b.finish()),
            Values::Float32(b) => Arc::new(b.finish()),
            Values::Float64(b) => Arc::new(b.finish()),
            Values::Decimal(b, ..) => Arc::new(b.finish()),
            Values::Date(b) => Arc::new(b.finish()),
            Values::Time(b) => Arc::new(b.finish()),
            Values::Timestamp(b, _) => Arc::new(b.finish()),
            Values::Binary(b) => Arc::new(b.finish()),
        }
    }
}

/// Returns the values of one column that the database read, as an array of `rows` that is null elsewhere.
///
/// # Errors
/// What the database made of a text has no place in Arrow, with the text's number among `read`.
pub fn patch(
    column: &Column,
    rows: usize,
    read: &[(usize, Option<String>)],
) -> std::result::Result<ArrayRef, (usize, String)> {
    let internal = |e: Error| (0, e.to_string());
    let mut values = Values::new(&column.column_type.arrow).map_err(internal)?;
    let mut next = 0;
    for (at, (row, text)) in read.iter().enumerate() {
        (next..*row).for_each(|_| values.push_null());
        next = row + 1;
        let Some(text) = text else {
            values.push_null();
            continue;
        };
        let pushed = match (&mut values, column.column_type.logical) {
            (Values::Binary(b), _) => {
                b.append_value(cell::hex(text).unwrap_or_default());
                Ok(0)
            }
            // As the database writes it.
            (Values::Text(b), _) => {
                b.append_value(text);
                Ok(0)
            }
            // The end of a day, which no clock of ours shows.
            (Values::Time(b), _) if text.starts_with("24:00:00") => {
                b.append_value(86_400_000_000);
                Ok(0)
            }
            (Values::Date(b), _) if let Some(sign) = bounds::infinite(text) => {
                b.append_value(bounds::INFINITE_DAYS * i32::from(sign));
                Ok(0)
            }
            (Values::Timestamp(b, _), _) if let Some(sign) = bounds::infinite(text) => {
                b.append_value(bounds::INFINITE_MICROS * i64::from(sign));
                Ok(0)
            }
            (values, logical) => values.push(&Cell::Text(text.into()), logical, false),
        };
        pushed.map_err(|reason| (at, reason))?;
    }
    (next..rows).for_each(|_| values.push_null());
    Ok(values.finish())
}

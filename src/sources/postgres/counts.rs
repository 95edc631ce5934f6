//! Dates and times as PostgreSQL sends them: counts since 2000, of days and microseconds, the least and the greatest of
//! which are infinite (src/include/datatype/timestamp.h).

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type, TimestampMicrosecondType};

use crate::batch::bounds::{INFINITE_DAYS, INFINITE_MICROS};

/// From 1970 to 2000.
const DAYS: i32 = 10_957;
const MICROS: i64 = DAYS as i64 * 24 * 60 * 60 * 1_000_000;

/// Returns the field of the counts; the field itself where its values are none.
pub fn field(field: &Field) -> Field {
    match field.data_type() {
        DataType::Date32 => field.clone().with_data_type(DataType::Int32),
        DataType::Timestamp(..) => field.clone().with_data_type(DataType::Int64),
        _ => field.clone(),
    }
}

/// Returns the counts of a column; the column itself where its values are none.
pub fn counts(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Date32 => {
            let days = values.as_primitive::<Date32Type>();
            Arc::new(days.unary::<_, Int32Type>(|days| match days {
                INFINITE_DAYS => i32::MAX,
                days if days == -INFINITE_DAYS => i32::MIN,
                days => days.saturating_sub(DAYS),
            }))
        }
        DataType::Timestamp(..) => {
            let micros = values.as_primitive::<TimestampMicrosecondType>();
            Arc::new(micros.unary::<_, Int64Type>(|micros| match micros {
                INFINITE_MICROS => i64::MAX,
                micros if micros == -INFINITE_MICROS => i64::MIN,
                micros => micros.saturating_sub(MICROS),
            }))
        }
        _ => values.clone(),
    }
}

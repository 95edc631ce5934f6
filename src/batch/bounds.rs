//! Values that a type of Arrow has room for and that mean nothing in it: the infinite dates of some databases, and
//! decimals with more digits than their type says.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};

use crate::error::{Error, ErrorKind, Result};

/// The greatest number of 38 digits.
const DIGITS_38: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

/// The infinite dates of a database, as days since 1970 and as microseconds: DuckDB's numbers for them.
pub const INFINITE_DAYS: i32 = i32::MAX;
/// Microseconds that stand for a timestamp at infinity; the negative one for minus infinity.
pub const INFINITE_MICROS: i64 = i64::MAX;

/// What can be shown, in microseconds since 1970: asked for each value of a column.
const FIRST: i64 = DateTime::<Utc>::MIN_UTC.timestamp_micros();
const LAST: i64 = DateTime::<Utc>::MAX_UTC.timestamp_micros();
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Tells whether a date, as days since 1970, is one that can be shown.
pub fn is_date(days: i32) -> bool {
    (FIRST / DAY..=LAST / DAY).contains(&i64::from(days))
}

/// Tells whether a time, as microseconds since 1970, is one that can be shown.
pub fn is_time(micros: i64) -> bool {
    (FIRST..=LAST).contains(&micros)
}

/// Returns the sign of an infinite date or time, as databases write it.
pub fn infinite(text: &str) -> Option<i8> {
    match text.trim_end_matches("+00:00").trim() {
        "infinity" => Some(1),
        "-infinity" => Some(-1),
        _ => None,
    }
}

/// # Errors
/// A value that is none of its type. Names the column. Integers of the widest columns may have more than 38 digits: see
/// [`check_digits`].
pub fn check(batch: &RecordBatch) -> Result<()> {
    checked(batch, |scale| scale != 0)
}

/// # Errors
/// A number of more digits than Arrow's type for it has room for. Names the column.
pub fn check_digits(batch: &RecordBatch) -> Result<()> {
    checked(batch, |scale| scale == 0)
}

/// `digits`: whether decimals of a scale are looked at.
fn checked(batch: &RecordBatch, digits: impl Fn(i8) -> bool) -> Result<()> {
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.null_count() == column.len() {
            continue;
        }
        let what = match column.data_type() {
            DataType::Date32 => {
                let days = column.as_primitive::<Date32Type>();
                let fine = [min(days), max(days)].into_iter().flatten().all(is_date);
                (!fine).then_some("an infinite date, or one beyond the year 262142")
            }
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _) => {
                let micros = column.as_primitive::<TimestampMicrosecondType>();
                let fine = [min(micros), max(micros)].into_iter().flatten().all(is_time);
                (!fine).then_some("an infinite time, or one beyond the year 262142")
            }
            DataType::Decimal128(38, scale) if digits(*scale) => {
                let values = column.as_primitive::<Decimal128Type>();
                let within = |value: i128| (-DIGITS_38..=DIGITS_38).contains(&value);
                let fine = [min(values), max(values)].into_iter().flatten().all(within);
                (!fine).then_some("a number of more than 38 digits")
            }
            _ => None,
        };
        if let Some(what) = what {
            let message = format!("column `{}` has {what}, which can't be kept", field.name());
            return Err(
                Error::new(ErrorKind::Value, message).help("cast the column to text, or leave such rows out")
            );
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Date32Array, Decimal128Array, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn is_fine(column: ArrayRef) -> bool {
        check(&RecordBatch::try_from_iter([("c", column)]).unwrap()).is_ok()
    }

    #[test]
    fn infinite_and_too_long() {
        assert!(is_fine(Arc::new(Date32Array::from(vec![
            Some(-719_162),
            None,
            Some(100_000)
        ]))));
        assert!(!is_fine(Arc::new(Date32Array::from(vec![
            Some(0),
            Some(i32::MAX)
        ]))));
        assert!(!is_fine(Arc::new(TimestampMicrosecondArray::from(vec![
            i64::MIN + 1,
            0
        ]))));
        assert!(is_fine(Arc::new(TimestampMicrosecondArray::from(vec![
            1_700_000_000_000_000
        ]))));
        let decimals = |value| Decimal128Array::from(vec![value]).with_data_type(DataType::Decimal128(38, 0));
        for (value, fine) in [(DIGITS_38, true), (i128::MAX, false)] {
            let column: ArrayRef = Arc::new(decimals(value));
            let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
            assert_eq!(check_digits(&batch).is_ok(), fine);
            assert!(check(&batch).is_ok());
        }
    }
}

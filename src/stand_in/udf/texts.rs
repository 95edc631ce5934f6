//! Texts of values, and parts of texts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Field, FieldRef, Float64Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use arrow::temporal_conversions::timestamp_us_to_datetime;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;
use sequor_planner::Dialect;

use super::computed::{computed, gives};
use super::{JOINED, LENGTH, OUTPUT, PART};
use crate::batch::types::Logical;

/// The text of a value: `2024-05-06 07:08:09` of a time, `1` of true in MySQL.
pub fn as_text(name: &'static str, dialect: Dialect) -> ScalarUDF {
    let returns = move |fields: &[FieldRef]| match fields {
        [field] if matches!(field.data_type(), DataType::List(_)) && name == JOINED => {
            Ok(field.as_ref().clone())
        }
        [field] if name == JOINED && dialect == Dialect::Postgres && Logical::of(field) == Logical::Json => {
            exec_err!("`||` of JSON can't be tried in a dry run")
        }
        [_] => Ok(gives(DataType::Utf8)),
        _ => exec_err!("one value has a text"),
    };
    computed(name, Some(1), returns, move |columns, _| {
        let [column] = columns else {
            return exec_err!("one value has a text");
        };
        Ok(match column.data_type() {
            DataType::List(_) if name == JOINED => column.clone(),
            DataType::Timestamp(_, zone) => times(column, zone.is_some(), dialect)?,
            DataType::Duration(_) | DataType::Interval(_) => intervals(column, dialect)?,
            DataType::Float32 | DataType::Float64 => floats(column, dialect)?,
            DataType::Boolean if matches!(dialect, Dialect::MySql | Dialect::Sqlite) => {
                cast(&cast(column, &DataType::Int64)?, &DataType::Utf8)?
            }
            DataType::Boolean if name == OUTPUT && dialect == Dialect::Postgres => {
                let letters = column.as_boolean().iter();
                let letters = letters.map(|value| value.map(|value| if value { "t" } else { "f" }));
                Arc::new(letters.collect::<StringArray>())
            }
            _ => cast(column, &DataType::Utf8)?,
        })
    })
}

fn times(column: &ArrayRef, has_zone: bool, dialect: Dialect) -> Result<ArrayRef> {
    let zone = has_zone.then(|| "UTC".into());
    let moments = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
    let moments = moments.as_primitive::<TimestampMicrosecondType>();
    let texts = moments.iter().map(|moment| {
        let time = timestamp_us_to_datetime(moment?)?;
        if dialect == Dialect::Snowflake {
            let text = time.format("%Y-%m-%d %H:%M:%S%.3f").to_string();
            return Some(if has_zone { text + " +0000" } else { text });
        }
        let text = time.format("%Y-%m-%d %H:%M:%S").to_string();
        let text = text + &fraction(time.and_utc().timestamp_subsec_micros());
        Some(if has_zone { text + "+00" } else { text })
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}

/// Microseconds as the fraction of a second: none where there are none.
fn fraction(micros: u32) -> String {
    match micros {
        0 => String::new(),
        _ => format!(".{micros:06}").trim_end_matches('0').to_string(),
    }
}

/// Intervals as `1 year 2 mons 3 days 04:05:06`.
fn intervals(column: &ArrayRef, dialect: Dialect) -> Result<ArrayRef> {
    let months_name = if dialect == Dialect::DuckDb {
        "month"
    } else {
        "mon"
    };
    let text = |months: i32, days: i64, micros: i64| {
        let mut parts = Vec::new();
        for (number, name) in [
            (i64::from(months / 12), "year"),
            (i64::from(months % 12), months_name),
            (days, "day"),
        ] {
            match number {
                0 => {}
                1 => parts.push(format!("1 {name}")),
                _ => parts.push(format!("{number} {name}s")),
            }
        }
        if micros != 0 || parts.is_empty() {
            let sign = if micros < 0 { "-" } else { "" };
            let all = micros.unsigned_abs();
            let (seconds, rest) = (
                all / 1_000_000,
                u32::try_from(all % 1_000_000).unwrap_or_default(),
            );
            parts.push(format!(
                "{sign}{:02}:{:02}:{:02}{}",
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60,
                fraction(rest)
            ));
        }
        parts.join(" ")
    };
    let texts: StringArray = match column.data_type() {
        DataType::Duration(_) => {
            let spans = cast(column, &DataType::Duration(TimeUnit::Microsecond))?;
            let spans = spans.as_primitive::<DurationMicrosecondType>();
            let day = 86_400_000_000;
            let each = spans
                .iter()
                .map(|span| span.map(|span| text(0, span / day, span % day)));
            each.collect()
        }
        _ => {
            let spans = cast(column, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let spans = spans.as_primitive::<IntervalMonthDayNanoType>();
            let each = spans.iter().map(|span| {
                span.map(|span| text(span.months, i64::from(span.days), span.nanoseconds / 1000))
            });
            each.collect()
        }
    };
    Ok(Arc::new(texts))
}

fn floats(column: &ArrayRef, dialect: Dialect) -> Result<ArrayRef> {
    let numbers = cast(column, &DataType::Float64)?;
    let narrow = column.data_type() == &DataType::Float32;
    let numbers = numbers.as_primitive::<Float64Type>();
    let texts = numbers.iter().map(|number| {
        let number = number?;
        #[allow(clippy::cast_possible_truncation)]
        let shortest = match narrow {
            true => format!("{:e}", number as f32),
            false => format!("{number:e}"),
        };
        Some(match shortest.split_once('e') {
            None => match number.is_nan() {
                true => "NaN".to_string(),
                false if number > 0.0 => "Infinity".to_string(),
                false => "-Infinity".to_string(),
            },
            Some((digits, exponent)) => {
                let exponent: i32 = exponent.parse().unwrap_or_default();
                // Where PostgreSQL, and DuckDB, begin to write an exponent.
                let most = if dialect == Dialect::DuckDb { 16 } else { 15 };
                let plain = match narrow {
                    #[allow(clippy::cast_possible_truncation)]
                    true => format!("{}", number as f32),
                    false => format!("{number}"),
                };
                match (-4..most).contains(&exponent) || number == 0.0 {
                    true if matches!(dialect, Dialect::DuckDb | Dialect::Sqlite) && !plain.contains('.') => {
                        plain + ".0"
                    }
                    true => plain,
                    false => format!(
                        "{digits}e{}{:02}",
                        if exponent < 0 { '-' } else { '+' },
                        exponent.abs()
                    ),
                }
            }
        })
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}

/// `part_of_text(text, from, length)`: `from` is counted from 1, or from the end where it is negative.
pub fn part(dialect: Dialect) -> ScalarUDF {
    let returns = |fields: &[FieldRef]| -> Result<Field> {
        match fields.len() {
            2 | 3 => Ok(gives(DataType::Utf8)),
            _ => exec_err!("a part of a text needs the text, where it begins, and its length"),
        }
    };
    computed(PART, None, returns, move |columns, _| {
        let texts = cast(&columns[0], &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let froms = cast(&columns[1], &DataType::Int64)?;
        let froms = froms.as_primitive::<Int64Type>();
        let lengths = columns.get(2).map(|lengths| cast(lengths, &DataType::Int64));
        let lengths = lengths.transpose()?;
        let lengths = lengths
            .as_ref()
            .map(|lengths| lengths.as_primitive::<Int64Type>());
        let parts = (0..texts.len()).map(|row| {
            let is_null = texts.is_null(row)
                || froms.is_null(row)
                || lengths.is_some_and(|lengths| lengths.is_null(row));
            let length = lengths.map(|lengths| lengths.value(row));
            // MySQL has no letter before the first.
            let length = length.filter(|_| dialect != Dialect::MySql || froms.value(row) != 0);
            let length = length.or((dialect == Dialect::MySql && froms.value(row) == 0).then_some(0));
            (!is_null).then(|| taken(texts.value(row), froms.value(row), length))
        });
        Ok(Arc::new(parts.collect::<StringArray>()))
    })
}

/// `length_of(value)`: how many letters a text has, or items a list.
pub fn length() -> ScalarUDF {
    let returns = |_: &[FieldRef]| Ok(gives(DataType::Int64));
    computed(LENGTH, Some(1), returns, |columns, _| {
        let Some(column) = columns.first() else {
            return exec_err!("one value has a length");
        };
        let lengths = |row: usize, length: usize| {
            (!column.is_null(row)).then(|| i64::try_from(length).unwrap_or(i64::MAX))
        };
        let made: Int64Array = match column.data_type() {
            DataType::List(_) => {
                let lists = column.as_list::<i32>();
                let each = (0..lists.len()).map(|row| {
                    let length = usize::try_from(lists.value_length(row)).unwrap_or_default();
                    lengths(row, length)
                });
                each.collect()
            }
            _ => {
                let texts = cast(column, &DataType::Utf8)?;
                let texts = texts.as_string::<i32>();
                let each = (0..texts.len()).map(|row| match texts.is_null(row) {
                    true => None,
                    false => lengths(row, texts.value(row).chars().count()),
                });
                each.collect()
            }
        };
        Ok(Arc::new(made))
    })
}

fn taken(text: &str, from: i64, length: Option<i64>) -> String {
    let all = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let first = if from < 0 { all + from } else { from - 1 };
    let end = length.map_or(all, |length| first.saturating_add(length.max(0)));
    let count = |n: i64| usize::try_from(n.clamp(0, all)).unwrap_or_default();
    let (first, end) = (count(first), count(end));
    text.chars().skip(first).take(end.saturating_sub(first)).collect()
}

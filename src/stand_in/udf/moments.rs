//! Dates and times in zones.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, TimeUnit, TimestampMicrosecondType};
use arrow::temporal_conversions::timestamp_us_to_datetime;
use chrono::{LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use datafusion::common::exec_err;
use datafusion::logical_expr::ScalarUDF;

use super::computed::{computed, gives};
use super::{AT_ZONE, DATE_OF, MOMENT, ZONED};

fn clock() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

fn of_utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A date as the timestamp that it begins with; all else as it is.
pub fn moment() -> ScalarUDF {
    changed(MOMENT, |data_type| match data_type {
        DataType::Date32 | DataType::Date64 => clock(),
        other => other.clone(),
    })
}

/// A date, or a timestamp without a zone, as a moment of UTC; all else as it is.
pub fn zoned() -> ScalarUDF {
    changed(ZONED, |data_type| match data_type {
        DataType::Date32 | DataType::Date64 => of_utc(),
        other => other.clone(),
    })
}

/// `as_date_of(time, other)`: a date where the other value is one, else the time as it is.
pub fn date_of() -> ScalarUDF {
    let returns = |fields: &[FieldRef]| match fields {
        [time, other] => Ok(gives(match other.data_type() {
            DataType::Date32 => DataType::Date32,
            _ => time.data_type().clone(),
        })),
        _ => exec_err!("a time and another value are needed"),
    };
    computed(DATE_OF, Some(2), returns, |columns, _| match columns {
        [time, other] if *other.data_type() == DataType::Date32 => Ok(cast(time, &DataType::Date32)?),
        [time, _] => Ok(time.clone()),
        _ => exec_err!("a time and another value are needed"),
    })
}

fn changed(name: &'static str, to: fn(&DataType) -> DataType) -> ScalarUDF {
    let returns = move |fields: &[FieldRef]| match fields {
        [field] => Ok(gives(to(field.data_type()))),
        _ => exec_err!("`{name}` has one argument"),
    };
    computed(name, Some(1), returns, move |columns, _| {
        let [column] = columns else {
            return exec_err!("`{name}` has one argument");
        };
        let to = to(column.data_type());
        Ok(match column.data_type() {
            same if *same == to => column.clone(),
            DataType::Date32 | DataType::Date64 => cast(&cast(column, &clock())?, &to)?,
            _ => cast(column, &to)?,
        })
    })
}

/// `at_zone(time, zone)`: what a clock in the zone shows at a moment; of a time without a zone, the moment at which it shows that.
pub fn at_zone() -> ScalarUDF {
    let returns = |fields: &[FieldRef]| match fields {
        [time, _] => Ok(gives(match time.data_type() {
            DataType::Timestamp(_, Some(_)) => clock(),
            _ => of_utc(),
        })),
        _ => exec_err!("a time and a zone are needed"),
    };
    computed(AT_ZONE, Some(2), returns, |columns, _| {
        let [times, zones] = columns else {
            return exec_err!("a time and a zone are needed");
        };
        let is_moment = matches!(times.data_type(), DataType::Timestamp(_, Some(_)));
        let read = cast(times, &if is_moment { of_utc() } else { clock() })?;
        let read = read.as_primitive::<TimestampMicrosecondType>();
        let zones = cast(zones, &DataType::Utf8)?;
        let zones = zones.as_string::<i32>();
        let mut known: Option<(String, Tz)> = None;
        let mut made = Vec::with_capacity(read.len());
        for row in 0..read.len() {
            if read.is_null(row) || zones.is_null(row) {
                made.push(None);
                continue;
            }
            let name = zones.value(row);
            if known.as_ref().is_none_or(|(known, _)| known != name) {
                let Ok(zone) = Tz::from_str(name) else {
                    return exec_err!("time zone \"{name}\" is not known");
                };
                known = Some((name.to_string(), zone));
            }
            let (Some((_, zone)), Some(time)) = (&known, timestamp_us_to_datetime(read.value(row))) else {
                return exec_err!("a time is out of range");
            };
            let shown = if is_moment {
                local(*zone, time)
            } else {
                utc(*zone, time)
            };
            made.push(Some(shown.and_utc().timestamp_micros()));
        }
        let made = TimestampMicrosecondArray::from(made);
        let made: ArrayRef = match is_moment {
            true => Arc::new(made),
            false => Arc::new(made.with_timezone("UTC")),
        };
        Ok(made)
    })
}

fn local(zone: Tz, moment: NaiveDateTime) -> NaiveDateTime {
    moment + zone.offset_from_utc_datetime(&moment).fix()
}

/// Of an hour that is there twice, the later one; of one that is not there, what the clock before it would show.
fn utc(zone: Tz, shown: NaiveDateTime) -> NaiveDateTime {
    let offset = match zone.offset_from_local_datetime(&shown) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(_, offset) => offset.fix(),
        LocalResult::None => {
            let before = shown - TimeDelta::hours(3);
            zone.offset_from_utc_datetime(&before).fix()
        }
    };
    shown - offset
}

//! Positions: what cursors say of how new a row is.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, UInt32Type,
};
use chrono::{DateTime, Utc};
use sequor_planner::ops::TimeFormat;

use crate::batch::cell::Cell;
use crate::batch::clock::Clock;
use crate::batch::time_format::TimeReader;
use crate::value::Value;

/// How new something is. Those of one cursor are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// Microseconds since 1970-01-01 UTC; a time without a zone counts as UTC.
    Time(i64),
    Number(i128),
    Text(String),
}

/// What the values of a cursor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Time,
    Date,
    Number,
    /// A number that counts seconds or milliseconds since 1970: so many in a second.
    Epoch(i64),
    Text,
}

const DAY: i64 = 86_400_000_000;

impl Kind {
    /// Returns what its values are called.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Time => "times",
            Kind::Date => "dates",
            Kind::Number | Kind::Epoch(_) => "whole numbers",
            Kind::Text => "texts",
        }
    }

    /// Returns what a column holds. `format`: how the API writes times.
    ///
    /// # Errors
    /// What the column is, where its values are no positions.
    pub fn of(column: &DataType, format: Option<&TimeFormat>) -> Result<Kind, String> {
        Ok(match (column, format) {
            (DataType::Timestamp(..), _) => Kind::Time,
            (DataType::Date32, _) => Kind::Date,
            (kind, Some(TimeFormat::Unix)) if is_whole(kind) => Kind::Epoch(1),
            (kind, Some(TimeFormat::UnixMs)) if is_whole(kind) => Kind::Epoch(1000),
            (kind, _) if is_whole(kind) => Kind::Number,
            (DataType::Utf8, _) => Kind::Text,
            (other, _) => return Err(other.to_string()),
        })
    }

    /// Returns what a text looks like, where no column says it.
    pub fn like(text: &str) -> Kind {
        match (
            Clock::read(text.trim()),
            date(text.trim()),
            text.trim().parse::<i128>(),
        ) {
            (Some(_), ..) => Kind::Time,
            (_, Some(_), _) => Kind::Date,
            (.., Ok(_)) => Kind::Number,
            _ => Kind::Text,
        }
    }

    /// Returns what the values of a cursor are, of what its column holds and what `initial` looks like: texts may be times, as
    /// that is one then.
    pub fn of_cursor(column: Option<Kind>, initial: Option<Kind>) -> Option<Kind> {
        match (column, initial) {
            (Some(Kind::Text) | None, Some(Kind::Time | Kind::Date)) => Some(Kind::Time),
            (column, initial) => column.or(initial),
        }
    }

    /// Reads a position that a flow, an option or the state writes.
    pub fn read(self, text: &str) -> Option<Position> {
        let text = text.trim();
        let time = || {
            let clock = Clock::read(text);
            let clock = clock.and_then(|c| Some(c.micros - c.offset.unwrap_or(0).checked_mul(1_000_000)?));
            clock.or_else(|| date(text))
        };
        match self {
            Kind::Time => time().map(Position::Time),
            Kind::Date => time().map(|micros| Position::Time(micros.div_euclid(DAY) * DAY)),
            Kind::Number => text.parse().ok().map(Position::Number),
            Kind::Epoch(unit) => {
                let number = || Some(i128::from(time()?.div_euclid(1_000_000)) * i128::from(unit));
                text.parse().ok().or_else(number).map(Position::Number)
            }
            Kind::Text => Some(Position::Text(text.to_string())),
        }
    }

    /// Returns the position of a moment; none where moments are none.
    pub fn at(self, moment: DateTime<Utc>) -> Option<Position> {
        let micros = moment.timestamp_micros();
        match self {
            Kind::Time => Some(Position::Time(micros)),
            Kind::Date => Some(Position::Time(micros.div_euclid(DAY) * DAY)),
            Kind::Epoch(unit) => Some(Position::Number(
                i128::from(moment.timestamp()) * i128::from(unit),
            )),
            Kind::Number | Kind::Text => None,
        }
    }

    /// Moves a position by a span in seconds, or by a number; none where it can't be moved.
    pub fn moved(self, position: &Position, span: f64) -> Option<Position> {
        let times = |unit: f64| (span * unit).round();
        match (self, position) {
            (Kind::Time, Position::Time(micros)) => {
                Some(Position::Time(micros.checked_add(times(1_000_000.0) as i64)?))
            }
            (Kind::Date, Position::Time(micros)) => {
                let days = (span / 86_400.0).abs().ceil().copysign(span) as i64;
                Some(Position::Time(micros.checked_add(days.checked_mul(DAY)?)?))
            }
            (Kind::Number, Position::Number(n)) => Some(Position::Number(n.checked_add(times(1.0) as i128)?)),
            (Kind::Epoch(unit), Position::Number(n)) => {
                Some(Position::Number(n.checked_add(times(unit as f64) as i128)?))
            }
            _ => None,
        }
    }

    /// Writes a position as a request has it.
    pub fn written(self, position: &Position, format: Option<&TimeFormat>) -> Value {
        let micros = match position {
            Position::Time(micros) => *micros,
            Position::Text(text) => return Value::text(text.as_str()),
            Position::Number(n) => match (self, format) {
                (Kind::Epoch(unit), Some(TimeFormat::Strftime(_))) => {
                    i64::try_from(n.saturating_mul(1_000_000 / i128::from(unit))).unwrap_or(i64::MAX)
                }
                _ => return i64::try_from(*n).map_or_else(|_| Value::text(n.to_string()), Value::Int),
            },
        };
        let moment = DateTime::from_timestamp_micros(micros).unwrap_or_default();
        match format {
            Some(TimeFormat::Unix) => Value::Int(moment.timestamp()),
            Some(TimeFormat::UnixMs) => Value::Int(moment.timestamp_millis()),
            Some(TimeFormat::Strftime(pattern)) => {
                Value::text(TimeFormat::write(pattern, moment).unwrap_or_else(|| iso(micros)))
            }
            Some(TimeFormat::Iso8601) | None if self == Kind::Date => {
                Value::text(moment.format("%Y-%m-%d").to_string())
            }
            Some(TimeFormat::Iso8601) | None => Value::text(iso(micros)),
        }
    }

    /// Returns the position that a request really asks up to: its format may have cut digits off.
    pub fn as_written(self, position: Position, format: Option<&TimeFormat>) -> Position {
        let (Position::Time(micros), Some(format)) = (&position, format) else {
            return position;
        };
        let written = match format {
            TimeFormat::Unix => Some(micros.div_euclid(1_000_000) * 1_000_000),
            TimeFormat::UnixMs => Some(micros.div_euclid(1000) * 1000),
            TimeFormat::Iso8601 => None,
            TimeFormat::Strftime(_) => {
                let text = self.written(&position, Some(format)).to_text();
                match TimeReader::new(format).read(&Cell::Text(text.into())) {
                    Ok(Cell::Clock(clock, offset)) => Some(clock - offset.unwrap_or(0) * 1_000_000),
                    _ => None,
                }
            }
        };
        match written {
            Some(written) if written < *micros => Position::Time(written),
            _ => position,
        }
    }
}

fn is_whole(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt32
            | DataType::Decimal128(_, 0)
    )
}

/// Microseconds of the midnight that a date begins with.
fn date(text: &str) -> Option<i64> {
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros())
}

/// A moment in ISO 8601, with as many digits behind the second as it has.
fn iso(micros: i64) -> String {
    let moment = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    match micros.rem_euclid(1_000_000) {
        0 => moment.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        _ => moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Position::Time(micros) => f.write_str(&iso(*micros)),
            Position::Number(n) => n.fmt(f),
            Position::Text(text) => f.write_str(text),
        }
    }
}

/// The positions in a column of a batch.
pub enum Positions<'a> {
    Times(arrow::array::PrimitiveArray<TimestampMicrosecondType>),
    Dates(&'a arrow::array::PrimitiveArray<Date32Type>),
    Numbers(arrow::array::PrimitiveArray<Int64Type>),
    Decimals(&'a arrow::array::PrimitiveArray<Decimal128Type>),
    Texts(&'a arrow::array::StringArray),
}

impl<'a> Positions<'a> {
    /// Looks at a column; none where its values are no positions.
    pub fn of(column: &'a ArrayRef) -> Option<Positions<'a>> {
        Some(match column.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => Positions::Times(column.as_primitive().clone()),
            DataType::Date32 => Positions::Dates(column.as_primitive()),
            DataType::Int64 => Positions::Numbers(column.as_primitive().clone()),
            DataType::Int32 => Positions::Numbers(column.as_primitive::<Int32Type>().unary(i64::from)),
            DataType::Int16 => Positions::Numbers(column.as_primitive::<Int16Type>().unary(i64::from)),
            DataType::Int8 => Positions::Numbers(column.as_primitive::<Int8Type>().unary(i64::from)),
            DataType::UInt32 => Positions::Numbers(column.as_primitive::<UInt32Type>().unary(i64::from)),
            DataType::Decimal128(_, 0) => Positions::Decimals(column.as_primitive()),
            DataType::Utf8 => Positions::Texts(column.as_string()),
            _ => return None,
        })
    }

    /// The positions of texts that are times, or dates.
    ///
    /// # Errors
    /// A text that is none.
    pub fn into_times(self, kind: Kind) -> Result<Positions<'a>, String> {
        let (Positions::Texts(texts), Kind::Time | Kind::Date) = (&self, kind) else {
            return Ok(self);
        };
        let time = |text: Option<&str>| match text {
            None => Ok(None),
            Some(text) => match kind.read(text) {
                Some(Position::Time(micros)) => Ok(Some(micros)),
                _ => Err(text.to_string()),
            },
        };
        let times = texts.iter().map(time).collect::<Result<_, String>>();
        times.map(Positions::Times)
    }

    /// The largest between two rows, and whether there is a null among them.
    pub fn largest(&self, from: usize, to: usize) -> (Option<Position>, bool) {
        fn over<T: Ord + Copy>(values: impl Iterator<Item = Option<T>>) -> (Option<T>, bool) {
            values.fold((None, false), |(most, null), value| match value {
                None => (most, true),
                Some(value) => (most.max(Some(value)), null),
            })
        }
        let range = from..to;
        match self {
            Positions::Times(a) => {
                let (most, null) = over(range.map(|i| a.is_valid(i).then(|| a.value(i))));
                (most.map(Position::Time), null)
            }
            Positions::Dates(a) => {
                let (most, null) = over(range.map(|i| a.is_valid(i).then(|| a.value(i))));
                (most.map(|days| Position::Time(i64::from(days) * DAY)), null)
            }
            Positions::Numbers(a) => {
                let (most, null) = over(range.map(|i| a.is_valid(i).then(|| a.value(i))));
                (most.map(|n| Position::Number(n.into())), null)
            }
            Positions::Decimals(a) => {
                let (most, null) = over(range.map(|i| a.is_valid(i).then(|| a.value(i))));
                (most.map(Position::Number), null)
            }
            Positions::Texts(a) => {
                let (most, null) = over(range.map(|i| a.is_valid(i).then(|| a.value(i))));
                (most.map(|text| Position::Text(text.to_string())), null)
            }
        }
    }

    /// How many rows between two are below a position of the same kind.
    pub fn below(&self, from: usize, to: usize, than: &Position) -> u64 {
        let count = |is_below: &dyn Fn(usize) -> bool| (from..to).filter(|at| is_below(*at)).count() as u64;
        match (self, than) {
            (Positions::Times(a), Position::Time(than)) => count(&|i| a.is_valid(i) && a.value(i) < *than),
            (Positions::Dates(a), Position::Time(than)) => {
                count(&|i| a.is_valid(i) && i64::from(a.value(i)) * DAY < *than)
            }
            (Positions::Numbers(a), Position::Number(than)) => {
                count(&|i| a.is_valid(i) && i128::from(a.value(i)) < *than)
            }
            (Positions::Decimals(a), Position::Number(than)) => {
                count(&|i| a.is_valid(i) && a.value(i) < *than)
            }
            (Positions::Texts(a), Position::Text(than)) => {
                count(&|i| a.is_valid(i) && a.value(i) < than.as_str())
            }
            _ => 0,
        }
    }

    /// Whether the row's position is in a range, ends included; none where it has none.
    pub fn within(&self, row: usize, from: Option<&Position>, to: Option<&Position>) -> Option<bool> {
        let (position, _) = self.largest(row, row + 1);
        let position = position?;
        Some(from.is_none_or(|from| *from <= position) && to.is_none_or(|to| position <= *to))
    }
}

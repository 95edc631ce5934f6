//! One value on its way into a column: how JSON values fit SQL types.
//!
//! The functions give the column's native value, or what to say behind "does not fit".

use std::borrow::Cow;

use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::{Date32Type, Decimal128Type, DecimalType, Time64MicrosecondType};
use chrono::{DateTime, Utc};

use super::clock::Clock;
use super::digits::Digits;

/// A value to be put into a column.
#[derive(Debug, Clone)]
pub enum Cell<'a> {
    Null,
    Bool(bool),
    /// A number, as its source writes it.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    /// An object or array, as compact JSON.
    Json(Cow<'a, str>),
    /// An integer of a database.
    Int(i64),
    /// A float of a database.
    Float(f64),
    /// Bytes of a database.
    Bytes(Cow<'a, [u8]>),
    /// A date and the time of a clock: microseconds since 1970-01-01 as written, and seconds east of UTC.
    Clock(i64, Option<i64>),
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

type Fit<T> = Result<T, String>;

impl Cell<'_> {
    /// Returns the same value, on its own.
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Bool(b) => Cell::Bool(b),
            Cell::Number(text) => Cell::Number(text.into_owned().into()),
            Cell::Text(text) => Cell::Text(text.into_owned().into()),
            Cell::Json(text) => Cell::Json(text.into_owned().into()),
            Cell::Int(n) => Cell::Int(n),
            Cell::Float(n) => Cell::Float(n),
            Cell::Bytes(bytes) => Cell::Bytes(bytes.into_owned().into()),
            Cell::Clock(micros, offset) => Cell::Clock(micros, offset),
        }
    }

    /// Returns the same value, borrowed.
    pub fn borrowed(&self) -> Cell<'_> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Bool(b) => Cell::Bool(*b),
            Cell::Number(text) => Cell::Number(Cow::Borrowed(text)),
            Cell::Text(text) => Cell::Text(Cow::Borrowed(text)),
            Cell::Json(text) => Cell::Json(Cow::Borrowed(text)),
            Cell::Int(n) => Cell::Int(*n),
            Cell::Float(n) => Cell::Float(*n),
            Cell::Bytes(bytes) => Cell::Bytes(Cow::Borrowed(bytes)),
            Cell::Clock(micros, offset) => Cell::Clock(*micros, *offset),
        }
    }

    /// Returns the value as a message shows it.
    pub fn shown(&self) -> String {
        let text = match self {
            Cell::Null => "null".to_string(),
            Cell::Bool(b) => b.to_string(),
            Cell::Number(n) => n.to_string(),
            Cell::Text(t) => format!("'{t}'"),
            Cell::Json(j) => j.to_string(),
            Cell::Int(n) => n.to_string(),
            Cell::Float(n) => float_text(*n),
            Cell::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Cell::Clock(micros, offset) => clock_text(*micros, *offset),
        };
        match text.char_indices().nth(80) {
            Some((cut, _)) => format!("{}...", &text[..cut]),
            None => text,
        }
    }
}

/// JSON as text: strings as they are, numbers as written, objects and arrays as compact JSON.
pub fn text<'c>(cell: &'c Cell<'_>) -> Cow<'c, str> {
    match cell {
        Cell::Null => "".into(),
        Cell::Bool(true) => "true".into(),
        Cell::Bool(false) => "false".into(),
        Cell::Number(text) | Cell::Text(text) | Cell::Json(text) => Cow::Borrowed(text),
        Cell::Int(n) => n.to_string().into(),
        Cell::Float(n) => float_text(*n).into(),
        Cell::Bytes(bytes) => String::from_utf8_lossy(bytes),
        Cell::Clock(micros, offset) => clock_text(*micros, *offset).into(),
    }
}

/// Bytes: a text's are those of UTF-8.
pub fn bytes<'c>(cell: &'c Cell<'_>) -> Cow<'c, [u8]> {
    match cell {
        Cell::Bytes(bytes) => Cow::Borrowed(bytes),
        cell => match text(cell) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
    }
}

/// A clock as ISO 8601 writes it.
fn clock_text(micros: i64, offset: Option<i64>) -> String {
    let Some(clock) = DateTime::<Utc>::from_timestamp_micros(micros) else {
        return micros.to_string();
    };
    let clock = clock.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f").to_string();
    match offset {
        None => clock,
        Some(0) => format!("{clock}Z"),
        Some(seconds) => {
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.abs() / 60;
            format!("{clock}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}

/// A float as JSON writes it.
fn float_text(value: f64) -> String {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string(), |n| n.to_string())
}

/// Returns the value in a JSON column: a string that holds JSON is that, any other a JSON string.
pub fn json_text<'c>(cell: &'c Cell<'_>) -> Fit<Cow<'c, str>> {
    Ok(match cell {
        Cell::Number(text) if !is_json(text) => {
            return Err(": NaN and Infinity are no JSON".into());
        }
        Cell::Text(text) => match is_json(text) {
            true => Cow::Borrowed(text),
            false => serde_json::Value::String(text.to_string()).to_string().into(),
        },
        other => text(other),
    })
}

/// Checks that JSON has no NaN and no Infinity inside: as numbers of a column they have a meaning, there they have none.
pub fn check_json(cell: &Cell<'_>) -> Fit<()> {
    match cell {
        Cell::Json(text) if (text.contains("NaN") || text.contains("Infinity")) && !is_json(text) => {
            Err(": it has NaN or Infinity, which no JSON has".into())
        }
        _ => Ok(()),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Returns a JSON list, as its text: also where text holds one.
pub fn array_text<'c>(cell: &'c Cell<'_>) -> Fit<Cow<'c, str>> {
    match cell {
        Cell::Json(text) if text.starts_with('[') => Ok(Cow::Borrowed(text)),
        Cell::Text(text)
            if text.trim_start().starts_with('[')
                && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() =>
        {
            Ok(Cow::Borrowed(text.trim()))
        }
        _ => Err(" (an array is a list)".to_string()),
    }
}

/// Returns a number as text, for decimals of any precision.
pub fn number_text<'c>(cell: &'c Cell<'_>) -> Fit<Cow<'c, str>> {
    match cell {
        Cell::Number(text) => Ok(Cow::Borrowed(text)),
        Cell::Text(text) if Digits::read(text.trim()).is_some() => Ok(Cow::Borrowed(text.trim())),
        Cell::Int(_) => Ok(text(cell)),
        Cell::Float(n) if n.is_finite() => Ok(text(cell)),
        _ => Err(String::new()),
    }
}

/// Returns a boolean: `true`, `false` and their texts.
pub fn boolean(cell: &Cell<'_>) -> Fit<bool> {
    match cell {
        Cell::Bool(b) => Ok(*b),
        Cell::Int(n @ (0 | 1)) => Ok(*n == 1),
        Cell::Number(text) => match text.as_ref() {
            "1" => Ok(true),
            "0" => Ok(false),
            _ => Err(String::new()),
        },
        Cell::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
            _ => Err(String::new()),
        },
        _ => Err(String::new()),
    }
}

/// Returns an integer; a float without fraction is one.
pub fn integer<T: TryFrom<i64> + std::str::FromStr>(cell: &Cell<'_>) -> Fit<T> {
    let text = match cell {
        Cell::Number(text) => text.as_ref(),
        Cell::Text(text) => text.trim(),
        Cell::Int(n) => return T::try_from(*n).map_err(|_| " (out of range)".to_string()),
        _ => return Err(String::new()),
    };
    if let Ok(n) = text.parse::<T>() {
        return Ok(n);
    }
    if let Ok(n) = text.parse::<i64>() {
        return T::try_from(n).map_err(|_| " (out of range)".to_string());
    }
    match text.parse::<f64>() {
        // Beyond 2^53 a float is not an exact integer any more.
        Ok(n) if n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0 => {
            T::try_from(n as i64).map_err(|_| " (out of range)".to_string())
        }
        Ok(n) if n.fract() == 0.0 => Err(" (out of range)".to_string()),
        _ => Err(String::new()),
    }
}

/// Returns a float.
pub fn float(cell: &Cell<'_>) -> Fit<f64> {
    match cell {
        Cell::Number(text) | Cell::Text(text) => finite(text.trim()),
        Cell::Int(n) => Ok(*n as f64),
        Cell::Float(n) => Ok(*n),
        _ => Err(String::new()),
    }
}

/// A number too large for a float is not infinite.
fn finite(text: &str) -> Fit<f64> {
    let value: f64 = text.parse().map_err(|_| String::new())?;
    match value.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) {
        true => Err(" (out of range)".to_string()),
        false => Ok(value),
    }
}

/// Returns a float of 32 bits.
pub fn small_float(cell: &Cell<'_>) -> Fit<f32> {
    let value = float(cell)?;
    let small = value as f32;
    match small.is_infinite() && value.is_finite() {
        true => Err(" (out of range)".to_string()),
        false => Ok(small),
    }
}

/// Returns a decimal; digits beyond the scale are rounded half away from zero, as SQL does.
pub fn decimal(cell: &Cell<'_>, precision: u8, scale: i8) -> Fit<i128> {
    let owned;
    let text = match cell {
        Cell::Number(text) => text.as_ref(),
        Cell::Text(text) => text.trim(),
        Cell::Int(_) | Cell::Float(_) => {
            owned = self::text(cell);
            owned.as_ref()
        }
        _ => return Err(String::new()),
    };
    let number = Digits::read(text).ok_or_else(String::new)?;
    let value = number.units(scale.unsigned_abs()).ok_or_else(too_long)?;
    Decimal128Type::validate_decimal_precision(value, precision, scale)
        .map(|()| value)
        .map_err(|_| too_long())
}

fn too_long() -> String {
    " (too many digits)".to_string()
}

/// Days since 1970-01-01: the day as written, also of a timestamp.
pub fn date(cell: &Cell<'_>) -> Fit<i32> {
    if let Cell::Clock(micros, _) = cell {
        return i32::try_from(micros.div_euclid(DAY)).map_err(|_| String::new());
    }
    let Cell::Text(text) = cell else {
        return Err(String::new());
    };
    let text = text.trim();
    let day = match text.get(..10) {
        Some(day) if text.len() > 10 && Clock::read(text).is_some() => day,
        _ => text,
    };
    Date32Type::parse(day)
        .filter(|_| day.len() == 10 && day.as_bytes()[4] == b'-')
        .ok_or_else(String::new)
}

/// Microseconds since midnight.
pub fn time(cell: &Cell<'_>) -> Fit<i64> {
    match cell {
        Cell::Clock(micros, _) => Ok(micros.rem_euclid(DAY)),
        Cell::Text(text) if text.contains(':') => {
            Time64MicrosecondType::parse(text.trim()).ok_or_else(String::new)
        }
        _ => Err(String::new()),
    }
}

/// Returns the offset from UTC that a time is written with, in seconds; none where there is none.
pub fn offset(cell: &Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Text(text) => Clock::read(text.trim())?.offset,
        Cell::Clock(_, offset) => *offset,
        _ => None,
    }
}

/// Microseconds since 1970-01-01. Without zone, the time of the clock is kept and an offset in the text dropped, as
/// Postgres and Snowflake do; with zone, text without offset is UTC.
pub fn timestamp(cell: &Cell<'_>, zoned: bool) -> Fit<i64> {
    let at = |micros: i64, offset: Option<i64>| match zoned {
        true => micros - offset.unwrap_or(0) * 1_000_000,
        false => micros,
    };
    let text = match cell {
        Cell::Text(text) => text.trim(),
        Cell::Clock(micros, offset) => return Ok(at(*micros, *offset)),
        _ => return Err(String::new()),
    };
    if let Some(clock) = Clock::read(text) {
        return Ok(at(clock.micros, clock.offset));
    }
    // A date alone is its midnight.
    match text.len() {
        10 => date(cell).map(|days| i64::from(days) * 86_400_000_000),
        _ => Err(String::new()),
    }
}

/// Returns a date in any spelling that Arrow reads, where no database is there to ask.
pub fn any_date(cell: &Cell<'_>) -> Fit<i32> {
    match cell {
        Cell::Text(text) => Date32Type::parse(text.trim()).ok_or_else(String::new),
        _ => Err(String::new()),
    }
}

/// Returns a timestamp in any spelling that Arrow reads; a zone that it names counts.
pub fn any_timestamp(cell: &Cell<'_>) -> Fit<i64> {
    match cell {
        Cell::Text(text) => string_to_datetime(&Utc, text.trim())
            .map(|time| time.timestamp_micros())
            .map_err(|_| String::new()),
        _ => Err(String::new()),
    }
}

/// Tells whether a timestamp says how far its zone is from UTC.
pub fn has_offset(cell: &Cell<'_>) -> bool {
    match cell {
        Cell::Clock(_, offset) => offset.is_some(),
        Cell::Text(text) => Clock::read(text.trim()).is_none_or(|clock| clock.offset.is_some()),
        _ => true,
    }
}

/// Tells whether text for bytes holds backslashes, which some databases read as escapes.
pub fn has_escapes(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::Text(text) if text.contains('\\'))
}

/// Tells whether a database may be asked what it makes of a value: what it is is its text.
pub fn readable(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::Text(_) | Cell::Number(_) | Cell::Bool(_))
}

/// Bytes from hexadecimal digits.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

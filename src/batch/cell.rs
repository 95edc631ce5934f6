//! One value on its way into a column: how JSON values fit SQL types.
//!
//! The functions give the column's native value, or what to say behind "does not fit".

use std::borrow::Cow;

use arrow::compute::kernels::cast_utils::{Parser, parse_decimal, string_to_datetime};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Decimal256Type, DecimalType, Time64MicrosecondType, i256,
};
use chrono::{DateTime, Utc};

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
}

type Fit<T> = Result<T, String>;

impl Cell<'_> {
    /// The value as a message shows it.
    pub fn shown(&self) -> String {
        let text = match self {
            Cell::Null => "null".to_string(),
            Cell::Bool(b) => b.to_string(),
            Cell::Number(n) => n.to_string(),
            Cell::Text(t) => format!("'{t}'"),
            Cell::Json(j) => j.to_string(),
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
    }
}

/// The value in a JSON column: strings are JSON strings, unless they hold an object or array themselves.
pub fn json_text<'c>(cell: &'c Cell<'_>) -> Cow<'c, str> {
    match cell {
        Cell::Text(text) => {
            let holds_json =
                text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            match holds_json {
                true => Cow::Borrowed(text),
                false => serde_json::Value::String(text.to_string()).to_string().into(),
            }
        }
        other => text(other),
    }
}

/// A number as text, for decimals of any precision.
pub fn number_text<'c>(cell: &'c Cell<'_>) -> Fit<Cow<'c, str>> {
    match cell {
        Cell::Number(text) => Ok(Cow::Borrowed(text)),
        Cell::Text(text) => {
            let text = text.trim();
            // 76 digits are what can be checked; the database checks the rest.
            match parse_decimal::<Decimal256Type>(text, 76, 20) {
                Ok(_) => Ok(Cow::Borrowed(text)),
                Err(_) if is_decimal(text) => Ok(Cow::Borrowed(text)),
                Err(_) => Err(String::new()),
            }
        }
        _ => Err(String::new()),
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.parse::<f64>().is_ok() && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// A boolean: `true`, `false` and their texts.
pub fn boolean(cell: &Cell<'_>) -> Fit<bool> {
    match cell {
        Cell::Bool(b) => Ok(*b),
        Cell::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "on" | "1" => Ok(true),
            "false" | "f" | "no" | "off" | "0" => Ok(false),
            _ => Err(String::new()),
        },
        _ => Err(String::new()),
    }
}

/// An integer; a float without fraction is one.
pub fn integer<T: TryFrom<i64> + std::str::FromStr>(cell: &Cell<'_>) -> Fit<T> {
    let text = match cell {
        Cell::Number(text) => text.as_ref(),
        Cell::Text(text) => text.trim(),
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

/// A float.
pub fn float(cell: &Cell<'_>) -> Fit<f64> {
    match cell {
        Cell::Number(text) => text.parse().map_err(|_| String::new()),
        Cell::Text(text) => text.trim().parse().map_err(|_| String::new()),
        _ => Err(String::new()),
    }
}

/// A decimal; digits beyond the scale are rounded half away from zero, as SQL does.
pub fn decimal(cell: &Cell<'_>, precision: u8, scale: i8) -> Fit<i128> {
    let text = match cell {
        Cell::Number(text) => text.as_ref(),
        Cell::Text(text) => text.trim(),
        _ => return Err(String::new()),
    };
    // Bytes, since a fraction is ASCII; an exponent goes the long way.
    let fraction = text.split_once('.').map_or(0, |(_, f)| f.len());
    if fraction <= scale as usize && !text.contains(['e', 'E']) {
        let value = parse_decimal::<Decimal128Type>(text, precision, scale).map_err(|_| unfit(text))?;
        return Decimal128Type::validate_decimal_precision(value, precision, scale)
            .map(|()| value)
            .map_err(|_| " (too many digits)".to_string());
    }
    let wide = parse_decimal::<Decimal256Type>(text, 76, scale + 1).map_err(|_| unfit(text))?;
    let half = i256::from_i128(if wide.is_negative() { -5 } else { 5 });
    let rounded = wide.wrapping_add(half).wrapping_div(i256::from_i128(10));
    let value = rounded
        .to_i128()
        .ok_or_else(|| " (too many digits)".to_string())?;
    Decimal128Type::validate_decimal_precision(value, precision, scale)
        .map(|()| value)
        .map_err(|_| " (too many digits)".to_string())
}

fn unfit(text: &str) -> String {
    match is_decimal(text) {
        true => " (too many digits)".to_string(),
        false => String::new(),
    }
}

/// Days since 1970-01-01.
pub fn date(cell: &Cell<'_>) -> Fit<i32> {
    match cell {
        Cell::Text(text) => {
            let text = text.trim();
            if let Some(days) = Date32Type::parse(text) {
                return Ok(days);
            }
            // A timestamp is a date with more to it.
            let micros = timestamp(cell, false)?;
            i32::try_from(micros.div_euclid(86_400_000_000)).map_err(|_| " (out of range)".to_string())
        }
        _ => Err(String::new()),
    }
}

/// Microseconds since midnight.
pub fn time(cell: &Cell<'_>) -> Fit<i64> {
    match cell {
        Cell::Text(text) => Time64MicrosecondType::parse(text.trim()).ok_or_else(String::new),
        _ => Err(String::new()),
    }
}

/// Microseconds since 1970-01-01. Without zone, the time of the clock is kept and an offset in the text dropped, as
/// Postgres and Snowflake do; with zone, text without offset is UTC.
pub fn timestamp(cell: &Cell<'_>, zoned: bool) -> Fit<i64> {
    let Cell::Text(text) = cell else {
        return Err(String::new());
    };
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(match zoned {
            true => time.timestamp_micros(),
            false => time.naive_local().and_utc().timestamp_micros(),
        });
    }
    let time = string_to_datetime(&Utc, text).map_err(|_| String::new())?;
    Ok(time.timestamp_micros())
}

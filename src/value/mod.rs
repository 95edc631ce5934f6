//! A value at run time: what variables hold, what expressions give, what goes into a request.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use indexmap::IndexMap;
use sequor_planner::syntax::{KEYED, TYPED};
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use uuid::Uuid;

mod cell;
mod column;
mod decimal;
pub mod in_path;
pub mod json;
pub mod kept;
mod repr;
mod row;
pub mod span;

pub use cell::cell;
pub use decimal::same_number;
pub use row::Row;

/// A value. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// An integer beyond 64 bits, as its digits.
    BigInt(Arc<str>),
    /// A decimal, exactly as text.
    Number(Arc<str>),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Date(NaiveDate),
    Time(NaiveTime),
    /// A timestamp without zone.
    Timestamp(NaiveDateTime),
    /// A timestamp with zone: the moment, and the offset it is shown with.
    Instant(DateTime<FixedOffset>),
    /// A timestamp as YAML has it with a `T`, which its text keeps.
    Stamp(NaiveDateTime, Option<FixedOffset>),
    /// A span of time.
    Duration(TimeDelta),
    Uuid(Uuid),
    List(Arc<Vec<Value>>),
    Map(Arc<IndexMap<String, Value>>),
    /// A map whose keys are not all text.
    Pairs(Arc<Vec<(Value, Value)>>),
    /// A row of a table.
    Row(Row),
    /// An object of Python's that is no plain data, or that may be changed in place.
    Object(Arc<dyn Object>),
}

/// An object that lives elsewhere and is kept as it is within a run.
pub trait Object: Send + Sync + fmt::Debug {
    /// Its text, as Python's `str` gives it.
    fn text(&self) -> String;

    /// The data it holds now; the text says why there is none.
    fn data(&self) -> Result<Value, String>;

    /// Its entries, when it is a map of names: each as it is.
    fn entries(&self) -> Option<Arc<IndexMap<String, Value>>>;

    /// For whoever made it.
    fn as_any(&self) -> &dyn Any;
}

impl Value {
    /// Returns a text value.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Text(text.as_ref().into())
    }

    /// Returns a list.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::new(items))
    }

    /// Returns a map.
    pub fn map(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
        Value::Map(Arc::new(entries.into_iter().collect()))
    }

    /// Returns a map as the planner names its keys: those that are no text say what they are.
    pub fn keyed(entries: IndexMap<String, Value>) -> Value {
        if !entries.keys().any(|key| key.starts_with(KEYED)) {
            return Value::Map(Arc::new(entries));
        }
        let pairs = entries.into_iter().map(|(key, value)| {
            let key = match key.strip_prefix(KEYED).map(serde_json::from_str::<Json>) {
                Some(Ok(key)) => Value::from(&key),
                _ => Value::text(key),
            };
            (key, value)
        });
        Value::Pairs(Arc::new(pairs.collect()))
    }

    /// Returns what kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) | Value::BigInt(_) | Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::Bytes(_) => "bytes",
            Value::Date(_) => "a date",
            Value::Time(_) => "a time",
            Value::Timestamp(_) | Value::Instant(_) | Value::Stamp(..) => "a timestamp",
            Value::Duration(_) => "a span of time",
            Value::Uuid(_) => "a UUID",
            Value::List(_) => "a list",
            Value::Map(_) | Value::Pairs(_) => "an object",
            Value::Row(_) => "a row",
            Value::Object(_) => "an object",
        }
    }

    /// Returns the value as Jinja and Python's `str` print it: `None`, `True`, `False`.
    pub fn to_text(&self) -> String {
        match self {
            Value::Null => "None".into(),
            Value::Bool(true) => "True".into(),
            Value::Bool(false) => "False".into(),
            Value::Int(n) => n.to_string(),
            Value::Float(n) => float_text(*n),
            Value::BigInt(text) | Value::Number(text) | Value::Text(text) => text.to_string(),
            Value::Date(date) => date.to_string(),
            Value::Time(time) => time.format(&format!("%H:%M:%S{}", micros(time))).to_string(),
            Value::Timestamp(t) => t.format(&format!("%Y-%m-%d %H:%M:%S{}", micros(t))).to_string(),
            Value::Instant(t) => t
                .format(&format!("%Y-%m-%d %H:%M:%S{}%:z", micros(t)))
                .to_string(),
            Value::Stamp(t, None) => t.format(&format!("%Y-%m-%dT%H:%M:%S{}", micros(t))).to_string(),
            Value::Stamp(t, Some(zone)) => {
                let format = format!("%Y-%m-%dT%H:%M:%S{}", micros(t));
                format!("{}{zone}", t.format(&format))
            }
            Value::Duration(span) => span_text(*span),
            Value::Uuid(id) => id.to_string(),
            Value::Object(object) => object.text(),
            Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Row(_) => self.repr(),
        }
    }

    /// Returns the entries of a map of names; also of one that holds other things than data.
    pub fn entries(&self) -> Option<Arc<IndexMap<String, Value>>> {
        match self {
            Value::Object(object) => object.entries(),
            Value::Map(entries) => Some(entries.clone()),
            Value::Pairs(pairs) => {
                let named = pairs.iter().map(|(key, value)| (key.to_text(), value.clone()));
                Some(Arc::new(named.collect()))
            }
            _ => None,
        }
    }

    /// Returns the value as data: what an object holds now.
    ///
    /// # Errors
    /// An object that holds no data, in words.
    pub fn plain(self) -> Result<Value, String> {
        match self {
            Value::Object(object) => object.data(),
            value => Ok(value),
        }
    }

    /// Returns the text of the value where JSON is the language: lists and maps as compact JSON.
    pub fn to_json_text(&self) -> String {
        match self {
            Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Row(_) => {
                serde_json::to_string(self).unwrap_or_default()
            }
            value => value.to_text(),
        }
    }

    /// Tells whether it is the value that conditions look for: its text is `true`, in any case.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Bool(value) => *value,
            Value::Text(text) => text.trim().eq_ignore_ascii_case("true"),
            Value::Object(object) => object.text().trim().eq_ignore_ascii_case("true"),
            _ => false,
        }
    }
}

/// `{"value": V, "scope": "local"}` is a variable with its scope, anything else the value itself. Gives the value, and
/// whether it is local where it says so.
///
/// # Errors
/// A scope that is none, as text.
pub fn scoped(value: Value) -> Result<(Value, Option<bool>), String> {
    let Some(entries) = value.entries().filter(|e| e.contains_key("value")) else {
        return Ok((value, None));
    };
    let known = ["value", "scope", "type"];
    if !entries.contains_key("scope") && entries.len() > 1
        || entries.keys().any(|k| !known.contains(&k.as_str()))
    {
        return Ok((value, None));
    }
    let inner = entries.get("value").cloned().unwrap_or(Value::Null);
    match entries.get("scope").map(Value::to_text).as_deref() {
        Some("local") => Ok((inner, Some(true))),
        Some("project") => Ok((inner, Some(false))),
        None => Ok((inner, None)),
        Some(other) => Err(other.to_string()),
    }
}

/// A key of a map as JSON writes it: all keys are text there.
fn json_key(key: &Value) -> String {
    match key {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        key => key.to_text(),
    }
}

/// A span as Python writes it: `1 day, 2:00:00`.
fn span_text(span: TimeDelta) -> String {
    let micros = span.num_microseconds().unwrap_or(i64::MAX);
    let day = 86_400_000_000;
    let (days, rest) = (micros.div_euclid(day), micros.rem_euclid(day));
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let mut text = match days {
        0 => String::new(),
        1 | -1 => format!("{days} day, "),
        days => format!("{days} days, "),
    };
    text.push_str(&format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    ));
    if micros > 0 {
        text.push_str(&format!(".{micros:06}"));
    }
    text
}

/// Python writes six digits of a second, or none.
fn micros(time: &impl Timelike) -> &'static str {
    if time.nanosecond() == 0 { "" } else { "%.6f" }
}

/// Returns a float as Python writes it: `1.0`, not `1`.
pub(crate) fn float_text(n: f64) -> String {
    if n.is_nan() {
        return "nan".into();
    }
    if n.is_infinite() {
        return if n > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let text = n.to_string();
    match n.fract() == 0.0 && n.abs() < 1e16 {
        true => format!("{text}.0"),
        false => match n.abs() >= 1e16 || (n != 0.0 && n.abs() < 1e-4) {
            true => {
                let text = format!("{n:e}");
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let (sign, exponent) = match exponent.strip_prefix('-') {
                    Some(exponent) => ('-', exponent),
                    None => ('+', exponent),
                };
                format!("{digits}e{sign}{exponent:0>2}")
            }
            false => text,
        },
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match (n.as_i64(), n.is_u64()) {
                (Some(n), _) => Value::Int(n),
                (None, true) => Value::BigInt(n.to_string().into()),
                (None, false) => n.as_f64().map_or(Value::Null, Value::Float),
            },
            Json::String(text) => Value::text(text),
            Json::Array(items) => Value::list(items.iter().map(Value::from).collect()),
            Json::Object(entries) if entries.contains_key(TYPED) => typed(entries),
            Json::Object(entries) => {
                let entries = entries.iter().map(|(k, v)| (k.clone(), Value::from(v)));
                Value::keyed(entries.collect())
            }
        }
    }
}

/// A value that JSON lacks, as the planner writes it.
fn typed(entries: &serde_json::Map<String, Json>) -> Value {
    let text = |key: &str| entries.get(key).and_then(Json::as_str).unwrap_or_default();
    let value = text("value");
    let read = match text(TYPED) {
        "integer" => Some(Value::BigInt(value.into())),
        "float" => value.parse().ok().map(Value::Float),
        "date" => value.parse().ok().map(Value::Date),
        "timestamp" | "stamp" => {
            let spelled = text(TYPED) == "stamp";
            match DateTime::parse_from_rfc3339(value) {
                Ok(moment) if spelled => Some(Value::Stamp(moment.naive_local(), Some(*moment.offset()))),
                Ok(moment) => Some(Value::Instant(moment)),
                Err(_) => NaiveDateTime::parse_from_str(value, "%Y-%m-%dT%H:%M:%S%.f")
                    .ok()
                    .map(|time| match spelled {
                        true => Value::Stamp(time, None),
                        false => Value::Timestamp(time),
                    }),
            }
        }
        "bytes" => {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.decode(value);
            bytes.ok().map(|bytes| Value::Bytes(bytes.into()))
        }
        _ => None,
    };
    // A date that is none (2024-02-30) is its text.
    read.unwrap_or_else(|| Value::text(value))
}

/// As JSON: decimals as exact numbers, dates and times in ISO 8601.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Int(n) => serializer.serialize_i64(*n),
            Value::Float(n) if n.is_finite() => serializer.serialize_f64(*n),
            Value::Float(n) => Err(S::Error::custom(format!("{n} can't be written in JSON"))),
            Value::BigInt(text) | Value::Number(text) => match RawValue::from_string(text.to_string()) {
                Ok(raw) => raw.serialize(serializer),
                // NaN and such: JSON has no number for them.
                Err(_) => serializer.serialize_str(text),
            },
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => {
                use base64::Engine as _;
                serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(bytes))
            }
            Value::Date(date) => serializer.serialize_str(&date.to_string()),
            Value::Time(time) => serializer.serialize_str(&time.to_string()),
            Value::Timestamp(t) | Value::Stamp(t, None) => {
                serializer.collect_str(&t.format("%Y-%m-%dT%H:%M:%S%.f"))
            }
            Value::Stamp(t, Some(zone)) => {
                serializer.collect_str(&format_args!("{}{zone}", t.format("%Y-%m-%dT%H:%M:%S%.f")))
            }
            Value::Duration(_) | Value::Uuid(_) => serializer.serialize_str(&self.to_text()),
            Value::Instant(t) => serializer.collect_str(&t.format("%Y-%m-%dT%H:%M:%S%.f%:z")),
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(k, v)| map.serialize_entry(k, v))?;
                map.end()
            }
            Value::Pairs(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                pairs
                    .iter()
                    .try_for_each(|(k, v)| map.serialize_entry(&json_key(k), v))?;
                map.end()
            }
            Value::Object(object) => object.data().map_err(S::Error::custom)?.serialize(serializer),
            Value::Row(row) => {
                let mut map = serializer.serialize_map(Some(row.len()))?;
                for (name, value) in row.iter() {
                    map.serialize_entry(name, &value)?;
                }
                map.end()
            }
        }
    }
}

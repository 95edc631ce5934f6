//! Values of columns whose database says more of them than Arrow's type: expressions get values of the kind that drivers for
//! Python give.

use arrow::datatypes::Field;
use chrono::{DateTime, FixedOffset, Utc};
use serde_json::value::RawValue;

use super::{Value, json, span};
use crate::batch::origin::{type_of, zone_of};

/// Returns a text of a column as a value of its database's type.
pub fn text(field: &Field, text: &str) -> Value {
    let read = match type_of(field) {
        Some("interval") => span::read(text).map(Value::Duration),
        Some("uuid") => text.parse().ok().map(Value::Uuid),
        Some("oid") => text.parse().ok().map(Value::Int),
        _ => None,
    };
    read.unwrap_or_else(|| Value::text(text))
}

/// Returns an array, which came as JSON, its items values of its database's type.
pub fn array(field: &Field, text: &str) -> Value {
    let read = match type_of(field).and_then(|name| name.strip_suffix("[]")) {
        Some(kind) => serde_json::from_str(text).ok().map(|raw| item(kind, raw)),
        None => json::value_at(text.as_bytes(), &[]),
    };
    read.unwrap_or_else(|| Value::text(text))
}

fn item(kind: &str, raw: &RawValue) -> Value {
    let written = raw.get();
    if written.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(written)
    {
        return Value::list(items.into_iter().map(|raw| item(kind, raw)).collect());
    }
    let value = json::value_at(written.as_bytes(), &[]).unwrap_or_else(|| Value::text(written));
    let text = value.to_text();
    match kind {
        _ if matches!(value, Value::Null) => Value::Null,
        // As the database writes it: 1.10.
        "numeric" => Value::Number(written.trim_matches('"').into()),
        "date" => text.parse().map_or(value, Value::Date),
        "timestamp" => text.parse().map_or(value, Value::Timestamp),
        "timestamptz" => DateTime::parse_from_rfc3339(&text).map_or(value, Value::Instant),
        "uuid" => text.parse().map_or(value, Value::Uuid),
        "interval" => span::read(&text).map_or(value, Value::Duration),
        _ => value,
    }
}

/// Returns a moment, shown in the zone of its session.
pub fn instant(field: &Field, moment: DateTime<Utc>) -> DateTime<FixedOffset> {
    match zone_of(field) {
        Some(zone) => moment.with_timezone(&zone).fixed_offset(),
        None => moment.fixed_offset(),
    }
}

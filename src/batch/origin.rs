//! What the database says of a column beyond Arrow's type: the name of its type, and the zone that its times are shown in.
//! Expressions get values of the kind that drivers for Python give.

use std::collections::HashMap;

use arrow::array::timezone::Tz;
use arrow::datatypes::Field;
use chrono::{DateTime, FixedOffset, Utc};
use serde_json::value::RawValue;

use super::{json, span};
use crate::value::Value;

const TYPE: &str = "sequor.origin";
const ZONE: &str = "sequor.zone";

fn with(field: Field, key: &str, value: &str) -> Field {
    let mut metadata: HashMap<String, String> = field.metadata().clone();
    metadata.insert(key.to_string(), value.to_string());
    field.with_metadata(metadata)
}

/// The field with the name of its type in the database.
pub fn typed(field: Field, sql: &str) -> Field {
    with(field, TYPE, &sql.to_ascii_lowercase())
}

/// The field with the zone of the session that its times were read in.
pub fn zoned(field: Field, zone: &str) -> Field {
    with(field, ZONE, zone)
}

/// A text of a column as a value of its database's type.
pub fn text(field: &Field, text: &str) -> Value {
    let read = match field.metadata().get(TYPE).map(String::as_str) {
        Some("interval") => span::read(text).map(Value::Duration),
        Some("uuid") => text.parse().ok().map(Value::Uuid),
        Some("oid") => text.parse().ok().map(Value::Int),
        _ => None,
    };
    read.unwrap_or_else(|| Value::text(text))
}

/// An array, which came as JSON, its items values of its database's type.
pub fn array(field: &Field, text: &str) -> Value {
    let read = match field
        .metadata()
        .get(TYPE)
        .and_then(|name| name.strip_suffix("[]"))
    {
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

/// A moment, shown in the zone of its session.
pub fn instant(field: &Field, moment: DateTime<Utc>) -> DateTime<FixedOffset> {
    match field
        .metadata()
        .get(ZONE)
        .and_then(|zone| zone.parse::<Tz>().ok())
    {
        Some(zone) => moment.with_timezone(&zone).fixed_offset(),
        None => moment.fixed_offset(),
    }
}
